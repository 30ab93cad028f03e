"""Any torch module that returns one logit, k logits, or probabilities of a sigmoid or softmax."""

from __future__ import annotations

import copy
import hashlib
import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rafair.errors import InvalidInput
from rafair.models.chain import Chain, NotAChain
from rafair.models.inputs import choose_inputs, front_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.models.classifier import Access
    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["PRIORITY", "TorchClassifier", "accepts", "adapt", "sequence", "wrapped_module"]

PRIORITY = 1

Output: TypeAlias = Literal["logits", "probabilities"]

SQUASHING = (nn.Softmax, nn.Sigmoid)
STATEFUL = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
PROBES = 256
# Rows are scaled by this factor: far outside the unit cube a logit leaves [0, 1], but a probability
# does not.
FAR = 1e3


@dataclass(frozen=True, eq=False)
class TorchClassifier:
    """A torch module as a classifier, which never moves the module or changes its mode.

    Attributes
    ----------
    module : torch.nn.Module
        Takes unit-space rows (n, d) and returns scores of shape (n, k), (n, 1) or (n,).
    output : {"logits", "probabilities"}
        What ``module`` returns.
    body : torch.nn.Module
        The module that computes the scores: ``module``, without its last layer if ``module`` is a
        ``Sequential`` that returns probabilities and ends in a softmax or sigmoid. The logits are
        exact also where that layer saturates.
    body_output : {"logits", "probabilities"}
        What ``body`` returns. Probabilities are mapped to their logarithms.
    access : {"gradient"}
    kind : str
        Description of the model, for the report.
    reads : {"unit", "original"}
        The rows that the user's model reads; ``module`` always reads unit space.
    n_columns : int, optional
        Number of columns of a row, if it is known.
    """

    module: nn.Module
    output: Output
    body: nn.Module = field(repr=False)
    body_output: Output = field(repr=False)
    access: Access = "gradient"
    kind: str = "torch module"
    reads: str = "unit"
    n_columns: int | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Type of the module's first floating-point parameter or buffer; float32 by default."""
        found = (t for t in self._ends if t is not None and t.is_floating_point())
        return next((t.dtype for t in found), torch.float32)

    @property
    def device(self) -> torch.device:
        """Device of the module's first parameter or buffer; the CPU if there is none."""
        first = self._ends[0]
        return torch.device("cpu") if first is None else first.device

    @cached_property
    def _ends(self) -> tuple[Tensor | None, Tensor | None]:
        """The first tensor and first floating-point tensor; moving a module keeps these objects."""
        floats = (t for t in _tensors(self.module) if t.is_floating_point())
        return next(_tensors(self.module), None), next(floats, None)

    def scores(self, x: Tensor) -> Tensor:
        """Return logits or log-probabilities, shape (n, k), differentiable in x, shape (n, d)."""
        raw = _as_columns(self.body(x), len(x))
        if self.body_output == "logits":
            return torch.cat([torch.zeros_like(raw), raw], dim=1) if raw.shape[1] == 1 else raw
        tiny = torch.finfo(raw.dtype).tiny
        if raw.shape[1] == 1:
            p = raw.clamp(tiny, 1 - torch.finfo(raw.dtype).eps / 2)
            return torch.cat([torch.log1p(-p), torch.log(p)], dim=1)
        return torch.log(raw.clamp_min(tiny))

    def digest(self) -> str:
        """Return a SHA-256 of the module's text and all parameters and buffers, in hexadecimal."""
        sha = hashlib.sha256(repr(self.module).encode())
        for name, tensor in self.module.state_dict().items():
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> TorchClassifier:
        """Return a copy on another device or of another type; the original does not change."""
        module = copy.deepcopy(self.module).to(device=device, dtype=dtype or self.dtype)
        return _build(module, self.output, self.kind, self.reads, self.n_columns)


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is a torch module."""
    return isinstance(model, nn.Module)


def adapt(
    model: nn.Module, schema: Schema | None, output: Output | Literal["auto"], inputs: Inputs
) -> TorchClassifier:
    """Wrap a torch module; see ``rafair.wrap``."""
    if any(isinstance(layer, STATEFUL) and layer.training for layer in model.modules()):
        raise InvalidInput(
            "the module is in training mode and holds dropout or batch normalisation, so that its "
            "predictions change from call to call; call model.eval() first"
        )
    reads = choose_inputs("unit" if inputs == "auto" else inputs, schema)
    front = front_layers(reads, schema)
    module = _fronted(front, model) if front else model
    return wrapped_module(module, schema, output, "torch module", reads)


class Scaled(nn.Module):
    """Scales each column by itself, which rounds a number alike in every batch."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.factor = nn.Parameter(layer.weight.detach().diagonal(), requires_grad=False)
        self.offset = nn.Parameter(layer.bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return factor · x + offset."""
        return x * self.factor + self.offset


class AsType(nn.Module):
    """Casts rows to a model's type; the layers before it need float64 for original units."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return x in the type ``dtype``."""
        return x.to(self.dtype)


def _fronted(front: Sequence[nn.Module], model: nn.Module) -> nn.Sequential:
    """Put float64 layers before a module; merge them with its first layer if that is linear."""
    like = next((t for t in _tensors(model) if t.is_floating_point()), torch.empty(0))
    layers = list(model) if isinstance(model, nn.Sequential) else [model]
    first = front[0]
    assert isinstance(first, nn.Linear)  # noqa: S101 - front layers begin with a linear layer
    if not isinstance(layers[0], nn.Linear):
        ends = [Scaled(first)] if len(front) == 1 else front  # no one-hot groups
        moved = [layer.to(like.device) for layer in ends]
        return sequence([*moved, AsType(like.dtype), model])
    chain = Chain(first.in_features, front)
    try:
        chain.linear(layers[0].weight.detach().double().cpu(), _bias(layers[0]))
    except NotAChain:
        raise InvalidInput(
            f"the model reads {layers[0].in_features} columns, the data have {chain.width}"
        ) from None
    whole = nn.Sequential(*chain.module(like.dtype).to(like.device), *layers[1:])
    whole.training = model.training
    return whole


def sequence(parts: Sequence[nn.Module]) -> nn.Sequential:
    """Join modules to one ``Sequential``; a part that is a ``Sequential`` is unpacked."""
    layers = [
        layer for part in parts for layer in (part if isinstance(part, nn.Sequential) else [part])
    ]
    whole = nn.Sequential(*layers)
    whole.training = parts[-1].training  # not train(), which would change the mode of the parts
    return whole


def wrapped_module(
    module: nn.Module,
    schema: Schema | None,
    output: Output | Literal["auto"],
    kind: str,
    reads: str,
) -> TorchClassifier:
    """Wrap a module that reads unit space as a classifier, and check it against the schema."""
    n_columns = None if schema is None else len(schema.features)
    if schema is not None:
        _check_width(module, schema)
    found = _detect(module, schema) if output == "auto" else output
    return _build(module, found, kind, reads, n_columns)


def _build(
    module: nn.Module, output: Output, kind: str, reads: str, n_columns: int | None
) -> TorchClassifier:
    strip = (
        output == "probabilities"
        and isinstance(module, nn.Sequential)
        and len(module) > 1
        and isinstance(module[-1], SQUASHING)
        and (not isinstance(module[-1], nn.Sigmoid) or _ends_in_one(module))
    )
    body = module[:-1] if strip and isinstance(module, nn.Sequential) else module
    left: Output = "logits" if strip else output
    return TorchClassifier(module, output, body, left, kind=kind, reads=reads, n_columns=n_columns)


def _bias(layer: nn.Linear) -> Tensor:
    bias: Tensor | None = layer.bias
    found = torch.zeros(layer.out_features) if bias is None else bias
    return found.detach().double().cpu()


def _ends_in_one(module: nn.Module) -> bool:
    """Tell whether the last linear layer has one output: several sigmoids are no softmax."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return not linear or linear[-1].out_features == 1


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    return itertools.chain(module.parameters(), module.buffers())


def _as_columns(raw: Tensor, n: int) -> Tensor:
    if raw.ndim == 1 and len(raw) == n:
        return raw.unsqueeze(1)
    if raw.ndim != 2 or len(raw) != n or raw.shape[1] < 1:
        raise InvalidInput(
            f"the model returned shape {tuple(raw.shape)} for {n} rows; "
            "it must be (n, classes), (n, 1) or (n,)"
        )
    return raw


def _width(module: nn.Module) -> int | None:
    linear = (layer.in_features for layer in module.modules() if isinstance(layer, nn.Linear))
    return next(linear, None)


def _probe(module: nn.Module, width: int, scale: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(PROBES, width, generator=generator) * 2 * scale - scale * (scale > 1)
    first = next(_tensors(module), torch.empty(0))
    try:
        with torch.no_grad():
            return _as_columns(module(rows.to(first.device, first.dtype)), PROBES)
    except (RuntimeError, IndexError) as error:  # IndexError: an embedding lacks a row
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"the model does not accept rows of {width} features: {reason}"
        ) from error


def _check_width(module: nn.Module, schema: Schema) -> None:
    classes = _probe(module, len(schema.features), 0.5).shape[1]
    if max(classes, 2) != len(schema.classes):
        raise InvalidInput(
            f"the model has {max(classes, 2)} classes, the data {len(schema.classes)}"
        )


def _detect(module: nn.Module, schema: Schema | None) -> Output:
    """Tell what a module returns from the range of its outputs near and far from the data."""
    last = list(module.modules())[-1]
    if isinstance(last, nn.LogSoftmax):
        return "logits"
    unknown = InvalidInput(
        "cannot tell logits from probabilities; pass output='logits' or 'probabilities'"
    )
    width = len(schema.features) if schema is not None else _width(module)
    if width is None:
        raise unknown
    near = _probe(module, width, 0.5)
    try:
        far = _probe(module, width, FAR)
    except InvalidInput:  # what is looked up there does not exist
        if near.shape[1] == 1:
            raise unknown from None
        far = near
    for raw in (near, far):
        finite = raw[torch.isfinite(raw).all(dim=1)]  # far away an exponential may overflow
        if not _looks_like_probabilities(finite):
            return "logits"
    return "probabilities"


def _looks_like_probabilities(raw: Tensor) -> bool:
    inside = bool(((raw >= 0) & (raw <= 1)).all())
    sums = raw.sum(dim=1)
    return inside and (raw.shape[1] == 1 or torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
