"""All columns of a table in order, with the label, and the way to unit space and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.schema.feature import Feature, Level, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Schema"]


@dataclass(frozen=True)
class Schema:
    """The features in order, the label's name and its classes.

    Parameters
    ----------
    features : tuple of Feature
        One unit-space column each, in this order.
    label : str
        Name of the column with the ground truth.
    classes : tuple
        The label's values; class i is predicted by score i. With two classes the positive one is
        the second, so that y = 1 means positive.
    """

    features: tuple[Feature, ...]
    label: str
    classes: tuple[Level, ...]

    def __post_init__(self) -> None:
        names = [*self.names, self.label]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(f"schema: column {twice[0]!r} occurs more than once")
        if len(self.classes) < 2:
            raise InvalidInput(
                f"label {self.label!r} has {len(self.classes)} class; a classifier needs two"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of the unit-space columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def positive(self) -> Level:
        """The class that a two-class model's second score stands for."""
        return self.classes[-1]

    @property
    def sensitive(self) -> tuple[str, ...]:
        """Names of the sensitive features, in column order."""
        return tuple(feature.name for feature in self.features if feature.sensitive)

    def index(self, name: str) -> int:
        """Return the column of a feature.

        Raises
        ------
        InvalidInput
            If no feature has this name.
        """
        if name not in self.names:
            raise InvalidInput(f"no column {name!r}; the features are {', '.join(self.names)}")
        return self.names.index(name)

    def with_sensitive(self, names: Iterable[str]) -> Schema:
        """Return this schema with exactly these features sensitive.

        Raises
        ------
        InvalidInput
            If a name is no feature, or a numeric feature whose observed values are not known.
        """
        chosen = {self.index(name) for name in names}
        if not chosen:
            raise InvalidInput("no sensitive column given; name at least one")
        for i in chosen:
            if not len(self.features[i].axis):
                raise InvalidInput(
                    f"column {self.names[i]!r} cannot be sensitive: no observed values are known"
                )
        features = tuple(
            replace(feature, sensitive=i in chosen, perturbable=i not in chosen)
            if feature.sensitive != (i in chosen)
            else feature
            for i, feature in enumerate(self.features)
        )
        return replace(self, features=features)

    def encode(self, frame: pd.DataFrame) -> Tensor:
        """Return the features of a frame in unit space, shape (n, d), float64.

        Raises
        ------
        InvalidInput
            If a column is missing or a value is not possible.
        """
        lost = [name for name in self.names if name not in frame.columns]
        if lost:
            raise InvalidInput(f"the table lacks the column {lost[0]!r}")
        columns = [feature.encode(frame[feature.name]) for feature in self.features]
        return torch.from_numpy(np.stack(columns, axis=1))

    def encode_label(self, frame: pd.DataFrame) -> Tensor:
        """Return the class index of every row, shape (n,), int64.

        Raises
        ------
        InvalidInput
            If the label is missing or unknown in some row.
        """
        if self.label not in frame.columns:
            raise InvalidInput(f"the table lacks the label column {self.label!r}")
        column = frame[self.label]
        codes = pd.Index(self.classes).get_indexer(pd.Index(column))
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise InvalidInput(
                f"label {self.label!r}, row {row}: {shown(column.iloc[row])} is not one of "
                f"{', '.join(map(str, self.classes))}"
            )
        return torch.from_numpy(codes.astype(np.int64))

    def decode(self, x: Tensor, y: Tensor | None = None) -> pd.DataFrame:
        """Return people in original units, each value rounded to the nearest possible one.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.
        y : Tensor of int64, shape (n,), optional. Adds the label column.
        """
        if x.ndim != 2 or x.shape[1] != len(self.features):
            raise InvalidInput(
                f"x has shape {tuple(x.shape)}; the schema has {len(self.features)} features"
            )
        if not torch.isfinite(x).all():
            raise InvalidInput("x holds NaN or infinity and cannot be decoded")
        unit = x.detach().to("cpu", torch.float64).numpy()
        columns = {f.name: f.decode(unit[:, i]) for i, f in enumerate(self.features)}
        if y is not None:
            columns[self.label] = pd.Series(pd.Index(self.classes).take(y.cpu().numpy()))
        return pd.DataFrame(columns)
