"""What an attack is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from rafair.problem.trajectories import AttackResult

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
        What the attack tries to break. An attack on accuracy does not use the counterparts; an
        attack on fairness does not use the labels.
    year : int
        Of publication; tables list attacks by aim and year.
    gradients : bool
        Whether the attack needs gradients, or only scores or labels.
    variants : mapping of str to keyword arguments
        The rows of the family in a table. A family with several variants has one more row under
        its own name: the worst of them for each seed.
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
        """Move each of n seeds within Δ.

        Parameters
        ----------
        model : Classifier
            A wrapped model. It must give gradients if the attack's ``gradients`` is true; otherwise
            scores or labels are enough.
        x : Tensor of floating point, shape (n, d), unit space
            The seeds, at least one, on the model's device. Not modified.
        y : Tensor of int64, shape (n,)
            Ground truth, assumed to hold for every v + δ. Not modified.
        counterparts : Counterparts
            I(v) of each seed.
        space : PerturbationSpace
            Δ, laid around each row of ``x``.

        Returns
        -------
        AttackResult
            ``x_adv`` has x's shape and type and lies inside Δ around ``x``; its sensitive columns
            are those of ``x``. ``trajectory`` begins at the seeds and includes ``x_adv``. The
            result for a seed depends neither on the other seeds nor on the batch size.

        Raises
        ------
        InvalidInput
            In one line: if ``model`` is not wrapped, lacks the gradients that the attack needs, or
            returns a score or a gradient that is not finite; if ``x`` is not a finite table inside
            the domain, or ``y`` not a label of the model for each row; if Δ has another number of
            columns or lets a sensitive feature move; or if a parameter of the attack has no
            meaning.
        """
        ...
