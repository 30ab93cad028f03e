"""Δ, the perturbation space: the points that a seed may be moved to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.schema.gaps import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema import Conditions, Feature, Schema

__all__ = ["SETTINGS", "PerturbationSpace", "Setting"]

Setting: TypeAlias = Literal["paper", "feasible"]
PerFeature: TypeAlias = "float | Sequence[float] | Tensor"
SETTINGS: tuple[Setting, ...] = ("paper", "feasible")

# Tolerance for float32 rounding of a number in [0, 1].
SLACK = 1e-6
# Shares of the way from the origin to a point that breaks a relation, tried one after the other.
SHARES = tuple(step / 8 for step in range(7, -1, -1))


@dataclass(frozen=True, eq=False)
class PerturbationSpace:
    """The L∞ ball around a seed, intersected with the domain; only perturbable columns move.

    Every parameter but ``conditions`` is a scalar or one number per feature, in unit space.

    Parameters
    ----------
    epsilon : float or (d,)
        Radius. If it is infinite, only the domain bounds Δ.
    perturbable : bool or (d,)
        Which columns may move.
    lower, upper : float or (d,)
        The domain.
    lattice : float or (d,)
        Distance between neighbouring possible values; the possible values are its multiples. 0 if
        every value is possible.
    conditions : Conditions, optional
        Relations that every point of Δ meets; ``round`` moves a point to one that meets them.
    missing : bool or (d,)
        Columns in which ``MISSING`` stands for a missing cell, which does not move.

    Raises
    ------
    InvalidInput
        If ε or the lattice is negative or NaN, a lower bound lies above its upper bound, or the
        parameters have different lengths or are no numbers.
    """

    epsilon: PerFeature = math.inf
    perturbable: bool | Sequence[bool] | Tensor = True
    lower: PerFeature = 0.0
    upper: PerFeature = 1.0
    lattice: PerFeature = 0.0
    conditions: Conditions | None = None
    missing: bool | Sequence[bool] | Tensor = False

    def __post_init__(self) -> None:
        for name in ("epsilon", "lower", "upper", "lattice"):
            object.__setattr__(self, name, _vector(getattr(self, name), name, torch.float64))
        for name in ("perturbable", "missing"):
            object.__setattr__(self, name, _vector(getattr(self, name), name, torch.bool))
        for name in ("epsilon", "lattice"):
            if not bool((self._field(name) >= 0).all()):
                raise InvalidInput(f"{name} must not be negative or NaN")
        lengths = {v.numel() for v in self.vectors if v.ndim}
        if len(lengths) > 1:
            raise InvalidInput(f"Δ: its vectors have different lengths {sorted(lengths)}")
        if not bool((self._field("lower") <= self._field("upper")).all()):
            raise InvalidInput("Δ: a lower bound lies above its upper bound or is NaN")
        object.__setattr__(self, "conditions", self.conditions or None)

    @classmethod
    def of(
        cls, schema: Schema, epsilon: PerFeature = math.inf, setting: Setting | None = None
    ) -> PerturbationSpace:
        """Return the Δ of a schema.

        Parameters
        ----------
        schema : Schema
        epsilon : float or (d,), unit space: a share of each feature's range
            In the setting *feasible*, a feature's own ``epsilon`` replaces this one, and it is a
            share of the feature's bulk where that is known.
        setting : {"paper", "feasible"}, optional
            By default that of the schema, as in ``rafair.audit``. *paper*: every feature that is
            not sensitive moves by any amount up to ε; this includes the codes of categories.
            *feasible*: perturbable numeric, integer and ordinal features move to possible values
            within ε; categorical features that may switch move to any level; every point meets the
            schema's relations.

        Returns
        -------
        PerturbationSpace

        Raises
        ------
        InvalidInput
            If there is no such setting; see also ``PerturbationSpace``.
        """
        setting = schema.setting if setting is None else setting
        if setting not in SETTINGS:
            raise InvalidInput(f"unknown setting {setting!r}; use paper or feasible")
        features = schema.features
        if setting == "paper":
            moving = [not feature.sensitive for feature in features]
            return cls(epsilon, moving, missing=[feature.has_gaps for feature in features])
        shared = _vector(epsilon, "epsilon", torch.float64).expand(len(features)).tolist()
        return cls(
            [_radius(feature, own) for feature, own in zip(features, shared, strict=True)],
            [feature.movable for feature in features],
            lattice=[feature.spacing for feature in features],
            conditions=schema.conditions,
            missing=[feature.has_gaps for feature in features],
        )

    @property
    def vectors(self) -> tuple[Tensor, ...]:
        """The parameters that are a scalar or one number per feature."""
        names = ("epsilon", "perturbable", "lower", "upper", "lattice", "missing")
        return tuple(map(self._field, names))

    def _field(self, name: str) -> Tensor:
        value = getattr(self, name)
        assert isinstance(value, Tensor)  # noqa: S101 - __post_init__ made it one
        return value

    def _like(self, name: str, x: Tensor) -> Tensor:
        value = self._field(name)
        return value.to(x.device, x.dtype if value.is_floating_point() else value.dtype)

    @cached_property
    def has_lattice(self) -> bool:
        """Whether the possible values of some column form a lattice."""
        return bool((self._field("lattice") > 0).any())

    @property
    def has_gaps(self) -> bool:
        """Whether some points between the bounds are impossible, so that ``round`` is needed."""
        return self.has_lattice or self.conditions is not None

    def movable(self, x: Tensor) -> Tensor:
        """Return which columns may move, shape (d,), bool."""
        return self._like("perturbable", x).expand(x.shape[1])

    @cached_property
    def has_missing(self) -> bool:
        """Whether cells of some column may be missing."""
        return bool(self._field("missing").any())

    def may_be_missing(self, x: Tensor) -> Tensor:
        """Return in which columns cells may be missing, shape (d,), bool."""
        return self._like("missing", x).expand(x.shape[1])

    def _moving(self, origin: Tensor) -> Tensor:
        """Return which cells may move, (d,), or (n, d) where some are missing."""
        movable = self.movable(origin)
        if not self.has_missing:
            return movable
        return movable & ~(self._like("missing", origin) & is_missing(origin))

    def bounds(self, origin: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest point of Δ around ``origin``, each (n, d)."""
        epsilon, movable = self._like("epsilon", origin), self._moving(origin)
        low = torch.maximum(origin - epsilon, self._like("lower", origin))
        high = torch.minimum(origin + epsilon, self._like("upper", origin))
        return torch.where(movable, low, origin), torch.where(movable, high, origin)

    def spacing(self, origin: Tensor) -> Tensor:
        """Return the distance between neighbouring possible values, shape (n, d).

        It is 0 for a column that does not move, or where every value is possible. It is also 0
        where the origin is not a possible value; then only ``bounds`` limit the column.
        """
        spacing = self._like("lattice", origin)
        unit = torch.where(spacing > 0, spacing, torch.ones_like(spacing))
        # Not ``_on_lattice``, which leaves an origin off the lattice unchanged if Δ has no point.
        is_possible = (torch.round(origin / unit) * unit - origin).abs() <= SLACK
        regular = self._moving(origin) & (spacing > 0) & is_possible
        return torch.where(regular, spacing, torch.zeros_like(origin))

    def hull(self, origin: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest possible value inside Δ, each (n, d)."""
        low, high = self.bounds(origin)
        spacing = self.spacing(origin)
        unit = torch.where(spacing > 0, spacing, torch.ones_like(spacing))
        first, last = torch.ceil(low / unit - SLACK), torch.floor(high / unit + SLACK)
        on_lattice = spacing > 0
        return torch.where(on_lattice, first * unit, low), torch.where(
            on_lattice, last * unit, high
        )

    def reach(self, x: Tensor) -> Tensor:
        """Return the largest distance that each feature may move, shape (d,).

        It is the smaller one of ε and the domain's width, and 0 for a feature that may not move.
        """
        width = self._like("upper", x) - self._like("lower", x)
        reach = torch.minimum(self._like("epsilon", x), width).expand(x.shape[1])
        return torch.where(self.movable(x), reach, torch.zeros_like(reach))

    def project(self, x: Tensor, origin: Tensor) -> Tensor:
        """Return the nearest point between the bounds of Δ around ``origin``, shape (n, d).

        ``project`` ignores the lattice and the relations; ``round`` takes care of them.
        """
        low, high = self.bounds(origin)
        return torch.minimum(torch.maximum(x, low), high)

    def contains(self, x: Tensor, origin: Tensor) -> Tensor:
        """Tell which rows lie in Δ around their origin, shape (n,), bool.

        Such a row lies within the bounds and on the lattice, and meets the relations.
        """
        low, high = self.bounds(origin)
        inside = (x >= low - SLACK) & (x <= high + SLACK)
        fits = (inside & ((x - self._on_lattice(x, origin)).abs() <= SLACK)).all(dim=1)
        return fits if self.conditions is None else fits & self.conditions.met(x)

    def round(self, x: Tensor, origin: Tensor) -> Tensor:
        """Return a possible point of Δ near each row, shape (n, d).

        Every value becomes the nearest lattice point inside Δ. If Δ holds no lattice point of that
        column, because the origin is not on the lattice, the value becomes the origin's. A row that
        then breaks a relation moves back towards its origin, as far as needed, in the columns that
        the relation involves.
        """
        nearest = self._on_lattice(x, origin)
        return nearest if self.conditions is None else self._back(nearest, origin, self.conditions)

    def _back(self, x: Tensor, origin: Tensor, conditions: Conditions) -> Tensor:
        """Move the rows that break a relation back towards their origin; see ``round``."""
        met = conditions.each_met(x)
        broken = (~met.all(dim=1)).nonzero()[:, 0]
        if not len(broken):
            return x
        whole = x.clone()
        start, end, met = origin[broken], x[broken], met[broken]
        here, about = end, conditions.spoken_of(x.device)
        columns = torch.zeros_like(end, dtype=torch.bool)
        for _ in range(len(conditions)):  # a move back in some columns may break the next relation
            columns |= ((~met).double() @ about.double()) > 0
            for share in SHARES:
                open_rows = ~met.all(dim=1)
                if not bool(open_rows.any()):
                    break
                nearer = torch.where(columns, torch.lerp(start, end, share), end)
                nearer = torch.where(open_rows[:, None], self._on_lattice(nearer, start), here)
                here, met = nearer, conditions.each_met(nearer)
        whole[broken] = torch.where(met.all(dim=1, keepdim=True), here, start)
        return whole

    def _on_lattice(self, x: Tensor, origin: Tensor) -> Tensor:
        if not self.has_lattice:
            return x
        spacing = self._like("lattice", x)
        on_lattice = self._moving(origin) & (spacing > 0)
        unit = torch.where(spacing > 0, spacing, torch.ones_like(spacing))
        low, high = self.bounds(origin)
        # In multiples of the spacing; the slack keeps a bound that is itself a lattice point.
        first = torch.ceil(low / unit - SLACK)
        last = torch.floor(high / unit + SLACK)
        nearest = torch.minimum(torch.maximum(torch.round(x / unit), first), last) * unit
        inside = torch.minimum(torch.maximum(nearest, low), high)
        return torch.where(on_lattice, torch.where(first <= last, inside, origin), x)


def _radius(feature: Feature, shared: float) -> float:
    """Return a feature's own ε; 1 for a categorical one, so that it reaches every level."""
    if feature.kind == "categorical":
        return 1.0
    return shared * feature.bulk_share if feature.epsilon is None else feature.epsilon


def _vector(value: Any, name: str, dtype: torch.dtype) -> Tensor:
    try:
        vector = torch.as_tensor(value, dtype=dtype).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"{name} must be a number or one number per feature") from error
    if vector.ndim > 1:
        raise InvalidInput(f"{name} has shape {tuple(vector.shape)}; use a number or a vector")
    return vector
