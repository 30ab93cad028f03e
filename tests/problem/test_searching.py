"""Random search: its budget, its targets, and that a row's company plays no part."""

from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair import Counterparts, PerturbationSpace
from rafair.attacks import RandomSampling, Square
from rafair.problem import searching
from rafair.problem.goals import BENIGN, TARGETS
from rafair.problem.searching import Search, random_search
from rafair.repair import BenignSearch

D, SENSITIVE = 4, 3
MASK = [True, True, True, False]


@dataclass(eq=False)
class Answering:
    """A model made of a function from rows to margins of class 1; counts what it is asked."""

    margin: object
    labels: bool = False
    seen: list = field(default_factory=list)

    dtype = torch.float64
    device = torch.device("cpu")

    @property
    def access(self):
        return "labels" if self.labels else "scores"

    def scores(self, x):
        self.seen.append(x.clone())
        value = self.margin(x)
        if self.labels:
            value = torch.where(value > 0, 0.5, -0.5)
        return torch.stack([-value / 2, value / 2], dim=1)

    def digest(self):
        return "0"


def people(n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, D, generator=generator, dtype=torch.float64)


def everyone(m=5):
    return Counterparts.product([SENSITIVE], [[i / max(m - 1, 1) for i in range(m)]])


def zeros(x):
    return torch.zeros(len(x), dtype=torch.int64)


def space(epsilon=0.3, **options):
    return PerturbationSpace(epsilon, MASK, **options)


def never(x):
    return torch.full((len(x),), -1.0, dtype=torch.float64) - x[:, 0] / 10


SEARCHERS = {
    **{f"square {t}": lambda q, t=t, **o: Square(q, t, **o) for t in TARGETS},
    **{f"random {t}": lambda q, t=t, **o: RandomSampling(q, t, **o) for t in TARGETS},
    "benign": lambda q, **o: BenignSearch(q, **o),
}
all_searchers = pytest.mark.parametrize("name", SEARCHERS)


@pytest.fixture
def counted(monkeypatch):
    """Count the rows of each call before they are padded for the model."""
    counts, original = [], searching.forward_rows

    def counting(model, rows):
        counts.append(len(rows))
        return original(model, rows)

    monkeypatch.setattr(searching, "forward_rows", counting)
    return counts


@all_searchers
@pytest.mark.parametrize("m", [1, 2, 5, 80])
@pytest.mark.parametrize("queries", [1, 2, 5, 6, 7, 23, 200])
def test_the_budget_is_never_exceeded_and_the_cost_is_what_was_asked(counted, name, m, queries):
    x = people(3)
    margin = never if name != "benign" else lambda x: -never(x)
    result = SEARCHERS[name](queries).run(
        Answering(margin), x, zeros(x), everyone(m), space(epsilon=0.2)
    )
    assert sum(counted) == result.n_forwards
    assert result.n_forwards <= queries * len(x)
    assert result.n_gradients == 0
    if queries >= 23:  # nothing is found: nearly all of it is spent
        assert result.n_forwards > (queries - 12) * len(x) * 0.6


@all_searchers
def test_the_model_itself_sees_no_more_rows_than_the_budget(name):
    """A model that is slow or paid by the row is asked for what was agreed on."""
    x = people(1)
    model = Answering(never if name != "benign" else lambda x: -never(x))
    result = SEARCHERS[name](100).run(model, x, zeros(x), everyone(), space())
    rows = sum(map(len, model.seen))
    assert rows <= 100 + 128  # what checks the problem and a padded batch may add
    assert result.n_forwards <= 100


@all_searchers
def test_a_seed_that_is_done_costs_no_more(counted, name):
    x = people(4)
    margin = (lambda x: -never(x)) if name != "benign" else never
    if "fair" in name and "accurate" not in name:

        def margin(x):
            return x[:, SENSITIVE] - 0.5

    SEARCHERS[name](1_000).run(Answering(margin), x, zeros(x), everyone(), space())
    assert sum(counted) <= 6 * len(x)


def wavy(x):
    return (7 * x[:, 0] + 5 * x[:, 1]).sin() + x[:, 2] * (x[:, SENSITIVE] - 0.6) - 0.9


@all_searchers
@pytest.mark.parametrize("labels", [False, True])
def test_a_row_goes_its_way_whatever_its_company_and_the_batch_size(name, labels):
    x = people(7, seed=3)
    y = zeros(x)
    y[::3] = 1
    model = Answering(wavy, labels)
    whole = SEARCHERS[name](150).run(model, x, y, everyone(), space())
    for size in (1, 3, 64, 5000):
        other = SEARCHERS[name](150, batch_size=size).run(model, x, y, everyone(), space())
        assert torch.equal(other.x_adv, whole.x_adv)
        assert other.n_forwards == whole.n_forwards
    order = torch.tensor([4, 2, 6])
    part = SEARCHERS[name](150).run(model, x[order], y[order], everyone(), space())
    assert torch.equal(part.x_adv, whole.x_adv[order])
    again = SEARCHERS[name](150, random_state=1).run(model, x, y, everyone(), space())
    assert not torch.equal(again.x_adv, whole.x_adv)


