"""The judge's verdict on each instance: accurate or not, fair or not, and the cell of Table 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.display import Table, as_html, count
from rafair.fairness.rates import Rates, rates

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CELLS", "FB", "FF", "TB", "TF", "Verdict", "first_in_worst_cell"]

TF, TB, FF, FB = range(4)
CELLS = ("TF", "TB", "FF", "FB")

# The cell of a seed with several instances: the first of these that any of the instances is in.
PRECEDENCE = (TB, FF, FB, TF)


@dataclass(frozen=True, eq=False)
class Verdict:
    """The verdicts of the judge on n instances, or on t instances of each of n seeds.

    Attributes
    ----------
    accurate : Tensor of bool, shape (n,) or (n, t)
        f(v) = y.
    fair : Tensor of bool, shape (n,) or (n, t)
        D(f(v), f(v')) ≤ K·d(v, v') for every v' in I(v).
    cells : Tensor of int64, shape (n,) or (n, t)
        TF 0, TB 1, FF 2, FB 3 (Table 1).
    """

    accurate: Tensor
    fair: Tensor
    cells: Tensor

    @classmethod
    def of(cls, accurate: Tensor, fair: Tensor) -> Verdict:
        """Return the verdict with the cell of each instance."""
        return cls(accurate, fair, 2 * (~accurate).long() + (~fair).long())

    @classmethod
    def worst(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """Combine the verdicts on several instances of each seed, at least one.

        A seed is accurate (or fair) if all its instances are. Its cell is the first of TB, FF, FB
        that any of its instances is in, else TF. So the four rates sum to 1, and R-AF is the rate
        of TF.
        """
        accurate = torch.stack([verdict.accurate for verdict in verdicts]).all(dim=0)
        fair = torch.stack([verdict.fair for verdict in verdicts]).all(dim=0)
        cells = torch.stack([verdict.cells for verdict in verdicts])
        _, cell = first_in_worst_cell(cells)
        return cls(accurate, fair, cell)

    @classmethod
    def pooled(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """Put the verdicts on t instances of each of n seeds side by side, shape (n, t)."""
        return cls(
            torch.stack([verdict.accurate for verdict in verdicts], dim=1),
            torch.stack([verdict.fair for verdict in verdicts], dim=1),
            torch.stack([verdict.cells for verdict in verdicts], dim=1),
        )

    @classmethod
    def concat(cls, verdicts: Sequence[Verdict]) -> Verdict:
        """Concatenate the verdicts on consecutive instances."""
        return cls(
            torch.cat([verdict.accurate for verdict in verdicts]),
            torch.cat([verdict.fair for verdict in verdicts]),
            torch.cat([verdict.cells for verdict in verdicts]),
        )

    def take(self, index: Tensor) -> Verdict:
        """Return the verdicts on the instances with these row numbers, int64."""
        return Verdict(self.accurate[index], self.fair[index], self.cells[index])

    def breaks(self, claim: str) -> Tensor:
        """Tell which instances are counterexamples to a claim, shape (n,), bool.

        Parameters
        ----------
        claim : {"accurate_fair", "accurate", "fair"}
        """
        holds = {"accurate_fair": self.cells == TF, "accurate": self.accurate, "fair": self.fair}
        return ~holds[claim]

    def __len__(self) -> int:
        return len(self.cells)

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {n:,}" for name, n in self._counts.items())
        return f"Verdict({self._size}: {found})"

    def _repr_html_(self) -> str:
        tf, tb, ff, fb = (f"{n:,}" for n in self._counts.values())
        rows = [("true", tf, tb), ("false", ff, fb)]
        return as_html(Table(f"Verdict: {self._size}", ("", "fair", "biased"), rows))

    @property
    def _counts(self) -> dict[str, int]:
        counts = torch.bincount(self.cells.flatten(), minlength=len(CELLS))
        return dict(zip(CELLS, counts.tolist(), strict=True))

    @property
    def _size(self) -> str:
        if self.cells.ndim == 1:
            return count(len(self), "instance")
        return f"{count(self.cells.shape[1], 'instance')} of each of {count(len(self), 'seed')}"

    def rates(self, *, robust: bool = False, dissent: Tensor | None = None) -> Rates:
        """Return ACC, IF, AF, TFR, TBR, FFR and FBR, with Wilson's 95 % intervals under ``"ci"``.

        All instances count; with several for each seed the interval allows for that (``rates``).

        Parameters
        ----------
        robust : bool
            Whether the instances are perturbed; the first three are then named ``r_acc``, ``r_if``
            and ``r_af``.
        dissent : Tensor, shape (n,) or (n, t), float64, optional
            The share of each instance's counterparts that are decided otherwise. Its mean, named
            ``dissent`` or ``r_dissent``, is added.
        """
        graded = {} if dissent is None else {"dissent": dissent}
        prefix = "r_" if robust else ""
        return rates(
            {
                f"{prefix}acc": self.accurate,
                f"{prefix}if": self.fair,
                f"{prefix}af": self.cells == TF,
                "tfr": self.cells == TF,
                "tbr": self.cells == TB,
                "ffr": self.cells == FF,
                "fbr": self.cells == FB,
                **{f"{prefix}{name}": shares for name, shares in graded.items()},
            }
        )


def first_in_worst_cell(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Choose one of several instances of each seed: the first that is in the seed's cell.

    Parameters
    ----------
    cells : Tensor of int64, shape (instances, n) or (instances, n, t)

    Returns
    -------
    index : Tensor of int64, shape (n,) or (n, t)
        Row of ``cells``.
    cell : Tensor of int64, of the same shape
        The seed's cell; see ``Verdict.worst``.
    """
    rank = torch.empty(len(CELLS), dtype=torch.int64, device=cells.device)
    rank[list(PRECEDENCE)] = torch.arange(len(CELLS), device=cells.device)
    index = rank[cells].argmin(dim=0)
    return index, cells.gather(0, index.unsqueeze(0)).squeeze(0)
