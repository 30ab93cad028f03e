"""Repairs side by side: with the known label, and at decision time without it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from rafair.attacks.adaptive import Adaptive
from rafair.certificates import certify, certify_cells, why_uncertified
from rafair.certificates.branching import PROVED
from rafair.certificates.verdicts import IMPOSSIBLE
from rafair.fairness import TF, judge, rates
from rafair.repair import LabelFree, Minimax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from rafair.auditing.batches import Seeds
    from rafair.fairness import Rates, Verdict
    from rafair.problem import PerturbationSpace
    from rafair.repair import Benign, BenignSearch

__all__ = ["Mending", "doubled"]


@dataclass(frozen=True, eq=False)
class Mending:
    """Several repairs of the same seeds.

    Attributes
    ----------
    seeds : Seeds
    known : Benign or BenignSearch
        The repair with the known label.
    label_free : LabelFree
    """

    seeds: Seeds
    known: Benign | BenignSearch
    label_free: LabelFree

    @cached_property
    def methods(self) -> dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        """The repairs by name; the strongest search needs gradients."""
        named = {f"{self.known.name} (knows the label)": self._labelled(self.known)}
        if self.seeds.model.access == "gradient":
            named[f"{Minimax.name} (knows the label)"] = self._labelled(Minimax())
        return {**named, self.label_free.name: self._unlabelled}

    def _labelled(
        self, method: Benign | BenignSearch | Minimax
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        seeds = self.seeds

        def mend(x: Tensor) -> tuple[Tensor, Tensor]:
            problem = (seeds.model, x, seeds.y, seeds.counterparts, seeds.space)
            return method.run(*problem).x_adv, torch.zeros_like(seeds.y, dtype=torch.bool)

        return mend

    def _unlabelled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seeds = self.seeds
        found = self.label_free.run(seeds.model, x, seeds.counterparts, seeds.space)
        return found.x_adv, found.abstained

    def rates(self, x: Tensor) -> dict[str, dict[str, Any]]:
        """Repair one instance of each seed, (n, d), by every method, and count.

        Returns
        -------
        dict of dict
            By method: ``r_af`` after the repair, where no answer is none that is right and fair;
            ``repaired`` (it was not right and fair), ``harmed`` (right before, wrong after),
            ``abstained``, intervals under ``ci``, and ``moved``: the mean of the largest move of a
            feature, as a share of its range.
        """
        before = self._judged(x)
        found = {}
        for name, mend in self.methods.items():
            there, abstained = mend(x)
            after = self._judged(there)
            moved = (there - x).abs().amax(dim=1).to(torch.float64)
            counts: dict[str, Any] = _counted(before, after, abstained)
            found[name] = {**counts, "moved": float(moved.mean())}
        return found

    def impossible(self, x: Tensor) -> float | None:
        """Return the share of instances, (n, d), that no δ repairs; None without certificates."""
        seeds = self.seeds
        if why_uncertified(seeds.model) is not None:
            return None
        problem = (seeds.model, x, seeds.y, seeds.counterparts, seeds.space)
        status = certify_cells(*problem, cells=("TF",)).status[:, TF]
        return float((status == IMPOSSIBLE).double().mean())

    def under_attack(self, known: Tensor) -> dict[str, dict[str, Any]]:
        """Repair what one who knows the repairs hands in.

        Every repair meets the same points: those of the run, the ends of the strongest attack on
        the bare model, and those of the strongest attack on the consensus, with restarts.

        Parameters
        ----------
        known : Tensor, shape (t, n, d)
            Instances that the run's attacks found.

        Returns
        -------
        dict of dict
            By method: ``at_most``, the share of seeds that are right and fair after the repair
            whatever is handed in; ``wrong``, the share with a wrong answer for some of it;
            ``at_least``, the share of which it is proved that nothing within Δ is answered
            wrongly or not at all, or None; intervals under ``ci``.
        """
        points = torch.cat([known, *self._handed_in()])
        proved = self._proved()
        found = {}
        for name, mend in self.methods.items():
            right, wrong = torch.ones_like(self.seeds.y, dtype=torch.bool), None
            for x in points:
                there, abstained = mend(x)
                after = self._judged(there)
                right &= (after.cells == TF) & ~abstained
                missed = ~after.accurate & ~abstained
                wrong = missed if wrong is None else wrong | missed
            events = {"at_most": right, "wrong": ~right if wrong is None else wrong}
            found[name] = {"at_least": None, **rates(_with(events, proved))}
        return found

    def _handed_in(self) -> list[Tensor]:
        seeds, attack = self.seeds, Adaptive(random_state=self.seeds.plan.random_state)
        problem = (seeds.x, seeds.y, seeds.counterparts, seeds.space)
        consensus = self.label_free.consensus(seeds.model, seeds.counterparts, seeds.space)
        return [attack.transferred(seeds.model, *problem), attack.through(consensus, *problem)]

    def _proved(self) -> Tensor | None:
        """Tell for whom everybody in I(v) is decided rightly within twice Δ, (n,), bool.

        Whatever is handed in, every point that a repair asks about or moves to is then decided
        rightly for all of I(v), so that there is nothing to repair, and no reason to abstain.
        """
        seeds = self.seeds
        if why_uncertified(seeds.model) is not None:
            return None
        wide, end = doubled(seeds.space), time.time() + seeds.plan.proof_seconds(len(seeds.y))
        problem = (seeds.model, seeds.x, seeds.y, seeds.counterparts, wide)
        return certify(*problem, seeds.plan.max_nodes, until=end).status == PROVED

    def _judged(self, x: Tensor) -> Verdict:
        return judge(self.seeds.model, x, self.seeds.y, self.seeds.counterparts)


def _counted(before: Verdict, after: Verdict, abstained: Tensor) -> Rates:
    answered = ~abstained
    good = (after.cells == TF) & answered
    return rates(
        {
            "r_af": good,
            "repaired": good & (before.cells != TF),
            "harmed": before.accurate & ~after.accurate & answered,
            "abstained": abstained,
        }
    )


def doubled(space: PerturbationSpace) -> PerturbationSpace:
    """Return Δ with twice its radius: whoever lies in a Δ around a point of Δ lies in it."""
    return replace(space, epsilon=2 * space.vectors[0])


def _with(events: Mapping[str, Tensor], proved: Tensor | None) -> dict[str, Tensor]:
    return {**events, **({} if proved is None else {"at_least": proved})}
