"""What every prover offers, whatever kind of model it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.certificates.verdicts import CellCertificate, Certificate, Property
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Certainty", "Prover", "Question"]

# Exact: boxes enough end in a proof or in a witness. Sound: a proof is a proof, but whoever comes
# closer to a tie than any bound tells stays undecided.
Certainty: TypeAlias = Literal["exact", "sound"]
# Model, x, y, I(v), Δ and the number of boxes per instance.
Question: TypeAlias = "tuple[Classifier, Tensor, Tensor, Counterparts, PerturbationSpace, int]"


class Prover(Protocol):
    """What is known of a model that can be certified, and how it is."""

    @property
    def certainty(self) -> Certainty:
        """How much boxes enough decide."""
        ...

    def claims(
        self, question: Question, claim: Property, condition: Lipschitz, until: float
    ) -> Certificate:
        """Decide a claim; see ``certify``."""
        ...

    def cells(
        self, question: Question, cells: Sequence[str], condition: Lipschitz, until: float
    ) -> CellCertificate:
        """Decide cells; see ``certify_cells``."""
        ...
