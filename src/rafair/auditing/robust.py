"""The shares of people for whom a claim holds under every change: at least, and at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rafair.certificates.branching import BROKEN, PROVED
from rafair.fairness import rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.certificates import Certificate, Property
    from rafair.fairness import Verdict

__all__ = ["contradicted", "robust_rates"]

RATES: dict[str, Property] = {"r_acc": "accurate", "r_if": "fair", "r_af": "accurate_fair"}


def robust_rates(
    verdicts: Sequence[Verdict], proofs: Mapping[Property, Certificate] | None
) -> dict[str, Any]:
    """Return, for R-ACC, R-IF and R-AF, the shares between which the truth lies.

    Parameters
    ----------
    verdicts : sequence of Verdict
        On instances inside Δ around the same seeds, one or several of each: the seeds themselves,
        and what each attack found. What any of them breaks, is broken.
    proofs : mapping of str to Certificate, optional
        By claim.

    Returns
    -------
    dict of dict
        By rate: ``at_least``, the share that is proved, or None without proofs; ``at_most``, the
        share that no example breaks; and ``ci``, the 95 % interval of each.
    """
    found: dict[str, Any] = {}
    for name, claim in RATES.items():
        broken = _broken(verdicts, claim)
        if proofs is None:
            found[name] = {"at_least": None, **rates({"at_most": ~broken})}
        else:
            status = proofs[claim].status
            unbroken = ~broken & (status != BROKEN)
            found[name] = rates({"at_least": status == PROVED, "at_most": unbroken})
    return found


def contradicted(verdicts: Sequence[Verdict], proofs: Mapping[Property, Certificate]) -> Tensor:
    """Tell for which seeds a claim is proved that an example breaks, shape (n,), bool."""
    wrong = [(proofs[claim].status == PROVED) & _broken(verdicts, claim) for claim in proofs]
    return torch.stack(wrong).any(dim=0)


def _broken(verdicts: Sequence[Verdict], claim: Property) -> Tensor:
    """Tell which seeds one of their instances breaks, shape (n,), bool."""
    broken = (verdict.breaks(claim).view(len(verdict), -1) for verdict in verdicts)
    return torch.cat(list(broken), dim=1).any(dim=1)
