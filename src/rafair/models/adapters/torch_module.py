"""Any torch module: one logit, k logits, or probabilities from a sigmoid or softmax."""

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
# Far outside the unit cube a logit leaves [0, 1], a probability does not.
FAR = 1e3


@dataclass(frozen=True, eq=False)
class TorchClassifier:
    """A torch module as a classifier; the module is used as it is, never switched or moved.

    Attributes
    ----------
    module : torch.nn.Module
        From rows (n, d) to (n, k), (n, 1) or (n,).
    output : {"logits", "probabilities"}
        What ``module`` returns. Probabilities are mapped to logits; where the module is a
        ``Sequential`` that ends in a softmax or sigmoid, by leaving that last layer out, which is
        exact where the softmax saturates.
    kind : str
        What the model is, for the report.
    reads : {"unit", "original"}
        Which rows the model was made for; the module reads unit space in any case.
    """

    module: nn.Module
    output: Output
    body: nn.Module = field(repr=False)
    body_output: Output = field(repr=False)
    access: Access = "gradient"
    kind: str = "torch module"
    reads: str = "unit"

    @property
    def dtype(self) -> torch.dtype:
        """Type of the module's first floating-point parameter or buffer; float32 without one."""
        found = (t for t in self._ends if t is not None and t.is_floating_point())
        return next((t.dtype for t in found), torch.float32)

    @property
    def device(self) -> torch.device:
        """Where the module's first parameter or buffer lies; the CPU without one."""
        first = self._ends[0]
        return torch.device("cpu") if first is None else first.device

    @cached_property
    def _ends(self) -> tuple[Tensor | None, Tensor | None]:
        """The first tensor and the first floating-point one; to move a module keeps its tensors."""
        floats = (t for t in _tensors(self.module) if t.is_floating_point())
        return next(_tensors(self.module), None), next(floats, None)

    def scores(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, k), differentiable with respect to x, shape (n, d)."""
        raw = _as_columns(self.body(x), len(x))
        if self.body_output == "logits":
            return torch.cat([torch.zeros_like(raw), raw], dim=1) if raw.shape[1] == 1 else raw
        tiny = torch.finfo(raw.dtype).tiny
        if raw.shape[1] == 1:
            p = raw.clamp(tiny, 1 - torch.finfo(raw.dtype).eps / 2)
            return torch.cat([torch.log1p(-p), torch.log(p)], dim=1)
        return torch.log(raw.clamp_min(tiny))

    def digest(self) -> str:
        """Return a SHA-256 over the names and bytes of parameters and buffers, in hexadecimal."""
        sha = hashlib.sha256(repr(self.module).encode())
        for name, tensor in self.module.state_dict().items():
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> TorchClassifier:
        """Return a copy on another device or of another type; this one stays where it is."""
        module = copy.deepcopy(self.module).to(device=device, dtype=dtype or self.dtype)
        return _build(module, self.output, self.kind, self.reads)


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


class AsType(nn.Module):
    """Turns rows into another type: original units can be too far apart for a network's own."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return x in this type."""
        return x.to(self.dtype)


def _fronted(front: Sequence[nn.Module], model: nn.Module) -> nn.Sequential:
    """Put layers in float64 before a module; into its first layer where that is linear."""
    like = next((t for t in _tensors(model) if t.is_floating_point()), torch.empty(0))
    layers = list(model) if isinstance(model, nn.Sequential) else [model]
    if not isinstance(layers[0], nn.Linear):
        moved = [layer.to(like.device) for layer in front]
        return sequence([*moved, AsType(like.dtype), model])
    first = front[0]
    assert isinstance(first, nn.Linear)  # noqa: S101 - front layers begin with one
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
    """Put modules behind one another; the layers of a ``Sequential`` become layers of the whole."""
    layers = [
        layer for part in parts for layer in (part if isinstance(part, nn.Sequential) else [part])
    ]
    whole = nn.Sequential(*layers)
    whole.training = parts[-1].training  # its own mode only: nobody but the user switches theirs
    return whole


def wrapped_module(
    module: nn.Module,
    schema: Schema | None,
    output: Output | Literal["auto"],
    kind: str,
    reads: str,
) -> TorchClassifier:
    """Return a module that reads unit space as a classifier, checked against the schema."""
    if schema is not None:
        _check_width(module, schema)
    return _build(module, _detect(module, schema) if output == "auto" else output, kind, reads)


def _build(module: nn.Module, output: Output, kind: str, reads: str) -> TorchClassifier:
    strip = (
        output == "probabilities"
        and isinstance(module, nn.Sequential)
        and len(module) > 1
        and isinstance(module[-1], SQUASHING)
        and (not isinstance(module[-1], nn.Sigmoid) or _ends_in_one(module))
    )
    if strip and isinstance(module, nn.Sequential):
        return TorchClassifier(module, output, module[:-1], "logits", kind=kind, reads=reads)
    return TorchClassifier(module, output, module, output, kind=kind, reads=reads)


def _bias(layer: nn.Linear) -> Tensor:
    bias: Tensor | None = layer.bias
    found = torch.zeros(layer.out_features) if bias is None else bias
    return found.detach().double().cpu()


def _ends_in_one(module: nn.Module) -> bool:
    """Tell whether the last linear layer has one column: several sigmoids are no softmax."""
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
    except RuntimeError as error:
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
    """Tell probabilities from logits by their range, near and far from the data."""
    last = list(module.modules())[-1]
    if isinstance(last, nn.LogSoftmax):
        return "logits"
    width = len(schema.features) if schema is not None else _width(module)
    if width is None:
        raise InvalidInput(
            "cannot tell logits from probabilities; pass output='logits' or 'probabilities'"
        )
    for scale in (0.5, FAR):
        raw = _probe(module, width, scale)
        finite = raw[torch.isfinite(raw).all(dim=1)]  # far away an exponential may overflow
        if not _looks_like_probabilities(finite):
            return "logits"
    return "probabilities"


def _looks_like_probabilities(raw: Tensor) -> bool:
    inside = bool(((raw >= 0) & (raw <= 1)).all())
    sums = raw.sum(dim=1)
    return inside and (raw.shape[1] == 1 or torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
