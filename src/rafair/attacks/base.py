"""What an attack is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from rafair.problem.walking import AttackResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["AIMS", "Aim", "Attack", "AttackResult"]

Aim: TypeAlias = Literal["both", "accuracy", "fairness"]
AIMS: tuple[Aim, ...] = ("both", "accuracy", "fairness")


class Attack(Protocol):
    """A frozen dataclass of parameters with one method; it keeps no state and judges nothing.

    Attributes
    ----------
    family : str
        Name on the command line.
    aim : {"both", "accuracy", "fairness"}
        What it tries to break. One that aims at accuracy looks at v alone; one that aims at
        fairness needs no label.
    year : int
        Of publication; tables list attacks by aim and year.
    gradients : bool
        Whether it follows gradients, or only asks for scores or labels.
    variants : mapping of str to keyword arguments
        The rows that the family gives in a table; where there are several, the family's own row is
        the worst of them per seed.
    """

    family: ClassVar[str]
    aim: ClassVar[Aim]
    year: ClassVar[int]
    gradients: ClassVar[bool]
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
