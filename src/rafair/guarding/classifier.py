"""A model that answers with the consensus over I(v), as a ``Classifier``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.checks import check_one_of
from rafair.guarding.members import Members
from rafair.guarding.rules import ABSTAINING, RULES, joined, margin_shares, votes
from rafair.models import require_wrapped
from rafair.models.around import Around
from rafair.problem.batching import AUTO, forward_rows, rows_per_call
from rafair.problem.distinct import distinct
from rafair.problem.gradients import vjp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rafair.guarding.neighbourhood import Neighbourhood
    from rafair.guarding.rules import Rule
    from rafair.models import Access
    from rafair.problem import Counterparts

__all__ = ["GuardedClassifier", "guarded"]


@dataclass(frozen=True, eq=False)
class GuardedClassifier(Around):
    """Asks a model about everyone in I(v), and answers with their consensus.

    The answers are identical over I(v) by construction: whichever member of I(v) asks, the model is
    asked about the same rows in the same order (``Members``), and equal rows are asked about once.
    Attacks go through it: its gradient is that of the consensus.

    Parameters
    ----------
    model : Classifier
    counterparts : Counterparts
        I(v).
    rule : {"mean", "majority", "own-or-abstain"}
        See ``rafair.Guard``. The scores of the last have one more class: no answer.
    neighbourhood : Neighbourhood, optional
        Ask about each member of I(v) at points of its own near v.
    """

    counterparts: Counterparts
    rule: Rule = "mean"
    neighbourhood: Neighbourhood | None = None

    def __post_init__(self) -> None:
        require_wrapped(self.model, "the guard")
        check_one_of("rule", self.rule, tuple(RULES))

    @property
    def access(self) -> Access:
        """What an attack may use: at least scores, since votes can be counted."""
        return "scores" if self.model.access == "labels" else self.model.access

    @property
    def kind(self) -> str:
        """Description of the model, for the report."""
        own = getattr(self.model, "kind", type(self.model).__name__)
        return f"guard by {self.rule} over I(v) of a {own}"

    @property
    def may_abstain(self) -> bool:
        """Whether the last class is no answer."""
        return self.rule == ABSTAINING

    @property
    def reads(self) -> str:
        """What the model reads."""
        return getattr(self.model, "reads", "unit")

    def to(self, device: torch.device) -> GuardedClassifier:
        """Return a guard of a copy of the model on another device."""
        model: Any = self.model
        return replace(self, model=model.to(device))

    @cached_property
    def members(self) -> Members:
        """Whom the model is asked about."""
        return Members(self.counterparts)

    @cached_property
    def are_logits(self) -> bool:
        """Whether the mean is one of logits, as of networks; else it is one of probabilities."""
        return getattr(self.model, "body_output", None) == "logits"

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of the consensus for rows x, (n, d); (n, k) or (n, k + 1), float64.

        Raises
        ------
        InvalidInput
            If a score of the model is NaN or infinite.
        """
        if self.access == "gradient" and torch.is_grad_enabled() and x.requires_grad:
            found: Tensor = _Differentiable.apply(x, self)  # type: ignore[no-untyped-call]
            return found
        return self._once(x, self._joined)

    def votes(self, x: Tensor) -> Tensor:
        """Return the share of those who are asked that each class gets, (n, k); see ``votes``."""
        return self._once(x, votes)

    def margin_shares(self, x: Tensor) -> Tensor:
        """Return the share of each class in votes that weigh their margins, (n, k), float64."""
        return self._once(x, margin_shares)

    def probabilities(self, x: Tensor) -> Tensor:
        """Return the mean probabilities, or for ``"majority"`` the shares of votes, (n, k)."""
        if self.rule == "majority":
            return self.votes(x)
        mean = replace(self, rule="mean")
        return torch.softmax(mean.scores(x), dim=1)

    def digest(self) -> str:
        """Return a SHA-256 of the model's digest, the rule and I(v), in hexadecimal."""
        sha = hashlib.sha256(f"{self.model.digest()} {self.rule}".encode())
        about = (self.counterparts.columns, self.counterparts.within, self.counterparts.kept)
        sha.update(repr(about).encode())
        sha.update(self.counterparts.grid.contiguous().numpy().tobytes())
        sha.update(b"" if self.neighbourhood is None else repr(self.neighbourhood).encode())
        return sha.hexdigest()

    def pull_back(self, x: Tensor, outer: Tensor) -> Tensor:
        """Return Σⱼ outerⱼ ∂zⱼ/∂x for rows x, (n, d), and outer, (n, k); shape (n, d).

        It is 0 for the sensitive columns. Rows with equal answers and factors are computed once.
        """
        people = self.members.representative(x)
        first, kind = distinct(torch.cat([people.to(torch.float64), outer], dim=1))
        slopes = [self._slope(*part) for part in self._blocks(people[first], outer[first])]
        slope = torch.cat(slopes)
        slope[:, list(self.counterparts.columns)] = 0
        return slope[kind]

    def _slope(self, people: Tensor, outer: Tensor) -> Tensor:
        if not bool(outer.any()):  # rows that only fill a batch up
            return torch.zeros_like(people)
        scores, pull_back = vjp(self.model, self._rows(people))
        shape = (len(people), self._n_rows, -1)
        with torch.enable_grad():
            given = scores.to(torch.float64).view(shape).requires_grad_()
            whole = (self._joined(given, self._asked(people)) * outer).sum()
            (factors,) = torch.autograd.grad(whole, given)
        rows = pull_back(factors.flatten(0, 1).to(scores.dtype))
        return rows.view(shape).sum(dim=1)

    def _joined(self, scores: Tensor, asked: Tensor) -> Tensor:
        return joined(self.rule, scores, asked, are_logits=self.are_logits)

    def _once(self, x: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Join the scores of everyone who is asked about x, once for all rows with one answer."""
        people = self.members.representative(x.detach())
        first, kind = distinct(people)
        parts = []
        for (some,) in self._blocks(people[first]):
            rows = forward_rows(self.model, self._rows(some)).to(torch.float64)
            scores = rows.view(len(some), self._n_rows, -1)
            parts.append(join(scores, self._asked(some)))
        return torch.cat(parts)[kind]

    @property
    def _points(self) -> int:
        """How many rows each member of I(v) is asked about."""
        return 1 if self.neighbourhood is None else self.neighbourhood.points

    @property
    def _n_rows(self) -> int:
        """How many rows the model is asked about for a person."""
        return len(self.counterparts) * self._points

    def _asked(self, people: Tensor) -> Tensor:
        """Tell which of these rows count, shape (n, rows), bool."""
        return self.members.asked(people).repeat_interleave(self._points, 1)

    def _rows(self, people: Tensor) -> Tensor:
        """Return everyone who is asked about, shape (n · rows, d)."""
        rows = self.members.everyone.rows(people)
        return rows if self.neighbourhood is None else self.neighbourhood.moved(rows, len(people))

    def _blocks(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        size = max(1, rows_per_call(AUTO, self.model) // self._points)
        for block in self.counterparts.blocks(len(tensors[0]), size):
            yield tuple(tensor[block] for tensor in tensors)


def guarded(model: Any) -> GuardedClassifier | None:
    """Return the guard that a model is, or holds as ``rafair.Guard`` does; None if it is none."""
    found = getattr(model, "guarded", model)
    return found if isinstance(found, GuardedClassifier) else None


class _Differentiable(torch.autograd.Function):
    """The scores of a guard; nothing but x is kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, guard: GuardedClassifier) -> Tensor:
        ctx.save_for_backward(x)
        ctx.guard = guard
        return guard.scores(x.detach())

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.guard.pull_back(x.detach(), outer), None
