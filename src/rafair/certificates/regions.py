"""Is anybody in a box of people treated otherwise than a counterpart? A proof, or such a pair."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.dissenting import corners, dissenters
from rafair.certificates.provers import certify, certify_cells
from rafair.certificates.region_boxes import (
    DECIDED,
    NO_START,
    NOBODY,
    SPENT,
    BoxAnswer,
    BoxPeople,
    nearest_possible,
    spacing_of,
)
from rafair.certificates.verdicts import IMPOSSIBLE, REACHABLE
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, judge
from rafair.fairness.decisions import predict
from rafair.problem import PerturbationSpace

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts
    from rafair.schema import Region, Schema

__all__ = ["KNOWN", "RegionQuestion"]

# The cells of people who are treated otherwise than a counterpart.
BIASED = ("TB", "FB")
# People of the box who are looked at before the search: of the data, and drawn at random.
KNOWN, DRAWN = 64, 2_048
# From how many of them the corners are found towards which margins fall and rise.
CORNERS = 16
# Of those among them who seem to be treated otherwise, how many are asked about.
TRIED = 8


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
        low = box.low
        if time.time() >= until:
            return _undecided(SPENT, 0, low)
        people = self._people(box)
        if not len(people):
            return _undecided(NOBODY, 0, low)
        pair = self._drawn(people, box)
        if pair is not None:
            return BoxAnswer(BROKEN, DECIDED, 0, pair)
        x = self._askers(people[0], box.allowed).to(self.model.device)
        status, witnesses, nodes = self._searched(x, box, until)
        for place in range(len(witnesses)):
            pair = self._pair(witnesses[place : place + 1], box)
            if pair is not None:
                return BoxAnswer(BROKEN, DECIDED, nodes, pair)
        if not len(witnesses):
            if bool((status == UNDECIDED).any()):
                return _undecided(SPENT, nodes, low)
            return BoxAnswer(PROVED, DECIDED, nodes, _no_pair(low))
        if self.space is not None:  # perhaps somebody is treated so without any change
            unchanged = replace(self, space=None).decide(box, until)
            nodes += unchanged.nodes
            if unchanged.status == BROKEN:
                return replace(unchanged, nodes=nodes)
        return _undecided(NO_START, nodes, low)

    def _searched(self, x: Tensor, box: BoxPeople, until: float) -> tuple[Tensor, Tensor, int]:
        """Search the box for the people x, whose I(v) are those of everybody there.

        Returns
        -------
        status : Tensor of int64, shape (n,)
            As in ``Certificate``.
        witnesses : Tensor, shape (w, d)
            People who are decided otherwise than somebody of their I(v).
        nodes : int
        """
        problem = self.counterparts, self._everywhere(box.low, box.high), self.max_nodes
        y = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        found = certify(self.model, x, y, *problem, claim="fair", until=until)
        status, nodes = found.status.clone(), int(found.nodes.sum())
        rows = (status == UNDECIDED).nonzero()[:, 0]
        if not len(rows) or bool((status == BROKEN).any()):
            return status, found.witness[status == BROKEN], nodes
        # R-IF spends a small part of the budget on where classes change together.
        cells = certify_cells(self.model, x[rows], y[rows], *problem, cells=BIASED, until=until)
        columns = [CELLS.index(cell) for cell in BIASED]
        of_cells = cells.status[:, columns]
        status[rows[(of_cells == IMPOSSIBLE).all(dim=1)]] = PROVED
        status[rows[(of_cells == REACHABLE).any(dim=1)]] = BROKEN
        witnesses = cells.witness[:, columns][of_cells == REACHABLE]
        return status, witnesses, nodes + int(cells.nodes.sum())

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
            *_, own, _ = self.space.vectors
            lattice = torch.where(radius > 0, own, lattice)
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

        x, device = people.to(self.model.device), self.model.device
        ends = corners(self.model, x[:CORNERS], box.low.to(device), box.high.to(device))
        found = dissenters(self.model, torch.cat([ends, x]), self.counterparts, possible)
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


def _with(people: Tensor, values: Tensor, counterparts: Counterparts) -> Tensor:
    """Return people with these sensitive values, one row of them each."""
    people = people.clone()
    people[:, list(counterparts.columns)] = values.to(people.dtype)
    return people


def _no_pair(like: Tensor) -> Tensor:
    return torch.full((3, len(like)), torch.nan, dtype=torch.float32)


def _undecided(reason: int, nodes: int, low: Tensor) -> BoxAnswer:
    return BoxAnswer(UNDECIDED, reason, nodes, _no_pair(low))
