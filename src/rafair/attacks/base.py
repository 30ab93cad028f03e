"""What an attack is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from rafair.problem.walking import AttackResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Attack", "AttackResult"]


class Attack(Protocol):
    """A frozen dataclass of parameters with one method; it keeps no state and judges nothing.

    Attributes
    ----------
    family : str
        Name on the command line.
    variants : mapping of str to keyword arguments
        The rows that the family gives in a table; where there are several, the family's own row is
        the worst of them per seed.
    """

    family: ClassVar[str]
    variants: ClassVar[Mapping[str, Mapping[str, object]]]

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Move each seed within Δ."""
        ...
