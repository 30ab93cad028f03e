"""``out.plot``: the figures of a run as axes of matplotlib, for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rafair.errors import InvalidInput
from rafair.plots.axes import draw_bands, draw_groups, draw_matrix
from rafair.plots.drawing import style
from rafair.plots.rows import curve_rows, matrix_rows

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes

    from rafair.analysis import Group

__all__ = ["Plot"]


@dataclass(frozen=True, eq=False)
class Plot:
    """Draws the figures of an audit; see ``AuditResult.plot``.

    Parameters
    ----------
    metrics, instances, manifest, certificates
        Of the audit.
    """

    metrics: dict[str, Any]
    instances: pd.DataFrame
    manifest: dict[str, Any]
    certificates: pd.DataFrame | None

    def curves(self) -> npt.NDArray[np.object_]:
        """Draw R-AF, R-ACC and R-IF against ε: what is proved, and what nothing breaks.

        Without certificates there is no line of what is proved. With ``curve=True`` an audit asks
        at several ε; without it, the lines have two points.

        Returns
        -------
        ndarray of Axes, shape (claims,)
        """
        rows = curve_rows(self.metrics, self.manifest["plan"]["epsilon"])
        with style():
            panels = _panels(len(rows), 3.2, 2.9)
            for axes, row in zip(panels, rows, strict=True):
                draw_bands(axes, *row)
            panels[-1].legend(frameon=False, fontsize=9)
        return panels

    def matrix(self) -> npt.NDArray[np.object_]:
        """Draw the fairness confusion matrix: clean, under the strongest attack, repaired.

        Returns
        -------
        ndarray of Axes, shape (2,), or (3,) after ``rafair.repair_run``
        """
        rows = matrix_rows(self.metrics)
        with style():
            panels = _panels(len(rows), 3.1, 3.3)
            for axes, (title, rates) in zip(panels, rows, strict=True):
                draw_matrix(axes, title, rates)
        return panels

    def groups(self, *attributes: str) -> Axes:
        """Draw who is decided otherwise than a counterpart, and R-AF, by group.

        Parameters
        ----------
        *attributes : str
            One sensitive attribute or two; by default the first one.

        Returns
        -------
        Axes

        Raises
        ------
        InvalidInput
            If they are not one or two of the sensitive attributes.
        """
        from rafair.analysis import groups_of, people_of

        schema, epsilon = self.manifest["schema"], self.manifest["plan"]["epsilon"]
        asked = attributes or (schema["sensitive"][0],)
        people = people_of(self.instances, self.certificates, schema, epsilon)
        for groups in groups_of(people, schema["sensitive"]):
            if set(groups[0].attributes) == set(asked):
                return _drawn(groups)
        known = ", ".join(schema["sensitive"])
        raise InvalidInput(f"groups takes one or two of {known}; it got {', '.join(asked)}")


def _drawn(groups: list[Group]) -> Axes:
    with style():
        (axes,) = _panels(1, 7.5, 1.5 + 0.45 * len(groups))
        draw_groups(axes, groups)
    drawn: Axes = axes
    return drawn


def _panels(columns: int, width: float, height: float) -> npt.NDArray[np.object_]:
    """Return new axes of pyplot, which notebooks show."""
    import matplotlib.pyplot as plt

    size = (width * columns, height)
    _, panels = plt.subplots(1, columns, figsize=size, layout="constrained", squeeze=False)
    found: npt.NDArray[np.object_] = panels[0]
    return found
