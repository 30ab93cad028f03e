"""Convert unit-space rows to the input of a user's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.models.piecewise import Piecewise
from rafair.schema.gaps import is_missing

if TYPE_CHECKING:
    import numpy.typing as npt

    from rafair.schema import Feature, Schema

__all__ = ["INPUTS", "Feed", "Inputs", "choose_inputs", "reads_codes"]

Inputs: TypeAlias = Literal["auto", "unit", "original", "frame"]
INPUTS: tuple[Inputs, ...] = get_args(Inputs)
# A number this close to a possible value is that value up to rounding. It is replaced by the value,
# because a tree's threshold may be exactly that value.
SNAP = 1e-7


@dataclass(frozen=True, eq=False)
class Feed:
    """Converts unit-space rows to the input of a model.

    Attributes
    ----------
    inputs : {"unit", "original", "frame"}
        A matrix of unit-space rows; a matrix in original units, with codes for levels and one
        column for each column of a one-hot group; or a pandas frame in original units.
    schema : Schema or None
        May be None only for ``"unit"``.
    columns : tuple of str
        Columns of the frame or matrix, in the model's order; empty for all of the schema's
        columns, in the schema's order.
    categories : bool
        Whether columns with levels in a frame get the type ``category``, with the schema's levels.
    single : bool
        Whether numbers are float32, which networks in single precision need.

    Raises
    ------
    InvalidInput
        If the schema is missing, or the data lack one of ``columns``.
    """

    inputs: Inputs
    schema: Schema | None
    columns: tuple[str, ...] = ()
    categories: bool = False
    single: bool = False

    def __post_init__(self) -> None:
        if self.inputs != "unit" and self.schema is None:
            raise InvalidInput("this model reads original units; pass the data's schema")
        lost = [name for name in self.columns if name not in self._names()]
        if lost:
            raise InvalidInput(
                f"the model reads a column {lost[0]!r} that the data do not have or leave out; "
                f"describe it: [features.{lost[0]}] in a plan, where ignore must not name it, or "
                f"Column({lost[0]!r}) in columns=[…]; with perturbable = false if it cannot change"
            )

    def _names(self) -> tuple[str, ...]:
        return self.schema.columns if self.schema is not None else self.columns

    def __call__(self, x: Tensor) -> Any:
        """Convert unit-space rows, shape (n, d), to what the model reads: a matrix or a frame."""
        x = x.detach().to("cpu", torch.float64)
        if self.inputs != "frame":
            return self._matrix(x).astype(np.float32 if self.single else np.float64, copy=False)
        people = self._frame(x)
        if not self.single:
            return people
        numbers = people.select_dtypes(("number", "bool")).columns
        return people.astype(dict.fromkeys(numbers, np.float32))

    def _frame(self, x: Tensor) -> Any:
        assert self.schema is not None  # noqa: S101 - checked above
        people = self._categorised(x) if self.categories else self.schema.decode(x)
        return people[list(self.columns)] if self.columns else people

    def _categorised(self, x: Tensor) -> Any:
        """Return a frame with columns of type ``category``, made directly from the codes."""
        import pandas as pd

        assert self.schema is not None  # noqa: S101 - checked above
        columns: dict[str, Any] = {}
        for place, feature in enumerate(self.schema.features):
            if feature.has_levels and not feature.columns:
                codes = feature.numbers(x[:, place]).nan_to_num().numpy().astype(np.int64)
                # pandas calls a missing cell −1.
                codes[codes >= len(feature.levels)] = -1
                if feature.has_gaps:
                    codes[is_missing(x[:, place]).numpy()] = -1
                levels = pd.CategoricalDtype(list(feature.levels))
                columns[feature.name] = pd.Categorical.from_codes(codes, dtype=levels)
            else:
                columns |= feature.write(feature.decode(x[:, place].numpy()))
        return pd.DataFrame(columns)

    def _matrix(self, x: Tensor) -> npt.NDArray[np.float64]:
        if self.schema is None:
            return x.clone().numpy()  # the user's model may write to it
        if self.inputs == "unit":
            gaps = torch.tensor([feature.has_gaps for feature in self.schema.features])
            return torch.where(gaps & is_missing(x), torch.nan, x).numpy()
        parts = []
        for place, feature in enumerate(self.schema.features):
            raw = feature.low + x[:, place] * feature.span
            near = feature.numbers(x[:, place])
            raw = torch.where((raw - near).abs() <= SNAP * max(feature.span, 1.0), near, raw)
            raw = torch.where(_is_nan(feature, x[:, place]), torch.nan, raw)
            parts.append(_spread(raw, len(feature.domain), len(feature.columns)))
        matrix: npt.NDArray[np.float64] = torch.cat(parts, dim=1).numpy()
        order = [self._names().index(name) for name in self.columns]
        return matrix[:, order] if order else matrix


def _is_nan(feature: Feature, unit: Tensor) -> Tensor:
    """Tell where a matrix in original units is NaN: in missing cells, unless levels have codes."""
    if feature.has_gaps:
        return is_missing(unit)
    text = any(isinstance(level, str) for level in feature.levels)
    if feature.missing == "refuse" or text:
        return torch.zeros_like(unit, dtype=torch.bool)
    return feature.numbers(unit) == len(feature.levels)


def _spread(codes: Tensor, levels: int, columns: int) -> Tensor:
    """Return one unchanged column, or one-hot columns of the nearest code."""
    if not columns:
        return codes[:, None]
    hot = torch.nn.functional.one_hot(codes.round().long(), levels)
    return hot[:, levels - columns :].to(torch.float64)


def reads_codes(schema: Schema) -> bool:
    """Tell whether the data are all numbers, so that a matrix can hold them without codes."""
    return not any(
        isinstance(level, str) for f in schema.features if not f.columns for level in f.levels
    )


def choose_inputs(inputs: Inputs, schema: Schema | None) -> Literal["unit", "original"]:
    """Decide whether a model that reads matrices gets unit space or original units.

    ``"auto"`` means original units if the data are all numbers. It means unit space if the data
    hold text, or without a schema: then no matrix in original units exists.

    Raises
    ------
    InvalidInput
        If ``inputs`` is ``"frame"``, or ``"original"`` without a schema.
    """
    if inputs == "frame":
        raise InvalidInput("this model reads matrices; use inputs='unit' or 'original'")
    if inputs == "auto":
        return "original" if schema is not None and reads_codes(schema) else "unit"
    if inputs == "original" and schema is None:
        raise InvalidInput("this model reads original units; pass the data's schema")
    return inputs


def front_layers(
    inputs: Literal["unit", "original"], schema: Schema | None
) -> list[torch.nn.Module]:
    """Return differentiable layers from unit-space rows to the matrix that a model reads."""
    if inputs == "unit" or schema is None:
        return []
    return Piecewise.originals(schema).layers()
