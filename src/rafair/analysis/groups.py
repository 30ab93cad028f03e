"""Rates for the groups of people that a sensitive attribute, or a pair of them, distinguishes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rafair.fairness import rates
from rafair.schema.cells import in_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

__all__ = ["SMALL", "Group", "group_levels", "groups_of", "people_of"]

# Groups of fewer people are marked: their intervals say little.
SMALL = 30
# A number with more values is divided into bands, each of about as many people.
VALUES, BANDS = 8, 4


@dataclass(frozen=True)
class Group:
    """People who agree in one sensitive attribute or two, and how they are decided.

    Attributes
    ----------
    attributes : tuple of str
    levels : tuple of str
        A value of each attribute, or a band of its values, such as ``"17 to 28 years"``.
    n : int
        Number of audited people.
    clean : dict
        Shares of the group before any attack, with 95 % intervals under ``"ci"``: ``otherwise``,
        people with a counterpart who is decided otherwise; ``gain``, those of them who are not
        given the favourable class but whose nearest such counterpart is; ``lose``, the reverse.
    r_af : dict
        Share of people who are decided rightly and fairly under every change: ``at_least``, what
        is proved (None without certificates); ``at_most``, what no example breaks; ``"ci"``.
    """

    attributes: tuple[str, ...]
    levels: tuple[str, ...]
    n: int
    clean: dict[str, Any]
    r_af: dict[str, Any]

    @property
    def is_small(self) -> bool:
        """Whether the group has fewer than ``SMALL`` people."""
        return self.n < SMALL


def people_of(
    instances: pd.DataFrame,
    certificates: pd.DataFrame | None,
    schema: Mapping[str, Any],
    epsilon: float,
) -> pd.DataFrame:
    """Return one row per audited person with what happened to them.

    Parameters
    ----------
    instances, certificates : DataFrame
        Of an audit.
    schema : mapping
        As the manifest has it: ``classes``, ``features``, ``sensitive``; the favourable class is
        ``favourable`` or, where that is missing, the last of the classes.
    epsilon : float
        The ε whose certificates count.

    Returns
    -------
    DataFrame, indexed by seed
        The sensitive attributes as text, by their places 0, 1, …; and as bool ``otherwise``,
        ``gain``, ``lose``, ``unbroken`` and ``proved`` (absent without certificates).
    """
    clean = instances[instances["stage"] == "clean"].set_index("seed")
    favourable = schema.get("favourable", schema["classes"][-1])
    given, instead = (clean[f"{kind}prediction"] == favourable for kind in ("", "flip_"))
    otherwise = clean["cell"].isin(["TB", "FB"])
    found = group_levels(clean, schema).assign(
        otherwise=otherwise, gain=otherwise & ~given & instead, lose=otherwise & given & ~instead
    )
    examples = instances[instances["stage"] != "repaired"]
    unbroken = (examples["cell"] == "TF").groupby(examples["seed"]).all().reindex(found.index)
    if certificates is None:
        return found.assign(unbroken=unbroken)
    status = _status(certificates, epsilon).reindex(found.index)
    return found.assign(unbroken=unbroken & (status != "broken"), proved=status == "proved")


def _status(certificates: pd.DataFrame, epsilon: float) -> pd.Series:
    """Return whether R-AF is proved for each seed, over all of I(v)."""
    jointly = certificates["varied"].isna() & (certificates["claim"] == "accurate_fair")
    at = np.isclose(certificates["epsilon"], epsilon)
    return certificates[jointly & at].set_index("seed")["status"]


def group_levels(clean: pd.DataFrame, schema: Mapping[str, Any]) -> pd.DataFrame:
    """Return the group of each person along each sensitive attribute, by the attribute's place."""
    features = {feature["name"]: feature for feature in schema["features"]}
    columns = (features[name] for name in schema["sensitive"])
    return pd.DataFrame(
        {place: _levels(clean[f["column"]], f["unit"]) for place, f in enumerate(columns)},
        index=clean.index,
    )


def _levels(values: pd.Series, unit: str) -> pd.Series:
    """Return values as an ordered category of text; numbers with many values in bands."""
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if is_number and values.nunique() > VALUES:
        return _bands(values, unit)
    order = sorted(values.dropna().unique(), key=None if is_number else str)
    texts = values.map(lambda value: in_units(value, unit))
    known = [in_units(value, unit) for value in order]
    return _ordered(texts, known)


def _bands(values: pd.Series, unit: str) -> pd.Series:
    present = values.dropna()
    inner = np.arange(1, BANDS) / BANDS
    edges = np.unique(np.quantile(present, inner, method="inverted_cdf"))
    place = pd.Series(np.searchsorted(edges, present), index=present.index)
    low, high = present.groupby(place).min(), present.groupby(place).max()
    names = {
        band: in_units(low[band], unit)
        if low[band] == high[band]
        else f"{in_units(low[band], '')} to {in_units(high[band], unit)}"
        for band in low.index
    }
    texts = place.map(names).reindex(values.index)
    return _ordered(texts.where(texts.notna(), in_units(None, "")), list(names.values()))


def _ordered(texts: pd.Series, known: Sequence[str]) -> pd.Series:
    order = list(dict.fromkeys([*known, *texts]))
    return texts.astype(pd.CategoricalDtype(order, ordered=True))


def groups_of(people: pd.DataFrame, sensitive: Sequence[str]) -> Iterator[list[Group]]:
    """Return the groups of each attribute, then those of each pair of attributes.

    Parameters
    ----------
    people : DataFrame
        See ``people_of``.
    sensitive : sequence of str
        The attributes by their places.
    """
    places = range(len(sensitive))
    for chosen in [*itertools.combinations(places, 1), *itertools.combinations(places, 2)]:
        names = tuple(sensitive[place] for place in chosen)
        parts = people.groupby(list(chosen), observed=True, sort=True)
        yield [_group(names, tuple(map(str, levels)), part) for levels, part in parts]


def _group(attributes: tuple[str, ...], levels: tuple[str, ...], part: pd.DataFrame) -> Group:
    clean = rates({name: _bools(part[name]) for name in ("otherwise", "gain", "lose")})
    ends = {"at_least": "proved", "at_most": "unbroken"}
    known = {end: _bools(part[name]) for end, name in ends.items() if name in part}
    return Group(attributes, levels, len(part), clean, {"at_least": None, **rates(known)})


def _bools(column: pd.Series) -> torch.Tensor:
    values: npt.NDArray[np.bool_] = column.to_numpy(dtype=bool, copy=True)
    return torch.from_numpy(values)
