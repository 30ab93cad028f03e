"""A small table of integers, levels and a one-hot group, and all of Δ and I(v) by enumeration.

Written in original units, in plain Python, without anything of the package: a person is a tuple
(n, k, c, g, s) in which None is a missing cell.
"""

import itertools
import random

import pandas as pd

N, K, C, G, S = range(4 + 1), range(4), ("a", "b", "c"), ("u", "v", "w"), range(3)
# A relation as the package reads it → who certainly breaks it. Who may meet it does.
RELATIONS = {
    "n + s <= 5": lambda n, k, c, g, s: None not in (n, s) and n + s > 5,
    "c != 'b' or k >= 1": lambda n, k, c, g, s: c == "b" and k < 1,
    "s >= 1 or g == 'u'": lambda n, k, c, g, s: s == 0 and g != "u",
    "not (n > 3 and s == 0)": lambda n, k, c, g, s: n is not None and n > 3 and s == 0,
    "k >= s or c == 'a'": lambda n, k, c, g, s: s is not None and k < s and c not in ("a", None),
}
LARGE = 60


class Table:
    """Random people, and what the rules say about them."""

    def __init__(self, seed, rules, relations=(), *, switch=True, missing=0.2, within=None):
        draw = random.Random(seed)
        self.rules, self.switch, self.within = rules, switch, within
        self.broken = [RELATIONS[text] for text in relations]
        axes = [list(axis) for axis in (N, K, C, G, S)]
        people = []
        while len(people) < LARGE:
            cells = [draw.choice(axis) for axis in axes]
            for name, place in (("n", 0), ("c", 2), ("s", 4)):
                if name in rules and draw.random() < missing:
                    cells[place] = None
            if self.meets(tuple(cells)):
                people.append(tuple(cells))
        # Every value occurs, so that domains and I(v) are those above.
        assert all({p[i] for p in people} >= set(axis) for i, axis in enumerate(axes))
        self.people = people

    def meets(self, person):
        n, k, c, g, s = person
        if c is None and self.rules.get("c") == "level":
            c = "missing"  # known to be none of the other levels
        return not any(broken(n, k, c, g, s) for broken in self.broken)

    def frame(self, people=None):
        n, k, c, g, s = zip(*(self.people if people is None else people), strict=True)
        hot = {f"g_{level}": [int(level == each) for each in g] for level in G}
        numbers = {"n": pd.Series(n, dtype="float64"), "k": list(k), "c": list(c)}
        return pd.DataFrame({**numbers, **hot, "s": pd.Series(s, dtype="float64")})

    def moved(self, person):
        """All of Δ: n and k move by at most 1, c to any level; what is kept missing stays."""
        n, k, c, g, s = person
        ns = [n] if n is None else [m for m in N if abs(m - n) <= 1]
        ks = [m for m in K if abs(m - k) <= 1]
        levels = [*C, None] if self.rules.get("c") == "level" else C
        cs = [c] if not self.switch or (c is None and self.rules["c"] == "keep") else levels
        everyone = ((*each, g, s) for each in itertools.product(ns, ks, cs))
        return [other for other in everyone if self.meets(other)]

    def counterparts(self, person):
        """All of I(v), v itself included."""
        *before, _, s = person
        values = [*S, None] if self.rules.get("s") == "level" else S
        values = [s] if s is None and self.rules["s"] == "keep" else values
        if self.within is not None:  # what is missing is near nothing else
            values = [
                each
                for each in values
                if (each is None) == (s is None) and (s is None or abs(each - s) <= self.within)
            ]
        others = ((*before, g, value) for g, value in itertools.product(G, values))
        return [person, *(other for other in others if self.meets(other))]

    def claims(self, person, label, decide):
        """Tell whether every point of Δ is accurate, fair, and both."""
        found = [self.judged(each, label, decide) for each in self.moved(person)]
        accurate, fair = (all(side) for side in zip(*found, strict=True))
        return accurate, fair, accurate and fair

    def judged(self, person, label, decide):
        own = decide(person)
        return own == label, all(decide(other) == own for other in self.counterparts(person))


def person_of(row):
    """Read a person from a row of a frame in original units."""
    n, s = (None if pd.isna(row[name]) else int(row[name]) for name in ("n", "s"))
    c = None if pd.isna(row["c"]) else row["c"]
    (g,) = (level for level in G if row[f"g_{level}"] == 1)
    return n, int(row["k"]), c, g, s


class Decisions:
    """A linear rule in which every value, and missing ones too, has a weight of its own."""

    def __init__(self, seed, unfair=0.15):
        draw = random.Random(seed)
        axes = ([*N, None], K, [*C, None], G, [*S, None])
        sizes = (1, 1, 1, unfair, unfair)
        tables = [
            {value: size * draw.gauss(0, 1) for value in axis}
            for size, axis in zip(sizes, axes, strict=True)
        ]
        self.margins = {
            each: sum(t[v] for t, v in zip(tables, each, strict=True))
            for each in itertools.product(*axes)
        }

    def of(self, person):
        return int(self.margins[person] > 0)

    def __call__(self, frame):
        """Decide on the rows of a frame, as a model that reads missing values itself."""
        return [self.of(person_of(row)) for row in frame.to_dict("records")]

    def logits(self, frame):
        """Return one logit for each row."""
        return [self.margins[person_of(row)] for row in frame.to_dict("records")]
