"""The Adversarial Robustness Toolbox (ART): rafair's attacks there, and ART's attacks in audits."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from rafair.attacks import AttackResult
from rafair.attacks.registry import register
from rafair.errors import InvalidInput
from rafair.fairness.decisions import predict
from rafair.models import wrap
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from rafair.attacks import Attack
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["art_attack", "evasion_attack"]

EXTRA = "art"
LARGEST_SEED = 2**32 - 1


def art_attack(
    name: str, attack: type[Any], *, gradients: bool = True, **parameters: Any
) -> type[Attack]:
    """Make an evasion attack of ART known to audits, under a name of its own.

    ``rafair.audit(model, data, attacks=[name])`` then runs it on batches of seeds in unit space,
    moves what it returns into Δ (sensitive columns back to the seed's, the others to the nearest
    possible value) and judges that. It is an attack on accuracy, and does not use the counterparts.

    Parameters
    ----------
    name : str
        For the tables; no attack of rafair may have it.
    attack : class
        A subclass of ``art.attacks.EvasionAttack`` that takes rows of numbers.
    gradients : bool
        Whether the attack follows gradients. Then it is given a ``PyTorchClassifier`` of the
        model's scores, else a ``BlackBoxClassifier`` of its probabilities.
    **parameters
        For the attack. ``eps`` is not set from the plan: a wider attack is moved into Δ, a narrower
        one is weaker than it could be.

    Returns
    -------
    class
        The registered attack. ART draws from NumPy's and torch's global generators; they are set
        to ``random_state`` for each batch and put back afterwards, so that an audit can be
        repeated. Unlike rafair's own attacks, what it finds may depend on the batch size.

    Raises
    ------
    InvalidInput
        If ART is not installed, the name is taken, or the class is no evasion attack.
    """
    evasion = need("art.attacks.attack", EXTRA).EvasionAttack
    if not (isinstance(attack, type) and issubclass(attack, evasion)):
        raise InvalidInput(f"{attack!r} is no evasion attack of ART")
    own = {
        "family": name,
        "gradients": gradients,
        "variants": {name: {}},
        "art": attack,
        "parameters": parameters,
        "__doc__": f"ART's {attack.__name__}, moved into Δ.",
    }
    made: type[Attack] = dataclass(frozen=True)(type(f"Art{attack.__name__}", (_ArtAttack,), own))
    return register(made)


@dataclass(frozen=True)
class _ArtAttack:
    """An evasion attack of ART; ``art_attack`` makes a subclass of it for each.

    Parameters
    ----------
    random_state : int
    """

    random_state: int = 0

    family: ClassVar[str]
    aim: ClassVar[str] = "accuracy"
    year: ClassVar[int] = 2018  # of the toolbox
    gradients: ClassVar[bool]
    variants: ClassVar[Mapping[str, Mapping[str, object]]]
    art: ClassVar[type[Any]]
    parameters: ClassVar[Mapping[str, Any]]

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,  # noqa: ARG002 - an attack on accuracy
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack with ART, then move what it found into Δ; see ``Attack.run``."""
        counted = _Counted(model, x.shape[1])
        estimator = counted.with_gradients(x) if self.gradients else counted.asked(x)
        rows = x.detach().cpu().to(torch.float32).numpy()
        with _drawing_from(self.random_state):
            found = self.art(estimator, **self.parameters).generate(rows, y.cpu().numpy())
        moved = torch.as_tensor(np.asarray(found)).to(x.device, x.dtype)
        moved = torch.where(torch.isfinite(moved), moved, x)
        x_adv = space.round(space.project(moved, x), x)
        asked = counted.rows
        return AttackResult(x_adv, None, *((asked, 0) if self.gradients else (0, asked)))