@all_searchers
@given(seed=st.integers(0, 1000), epsilon=st.sampled_from([0.0, 0.1, 1.0]))
def test_the_result_is_in_reach_and_the_inputs_stay(name, seed, epsilon):
    x = people(4, seed)
    y, counterparts = zeros(x), everyone()
    before, grid = x.clone(), counterparts.grid.clone()
    reach = space(epsilon, lattice=[0.0, 0.25, 0.1, 0.0])
    origin = reach.round(x, x)
    result = SEARCHERS[name](60).run(Answering(wavy), x, y, counterparts, reach)
    assert reach.contains(result.x_adv, origin).all() or epsilon == 0
    assert torch.equal(result.x_adv[:, SENSITIVE], x[:, SENSITIVE])
    result.x_adv.add_(1)
    assert torch.equal(x, before)
    assert torch.equal(y, zeros(x))
    assert torch.equal(counterparts.grid, grid)


def corner(x):
    """Wrong only near one corner of the cube, for everybody alike."""
    return x[:, :3].sum(dim=1) - 2.7


@pytest.mark.parametrize("make", [Square, RandomSampling])
def test_a_known_optimum_is_reached(make):
    x = torch.full((5, D), 0.1, dtype=torch.float64) + people(5) / 10
    model = Answering(corner)
    result = make(3_000, "accurate").run(model, x, zeros(x), everyone(), space(1.0))
    assert (corner(result.x_adv) > 0).all()
    # random search spends what a smarter one saves
    assert result.n_forwards < 3_000 * 5


def test_square_beats_random_sampling_at_equal_budget():
    x = people(30, seed=4) / 4
    finds = []
    for make in (Square, RandomSampling):
        found = make(60, "accurate").run(Answering(corner), x, zeros(x), everyone(), space(1.0))
        finds.append(int((corner(found.x_adv) > 0).sum()))
    assert finds[0] > finds[1]


def test_targets_differ_in_who_must_be_decided_wrongly():
    """v is wrong from a third up, the counterpart with s = 1 always, nobody else ever."""

    def margin(x):
        special = (x[:, SENSITIVE] - 1).abs() < 1e-9
        own = (x[:, SENSITIVE] - 0.1).abs() < 1e-9
        return torch.where(special, 1.0, torch.where(own, x[:, 0] - 2 / 3, -1.0)).double()

    x = people(5)
    x[:, 0], x[:, SENSITIVE] = 0.5, 0.1
    results = {}
    for target in TARGETS:
        model = Answering(margin)
        results[target] = Square(500, target).run(model, x, zeros(x), everyone(), space())
    stays = results["accurate_fair"].x_adv
    assert torch.equal(stays, x)  # somebody is wrong from the start
    assert torch.equal(results["fair"].x_adv, x)  # and somebody else is not
    moved = results["accurate"].x_adv
    assert (moved[:, 0] > 2 / 3).all()


def test_fair_wants_two_opinions_and_not_one_wrong_one():
    x = people(5)
    model = Answering(lambda x: 5 * x[:, 0] - 2 + (x[:, SENSITIVE] - 0.5))
    result = Square(600, "fair").run(model, x, zeros(x), everyone(), space(1.0))
    verdict = rafair.judge(Answering(model.margin), result.x_adv, zeros(x), everyone())
    assert not verdict.fair.any()


@pytest.mark.parametrize("target", TARGETS)
def test_labels_alone_are_enough_on_a_plateau(target):
    """Without scores every point is as good as the next: the search wanders."""
    x = people(8, seed=9) * 0.3
    model = Answering(lambda x: x[:, 0] + (x[:, SENSITIVE] - 0.5) / 10 - 0.5, labels=True)
    result = Square(800, target).run(model, x, zeros(x), everyone(), space(1.0))
    verdict = rafair.judge(Answering(model.margin), result.x_adv, zeros(x), everyone())
    found = {
        "accurate": ~verdict.accurate,
        "fair": ~verdict.fair,
        "accurate_fair": ~(verdict.accurate & verdict.fair),
    }[target]
    assert found.double().mean() >= 0.5


@all_searchers
def test_where_nothing_may_move_nothing_is_asked(counted, name):
    x = people(3)
    fixed = PerturbationSpace(1.0, [False] * D)
    result = SEARCHERS[name](100).run(Answering(wavy), x, zeros(x), everyone(), fixed)
    assert torch.equal(result.x_adv, x)
    assert result.n_forwards == sum(counted)


@all_searchers
def test_more_counterparts_than_the_budget_has_rows_are_sampled(counted, name):
    x = people(3)
    result = SEARCHERS[name](40).run(Answering(wavy), x, zeros(x), everyone(1000), space())
    assert result.n_forwards <= 120
    assert space().contains(result.x_adv, x).all()


