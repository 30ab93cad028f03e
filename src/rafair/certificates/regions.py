"""Is anybody in a box of people treated otherwise than a counterpart? A proof, or such a pair."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.dissenting import dissenters
from rafair.certificates.provers import certify
from rafair.errors import InvalidInput
from rafair.fairness import judge
from rafair.fairness.decisions import predict
from rafair.problem import PerturbationSpace

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts
    from rafair.schema import Region, Schema

__all__ = [
    "KNOWN",
    "REASONS",
    "BoxAnswer",
    "BoxPeople",
    "RegionQuestion",
    "nearest_possible",
    "spacing_of",
]

# Why a box is undecided, by ``BoxAnswer.reason``.
REASONS = (
    None,
    "the budget was spent",
    "no possible person was found in the box",
    "the pair found starts from no possible person of the region",
)
DECIDED, SPENT, NOBODY, NO_START = range(4)
# People of the box who are looked at before the search: of the data, and drawn at random.
KNOWN, DRAWN = 64, 2_048
# Of those among them who seem to be treated otherwise, how many are asked about.
TRIED = 8


@dataclass(frozen=True, eq=False)
class BoxAnswer:
    """The answer for one box.

    Attributes
    ----------
    status : int
        1 fair everywhere, −1 somebody is treated otherwise than a counterpart, 0 undecided.
    reason : int
        Position in ``REASONS``.
    nodes : int
        Number of boxes that branch and bound bounded.
    pair : Tensor, shape (3, d), float32, unit space
        With a witness: a person of the box, the person after a change in Δ (the same without Δ),
        and the counterpart of the latter that is decided otherwise. NaN without.
    """

    status: int
    reason: int
    nodes: int
    pair: Tensor


@dataclass(frozen=True, eq=False)
class BoxPeople:
    """The people of one box.

    Attributes
    ----------
    low, high : Tensor, shape (d,), float64, unit space
        Possible values; sensitive columns are ignored.
    allowed : Tensor of bool, shape (m,)
        Which combinations of I(v) a person of the box may have; see ``RegionQuestion.allowed``.
    known : Tensor, shape (n, d), unit space
        People of the data in the box.
    """

    low: Tensor
    high: Tensor
    allowed: Tensor
    known: Tensor


@dataclass(frozen=True, eq=False)
class RegionQuestion:
    """What is asked of each box of a region.

    Attributes
    ----------
    model : Classifier
        A network of linear layers and ReLU; see ``certify``.
    schema : Schema
    counterparts : Counterparts
        I(v). A person has one of its combinations of sensitive values.
    space : PerturbationSpace or None
        Δ around a person; None where nobody changes.
    max_nodes : int
        Boxes to bound for each answer.
    """

    model: Classifier
    schema: Schema
    counterparts: Counterparts
    space: PerturbationSpace | None
    max_nodes: int

    def __post_init__(self) -> None:
        if self.schema.gaps:
            raise InvalidInput(
                "regions are certified for features whose cells may not be missing; take "
                'missing = "keep" and "level" out'
            )

    def allowed(self, region: Region) -> Tensor:
        """Tell which combinations of I(v) a person of a region may have, (m,), bool.

        The region's sensitive values limit v, not v's counterparts.

        Raises
        ------
        InvalidInput
            If it is none of them.
        """
        inside = region.holds(self.counterparts.grid, self.counterparts.columns)
        if not bool(inside.any()):
            raise InvalidInput(
                f"region {region.text!r}: no combination of the sensitive values of I(v) lies in it"
            )
        return inside

    def decide(self, box: BoxPeople, until: float) -> BoxAnswer:
        """Decide one box of people; ``until``, a time of day, it becomes undecided."""
        low, people = box.low, self._people(box)
        if not len(people):
            return _undecided(NOBODY, 0, low)
        if time.time() >= until:
            return _undecided(SPENT, 0, low)
        pair = self._drawn(people, box)
        if pair is not None:
            return BoxAnswer(BROKEN, DECIDED, 0, pair)
        x = self._askers(people[0], box.allowed).to(self.model.device)
        found = certify(
            self.model,
            x,
            torch.zeros(len(x), dtype=torch.int64, device=x.device),
            self.counterparts,
            self._everywhere(low, box.high),
            self.max_nodes,
            claim="fair",
            until=until,
        )
        nodes, broken = int(found.nodes.sum()), found.status == BROKEN
        if not bool(broken.any()):
            if bool((found.status == UNDECIDED).any()):
                return _undecided(SPENT, nodes, low)
            return BoxAnswer(PROVED, DECIDED, nodes, _no_pair(low))
        for witness in torch.split(found.witness[broken], 1):
            pair = self._pair(witness, box)
            if pair is not None:
                return BoxAnswer(BROKEN, DECIDED, nodes, pair)
        if self.space is not None:  # perhaps somebody is treated so without any change
            unchanged = replace(self, space=None).decide(box, until)
            nodes += unchanged.nodes
            if unchanged.status == BROKEN:
                return replace(unchanged, nodes=nodes)
        return _undecided(NO_START, nodes, low)

    @property
    def _is_near(self) -> bool:
        """Whether I(v) depends on v's own sensitive values, by ``within``."""
        return min(self.counterparts.within) < math.inf

    def _askers(self, person: Tensor, allowed: Tensor) -> Tensor:
        """Return people whose I(v) together are those of everybody in the box, (n, d).

        Usually one is enough. Where I(v) depends on v's own sensitive values, it is one for each
        combination of them that the region allows.
        """
        if not self._is_near:
            return person.unsqueeze(0)
        values = self.counterparts.grid[allowed]
        return _with(person.expand(len(values), -1), values, self.counterparts)

    def _radius(self) -> Tensor:
        """Return how far Δ moves each feature, shape (d,), float64."""
        width = len(self.schema.features)
        nobody = torch.zeros(1, width, dtype=torch.float64)
        return nobody[0] if self.space is None else self.space.reach(nobody)

    def _everywhere(self, low: Tensor, high: Tensor) -> PerturbationSpace:
        """Return, as a Δ of anybody in the box, everybody whom Δ makes of anybody in the box.

        A relation that names a sensitive column is left out: whether v meets it depends on v's own
        sensitive values, and all of I(v) has to be looked at.
        """
        radius, sensitive = self._radius(), list(self.counterparts.columns)
        movable = torch.ones(len(low), dtype=torch.bool)
        movable[sensitive] = False
        lattice, conditions = spacing_of(self.schema), self.schema.conditions
        if self.space is not None:
            lattice = torch.where(radius > 0, self.space.vectors[-1], lattice)
            conditions = self.space.conditions or conditions.about(())
        return PerturbationSpace(
            math.inf,
            movable,
            (low - radius).clamp(0, 1),
            (high + radius).clamp(0, 1),
            lattice,
            conditions.apart_from(sensitive),
        )

    def _people(self, box: BoxPeople) -> Tensor:
        """Return possible people of the box, (n, d), float32; n is 0 if none is found."""
        low, high = box.low, box.high
        generator = torch.Generator().manual_seed(0)
        share = torch.rand(DRAWN, len(low), generator=generator, dtype=torch.float64)
        middle, drawn = (low + high) / 2, low + share * (high - low)
        points = torch.cat([middle.unsqueeze(0), box.known[:KNOWN].to(torch.float64), drawn])
        everybody = nearest_possible(points, low, high, self.schema)
        values = self.counterparts.grid[box.allowed].to(torch.float32)
        who = torch.randint(len(values), (len(everybody),), generator=generator)
        everybody = _with(everybody, values[who], self.counterparts)
        return everybody[self.schema.conditions.met(everybody)]

    def _drawn(self, people: Tensor, box: BoxPeople) -> Tensor | None:
        """Return a pair as ``_pair`` does, if one is near people who were drawn."""

        def possible(points: Tensor) -> Tensor:
            near = nearest_possible(points.cpu(), box.low, box.high, self.schema)
            return near.to(points.device)

        x = people.to(self.model.device)
        found = dissenters(self.model, x, self.counterparts, possible)
        for place in range(min(len(found), TRIED)):
            pair = self._pair(found[place : place + 1], box)
            if pair is not None:
                return pair
        return None

    def _pair(self, witness: Tensor, box: BoxPeople) -> Tensor | None:
        """Return a person of the box, what Δ makes of them, and who is then decided otherwise.

        ``witness``, (1, d), has the values of the changed person; the sensitive ones are chosen
        here, unless I(v) depends on them. Returns None if no person of the region can be changed
        so.
        """
        model, people = self.model, self.counterparts
        changed = people.rows(witness)
        decided = predict(model, changed).cpu()
        changed, witness = changed.cpu(), witness.cpu()
        exists = people.exist(changed, witness.expand_as(changed) if self._is_near else changed)
        classes = torch.bincount(decided[exists], minlength=int(decided.max()) + 1) > 0
        start, fits = self._starts(changed, box)
        if self._is_near:
            fits &= people.is_self(witness)[0]
        fits &= box.allowed & (classes.sum() - classes[decided].long() > 0)
        for row in fits.nonzero()[:, 0].tolist()[:1]:
            v = changed[row : row + 1].to(model.device)
            label = torch.zeros(1, dtype=torch.int64, device=v.device)
            if not bool(judge(model, v, label, people).fair):
                other = int((exists & (decided != decided[row])).long().argmax())
                return torch.stack([start[row], changed[row], changed[other]])
        return None

    def _starts(self, changed: Tensor, box: BoxPeople) -> tuple[Tensor, Tensor]:
        """Return who of the box is nearest to each changed person, and whether Δ connects them."""
        if self.space is None:
            return changed, self.schema.conditions.met(changed)
        start = nearest_possible(changed, box.low, box.high, self.schema)
        columns = list(self.counterparts.columns)
        start[:, columns] = changed[:, columns]
        return start, self.schema.conditions.met(start) & self.space.contains(changed, start)


def spacing_of(schema: Schema) -> Tensor:
    """Return the distance of neighbouring possible values of each feature, (d,), float64."""
    return torch.tensor([feature.spacing for feature in schema.features], dtype=torch.float64)


def nearest_possible(x: Tensor, low: Tensor, high: Tensor, schema: Schema) -> Tensor:
    """Return the nearest possible values in a box with possible corners, (n, d), float32."""
    inside = torch.minimum(torch.maximum(x.to(torch.float64), low), high)
    spacing = spacing_of(schema)
    unit = torch.where(spacing > 0, spacing, 1.0)
    rounded = torch.where(spacing > 0, torch.round(inside / unit) * unit, inside)
    return rounded.to(torch.float32)


def _with(people: Tensor, values: Tensor, counterparts: Counterparts) -> Tensor:
    """Return people with these sensitive values, one row of them each."""
    people = people.clone()
    people[:, list(counterparts.columns)] = values.to(people.dtype)
    return people


def _no_pair(like: Tensor) -> Tensor:
    return torch.full((3, len(like)), torch.nan, dtype=torch.float32)


def _undecided(reason: int, nodes: int, low: Tensor) -> BoxAnswer:
    return BoxAnswer(UNDECIDED, reason, nodes, _no_pair(low))
