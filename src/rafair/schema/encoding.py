"""The schema: all columns of a table in order, and the label; it encodes and decodes rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rafair.checks import names_of
from rafair.display import as_html
from rafair.errors import InvalidInput
from rafair.schema.cells import shown
from rafair.schema.conditions import Conditions
from rafair.schema.feature import Feature, Level
from rafair.schema.fitting import fit_feature
from rafair.schema.frames import as_pandas
from rafair.schema.inferring import infer, whole_groups
from rafair.schema.relations import parse_relation
from rafair.schema.summary import features_table, in_a_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rafair.schema.fitting import Column
    from rafair.schema.gaps import Missing

__all__ = ["Schema"]


@dataclass(frozen=True)
class Schema:
    """The features in order, and the name and classes of the label.

    Parameters
    ----------
    features : tuple of Feature
        Each feature is one unit-space column, in this order.
    label : str
        Name of the column with the ground truth.
    classes : tuple
        The label's values; score i belongs to class i. Of two, the second is positive: y = 1.
    relations : tuple of str
        Conditions on the columns that every possible person meets; see ``parse_relation``.
    doubts : tuple of str
        What a person should check after ``infer``, one sentence each.
    setting : {"paper", "feasible"}
        What may be perturbed unless a call of ``PerturbationSpace.of`` or ``rafair.audit`` says
        otherwise; *paper* on the benchmarks.
    favourable : value of the label, optional
        The class that people wish for; the report tells who would get it.
    """

    features: tuple[Feature, ...]
    label: str
    classes: tuple[Level, ...]
    relations: tuple[str, ...] = ()
    doubts: tuple[str, ...] = field(default=(), compare=False)
    setting: Literal["paper", "feasible"] = field(default="feasible", compare=False)
    favourable: Level | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        claims = [name for f in self.features for name in {f.name, *f.sources}]
        twice = sorted(n for n, times in Counter([*claims, self.label]).items() if times > 1)
        if twice:
            raise InvalidInput(f"schema: column {twice[0]!r} occurs more than once")
        if len(self.classes) < 2:
            raise InvalidInput(
                f"label {self.label!r} has {len(self.classes)} class; a classifier needs two"
            )
        if self.favourable not in (None, *self.classes):
            raise InvalidInput(f"label {self.label!r} never has the value {self.favourable!r}")
        _ = self.conditions

    def __repr__(self) -> str:
        return f"Schema({in_a_line(self.features, self.label, self.classes)})"

    def _repr_html_(self) -> str:
        return as_html(features_table(repr(self), self.features), self.doubts)

    @cached_property
    def conditions(self) -> Conditions:
        """The parsed relations, which can be tested on rows."""
        read = tuple(parse_relation(text, self.features) for text in self.relations)
        return Conditions(self.features, read)

    @classmethod
    def infer(
        cls,
        frame: Any,
        *,
        label: str,
        sensitive: Sequence[str],
        positive: Level | None = None,
        one_hot: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[Column] = (),
    ) -> Schema:
        """Propose a schema for a table: kinds, domains, units, one-hot groups.

        Constants, identifiers, dates and free text are left out. Every inference is one of
        ``doubts``, and ``columns`` overrides it.

        Parameters
        ----------
        frame : pandas, polars or pyarrow table
            Empty cells are ignored here; ``doubts`` names the columns that have some.
        label : str
        sensitive : sequence of str
            Features that I(v) varies: columns or one-hot groups. A column of a group stands for
            the group.
        positive : value of the label, optional
            The positive one of two classes (y = 1); by default the last in sorted order.
        one_hot : mapping of str to sequences of str, optional
            Feature → its 0/1 columns. By default a group is formed by columns of which exactly one
            is 1 in every row; first those whose names begin alike, up to ``_``, ``=``, ``.`` or a
            space, then any others, where only one grouping is possible. ``{}`` means no group.
        columns : sequence of Column
            What is known about some columns; it replaces what would be inferred, and such a column
            is never left out.

        Returns
        -------
        Schema
            Its ``doubts`` say what a person should check, one sentence each.

        Raises
        ------
        InvalidInput
            If the table is empty, a named column does not exist, no sensitive column is given or
            one cannot be used, or the label has one class or an empty cell.
        """
        label, names = str(label), names_of(sensitive)
        found = infer(as_pandas(frame), label, names, positive, one_hot, columns)
        return cls(found.features, label, found.classes, doubts=found.doubts)

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        columns: Sequence[Column],
        label: str,
        classes: tuple[Level, ...],
    ) -> Schema:
        """Fit a schema to a complete table: ``frame`` gives ranges, levels and observed values.

        Raises
        ------
        InvalidInput
            If the table is empty; or if a column does not exist, has empty or infinite cells, or is
            text with too many levels.
        """
        if frame.empty:
            raise InvalidInput("the table has no row")
        return cls(tuple(fit_feature(frame, column) for column in columns), label, classes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame that hold the features, in order."""
        return tuple(name for feature in self.features for name in feature.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of the unit-space columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def positive(self) -> Level:
        """The last class; with two classes, the positive one."""
        return self.classes[-1]

    @property
    def sensitive(self) -> tuple[str, ...]:
        """Names of the sensitive features, in column order."""
        return tuple(feature.name for feature in self.features if feature.sensitive)

    @property
    def gaps(self) -> tuple[int, ...]:
        """The unit-space columns that may hold ``MISSING``."""
        return tuple(place for place, f in enumerate(self.features) if f.has_gaps)

    def index(self, name: str) -> int:
        """Return the unit-space column of a feature.

        Raises
        ------
        InvalidInput
            If no feature has this name.
        """
        if name not in self.names:
            raise InvalidInput(f"no column {name!r}; the features are {', '.join(self.names)}")
        return self.names.index(name)

    def whole_groups(self, names: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
        """Replace columns of one-hot groups by their groups, with a sentence for each."""
        return whole_groups(
            names_of(names), {f.name: f.columns for f in self.features if f.columns}
        )

    def with_sensitive(self, names: Iterable[str]) -> Schema:
        """Return this schema with exactly these features as the sensitive ones.

        A column of a one-hot group stands for the group.

        Raises
        ------
        InvalidInput
            If no name is given, or a name is no feature or one whose observed values are unknown.
        """
        wanted, _ = self.whole_groups(names)
        chosen = {self.index(name) for name in wanted}
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

    def with_missing(self, rules: Mapping[str, Missing]) -> Schema:
        """Return this schema with these rules for empty cells, feature → rule."""
        features = tuple(f.with_missing(rules.get(f.name, f.missing)) for f in self.features)
        return replace(self, features=features) if rules else self

    def encode(self, frame: Any) -> Tensor:
        """Return the features of a frame in unit space, shape (n, d), float64.

        Parameters
        ----------
        frame : pandas, polars or pyarrow table

        Raises
        ------
        InvalidInput
            If a column is missing or a value lies outside its feature's domain.
        """
        table = as_pandas(frame)
        columns = [feature.encode(feature.read(table)) for feature in self.features]
        return torch.from_numpy(np.stack(columns, axis=1))

    def encode_label(self, frame: Any) -> Tensor:
        """Return the class index of every row, shape (n,), int64.

        Raises
        ------
        InvalidInput
            If the label is missing or unknown in some row.
        """
        table = as_pandas(frame)
        if self.label not in table.columns:
            raise InvalidInput(f"the table lacks the label column {self.label!r}")
        column = table[self.label]
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

        The columns are those that ``encode`` reads; a one-hot feature becomes its 0/1 columns.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.
        y : Tensor of int64, shape (n,), optional. Adds the label column.

        Raises
        ------
        InvalidInput
            If x has another number of columns, or holds NaN or infinity.
        """
        people = self.decode_features(x)
        columns = {
            name: values
            for feature in self.features
            for name, values in feature.write(people[feature.name]).items()
        }
        if y is not None:
            columns[self.label] = pd.Series(pd.Index(self.classes).take(y.cpu().numpy()))
        return pd.DataFrame(columns)

    def decode_features(self, x: Tensor) -> pd.DataFrame:
        """Return people in original units, one column per feature; shape (n, d).

        Raises
        ------
        InvalidInput
            If x has another number of columns, or holds NaN or infinity.
        """
        if x.ndim != 2 or x.shape[1] != len(self.features):
            raise InvalidInput(
                f"x has shape {tuple(x.shape)}; the schema has {len(self.features)} features"
            )
        if not torch.isfinite(x).all():
            raise InvalidInput("x holds NaN or infinity and cannot be decoded")
        unit = x.detach().to("cpu", torch.float64).numpy()
        return pd.DataFrame({f.name: f.decode(unit[:, i]) for i, f in enumerate(self.features)})

    def possible(self, x: Tensor) -> Tensor:
        """Tell which rows are possible people: each value is possible, and all relations are met.

        Takes x, shape (n, d), unit space, and returns a bool Tensor, shape (n,).
        """
        met = self.conditions.met(x)
        for place, feature in enumerate(self.features):
            met = met & feature.possible(x[:, place])
        return met