def test_a_wrong_decision_on_one_of_many_is_found_by_the_looks():
    def margin(x):
        return torch.where((x[:, SENSITIVE] - 37 / 99).abs() < 1e-6, x[:, 0] - 0.6, -1.0).double()

    x = people(4)
    x[:, 0] = 0.5
    result = Square(3_000).run(Answering(margin), x, zeros(x), everyone(100), space())
    assert (result.x_adv[:, 0] > 0.6).all()


@pytest.mark.parametrize("queries", [0, -1, 1.5, True, "many"])
@all_searchers
def test_a_budget_that_is_no_positive_whole_number_is_refused(name, queries):
    x = people(2)
    with pytest.raises(rafair.InvalidInput, match="queries must be a whole number"):
        SEARCHERS[name](queries).run(Answering(wavy), x, zeros(x), everyone(), space())


@pytest.mark.parametrize("make", [Square, RandomSampling])
def test_an_unknown_target_is_refused(make):
    with pytest.raises(rafair.InvalidInput, match="unknown target 'unfair'"):
        make(target="unfair")


@all_searchers
def test_an_unbounded_space_is_refused(name):
    x = people(2)
    endless = space(float("inf"), lower=-float("inf"), upper=float("inf"))
    with pytest.raises(rafair.InvalidInput, match="bounded"):
        SEARCHERS[name](50).run(Answering(wavy), x, zeros(x), everyone(), endless)


def judged(margin, result, x, counterparts):
    return rafair.judge(Answering(margin), result.x_adv, zeros(x), counterparts)


def test_benign_search_repairs_what_can_be_repaired():
    def margin(x):
        return x[:, 0] + x[:, 1] / 2 + (x[:, SENSITIVE] - 0.5) / 5 - 0.5

    x = people(12, seed=2)
    before = rafair.judge(Answering(margin), x, zeros(x), everyone())
    result = BenignSearch(2_000).run(Answering(margin), x, zeros(x), everyone(), space(1.0))
    after = judged(margin, result, x, everyone())
    assert not (before.accurate & before.fair).all()
    assert (after.accurate & after.fair).all()


def test_benign_search_does_not_leave_before_it_has_looked_at_everybody():
    """At first persons 0 to 3 are wrong, in the middle 10 to 13, further on nobody."""

    def margin(x):
        who = (x[:, SENSITIVE] * 40).round()
        start = (x[:, 0] < 0.5) & (who < 4)
        middle = (x[:, 0] >= 0.5) & (x[:, 0] < 0.8) & (who >= 10) & (who < 14)
        return torch.where(start | middle, 1.0, -1.0).double()

    x = people(20, seed=5)
    x[:, 0], x[:, SENSITIVE] = 0.2, 0.5
    result = BenignSearch(5_000).run(Answering(margin), x, zeros(x), everyone(41), space(1.0))
    verdict = judged(margin, result, x, everyone(41))
    assert result.n_forwards < 5_000 * 20  # some have left
    assert (verdict.accurate & verdict.fair).all()


def test_benign_search_leaves_what_is_right_where_it_is():
    x = people(4)
    result = BenignSearch(300).run(Answering(never), x, zeros(x), everyone(), space())
    assert torch.equal(result.x_adv, x)


@given(
    margins=st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    data=st.data(),
)
def test_goals_are_what_they_say(margins, data):
    exist = data.draw(st.lists(st.booleans(), min_size=len(margins), max_size=len(margins)))
    exist[0] = True
    row, there = torch.tensor([margins], dtype=torch.float64), torch.tensor([exist])
    known = [m for m, e in zip(margins, exist, strict=True) if e]
    wrong, right = max(known) > 0, min(known) < 0
    values = {name: float(goal.value(row, there)) for name, goal in TARGETS.items()}
    assert (values["accurate_fair"] > 0) == wrong
    assert (values["accurate"] > 0) == (margins[0] > 0)
    assert (values["fair"] > 0) == (wrong and right)
    assert (float(BENIGN.value(row, there)) > 0) == (max(known) < 0)


def test_a_proposal_sees_bounds_what_may_move_and_the_share_of_the_budget():
    x, shares = people(3), []

    def propose(draw):
        shares.append(float(draw.spent.max()))
        assert draw.here.shape == draw.low.shape == draw.high.shape
        assert len(draw.numbers) == len(draw.here)
        assert draw.numbers.shape[1] >= 3 * D
        assert ((draw.numbers >= 0) & (draw.numbers < 1)).all()
        assert draw.movable.tolist() == MASK
        return draw.here + 9  # anything: what may not move stays, the rest is not our business

    wide = space(0.5, lattice=0.25)
    search = Search(TARGETS["accurate"], propose, 30)
    result = random_search(search, Answering(never), x, zeros(x), everyone(), wide)
    assert shares == sorted(shares)
    assert shares[-1] < 1
    assert torch.equal(result.x_adv[:, SENSITIVE], x[:, SENSITIVE])
    assert (result.x_adv <= 1).all()
