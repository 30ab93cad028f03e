"""Builds parts of scikit-learn's models anew that come from a file.

Search trees of neighbours and splines are followed in C without a look at their numbers. They
follow from other parts of the model, so that the ones in the file need not be used at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.formats.contents import holdings, name_of, unchecked

__all__ = ["REBUILT", "rebuild"]

_SPLINE = "scipy.interpolate._bsplines.BSpline"
_SEARCHES = ("sklearn.neighbors._kd_tree.KDTree", "sklearn.neighbors._ball_tree.BallTree")
_DISTANCES = tuple(
    f"sklearn.metrics._dist_metrics.{name}Distance64"
    for name in ("Chebyshev", "Euclidean", "Manhattan", "Minkowski")
)
# Types that are harmless once ``rebuild`` has replaced them.
REBUILT: frozenset[str] = frozenset({_SPLINE, *_SEARCHES, *_DISTANCES})


def rebuild(model: Any) -> None:
    """Build each search tree and spline that an object holds anew, in place.

    Raises
    ------
    InvalidInput
        If one cannot be built, or lies where none is expected.
    """
    for holder, held in list(holdings([model])):
        for part in held:
            name = name_of(part)
            if name in _SEARCHES:
                _rebuild_search(holder, part)
            elif name in _DISTANCES and name_of(holder) not in _SEARCHES:
                raise unchecked(name, name_of(holder))
            elif name == _SPLINE:
                _rebuild_spline(part)


def _rebuild_search(holder: Any, part: Any) -> None:
    """Replace the search tree of a model of neighbours, as its ``fit`` makes it."""
    from sklearn.neighbors._base import NeighborsBase

    is_its_own = isinstance(holder, NeighborsBase) and getattr(holder, "_tree", None) is part
    if not is_its_own or not isinstance(holder.effective_metric_, str):
        raise unchecked(name_of(part), name_of(holder))
    holder._tree = type(part)(
        holder._fit_X,
        holder.leaf_size,
        metric=holder.effective_metric_,
        **holder.effective_metric_params_,
    )


def _rebuild_spline(spline: Any) -> None:
    """Give a spline the content that its class, which checks it, makes of its parts."""
    try:
        values = np.moveaxis(np.asarray(spline.c), 0, spline.axis)
        anew = type(spline)(spline.t, values, spline.k, spline.extrapolate, spline.axis)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"holds a spline that SciPy cannot compute: {error}") from error
    spline.__dict__.clear()
    spline.__dict__.update(vars(anew))
