"""The shares of people for whom a claim holds under every change: at least, and at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rafair.certificates.branching import BROKEN, PROVED
from rafair.fairness import balanced_rates, rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.certificates import Certificate, Property
    from rafair.fairness import Rates, Verdict

__all__ = ["contradicted", "robust_rates"]

RATES: dict[str, Property] = {"r_acc": "accurate", "r_if": "fair", "r_af": "accurate_fair"}


def robust_rates(
    verdicts: Sequence[Verdict], y: Tensor, proofs: Mapping[Property, Certificate] | None
) -> dict[str, Any]:
    """Return, for R-ACC, R-IF, R-AF and balanced R-AF, the shares between which the truth lies.

    Parameters
    ----------
    verdicts : sequence of Verdict
        On instances inside Δ around the same seeds, one or several of each: the seeds themselves,
        and what each attack found. What any of them breaks, is broken.
    y : Tensor of int64, shape (n,)
        Ground truth, whose classes ``r_af_balanced`` weighs equally.
    proofs : mapping of str to Certificate, optional
        By claim.

    Returns
    -------
    dict of dict
        By rate: ``at_least``, the share that is proved, or None without proofs; ``at_most``, the
        share that no example breaks; and ``ci``, the 95 % interval of each.
    """
    ends = {name: _ends(verdicts, claim, proofs) for name, claim in RATES.items()}
    found = {name: _between(rates(events)) for name, events in ends.items()}
    return {**found, "r_af_balanced": _between(balanced_rates(ends["r_af"], y))}


def _ends(
    verdicts: Sequence[Verdict], claim: Property, proofs: Mapping[Property, Certificate] | None
) -> dict[str, Tensor]:
    """Return for whom a claim holds, by what is proved and by what nothing breaks, each (n,)."""
    broken = _broken(verdicts, claim)
    if proofs is None:
        return {"at_most": ~broken}
    status = proofs[claim].status
    return {"at_least": status == PROVED, "at_most": ~broken & (status != BROKEN)}


def _between(shares: Rates) -> dict[str, Any]:
    return {"at_least": None, **shares}


def contradicted(verdicts: Sequence[Verdict], proofs: Mapping[Property, Certificate]) -> Tensor:
    """Tell for which seeds a claim is proved that an example breaks, shape (n,), bool."""
    wrong = [(proofs[claim].status == PROVED) & _broken(verdicts, claim) for claim in proofs]
    return torch.stack(wrong).any(dim=0)


def _broken(verdicts: Sequence[Verdict], claim: Property) -> Tensor:
    """Tell which seeds one of their instances breaks, shape (n,), bool."""
    broken = (verdict.breaks(claim).view(len(verdict), -1) for verdict in verdicts)
    return torch.cat(list(broken), dim=1).any(dim=1)