@dataclass(eq=False)
class _Counted:
    """A model as ART takes it, and how many rows ART asked about."""

    model: Classifier
    width: int
    rows: int = 0

    def scores(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        return self.model.scores(x.to(self.model.device, self.model.dtype))

    def with_gradients(self, x: Tensor) -> Any:
        """Return a ``PyTorchClassifier`` whose logits are the model's scores."""
        library = need("art.estimators.classification", EXTRA)
        counted = self

        class Scores(torch.nn.Module):
            def forward(self, rows: Tensor) -> Tensor:
                return counted.scores(rows)

        return library.PyTorchClassifier(
            Scores(),
            loss=torch.nn.CrossEntropyLoss(),
            input_shape=(self.width,),
            nb_classes=self._classes(x),
            clip_values=(0.0, 1.0),
            device_type="cpu" if self.model.device.type == "cpu" else "gpu",
        )

    def asked(self, x: Tensor) -> Any:
        """Return a ``BlackBoxClassifier`` whose probabilities are those of the model."""
        library = need("art.estimators.classification", EXTRA)

        def probabilities(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            with torch.no_grad():
                found: np.ndarray[Any, Any] = (
                    self.scores(torch.as_tensor(rows)).softmax(dim=1).cpu().numpy()
                )
            return found

        classes = self._classes(x)
        return library.BlackBoxClassifier(probabilities, (self.width,), classes, clip_values=(0, 1))

    def _classes(self, x: Tensor) -> int:
        with torch.no_grad():
            return int(self.model.scores(x[:1].to(self.model.dtype)).shape[1])


@contextlib.contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Set the global generators that ART draws from, and put them back."""
    before = np.random.get_state()  # noqa: NPY002 - the toolbox draws from it
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % LARGEST_SEED)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def evasion_attack(
    estimator: Any, attack: Attack, counterparts: Counterparts, space: PerturbationSpace
) -> Any:
    """Return an attack of rafair as an ``EvasionAttack`` of ART.

    Parameters
    ----------
    estimator : art.estimators.classification.PyTorchClassifier
        Its module must return logits for rows of unit space.
    attack : Attack
        ``rafair.attacks.RAFair()``, ….
    counterparts : Counterparts
        I(v).
    space : PerturbationSpace
        Δ.

    Returns
    -------
    art.attacks.EvasionAttack
        ``generate(x, y)`` takes and returns float arrays (n, d), with y as classes (n,) or one-hot
        (n, k); without y the model's own decisions stand for the truth, as elsewhere in ART.

    Raises
    ------
    InvalidInput
        If ART is not installed, or the estimator has no torch module.
    """
    base = need("art.attacks.attack", EXTRA).EvasionAttack
    if not isinstance(getattr(estimator, "model", None), torch.nn.Module):
        raise InvalidInput(
            f"{type(estimator).__name__} has no torch module; give a PyTorchClassifier"
        )
    model = wrap(estimator.model, output="logits")

    class RafairEvasion(base):  # type: ignore[misc, valid-type]
        """An attack of rafair on a ``PyTorchClassifier``; see ``evasion_attack``."""

        _estimator_requirements = ()
        attack_params: ClassVar[list[str]] = [*base.attack_params, "proposer"]

        def __init__(self) -> None:
            super().__init__(estimator=estimator)
            self.proposer = attack

        def generate(self, x: Any, y: Any = None, **_options: Any) -> Any:
            rows = torch.as_tensor(np.asarray(x), device=model.device, dtype=model.dtype)
            labels = predict(model, rows) if y is None else _labels(y, model.device)
            found = attack.run(model, rows, labels, counterparts, space)
            return found.x_adv.cpu().numpy().astype(np.asarray(x).dtype)

    return RafairEvasion()


def _labels(y: Any, device: torch.device) -> Tensor:
    """Return classes as int64, (n,), from classes or one-hot rows."""
    found = torch.as_tensor(np.asarray(y), device=device)
    return found.argmax(dim=1) if found.ndim == 2 and found.shape[1] > 1 else found.flatten().long()
