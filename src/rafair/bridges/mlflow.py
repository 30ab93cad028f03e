"""MLflow: a run's rates, plan and files in the active MLflow run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.models.extras import need
from rafair.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.runs import AuditResult

__all__ = ["log_audit"]

EXTRA = "mlflow"
PREFIX = "rafair"


def log_audit(run: AuditResult | str | Path, *, files: bool = True) -> None:
    """Log an audit in the active MLflow run; without one MLflow starts one.

    Parameters
    ----------
    run : AuditResult or path of a run directory
    files : bool
        Of a run directory, keep its files, with the page, as artifacts below ``rafair``.

    Notes
    -----
    Metrics: ``rafair.clean.acc``, ``rafair.robust.r_af.at_least``, ``rafair.attacked.pgd.r_af``, …,
    and the ends of their 95 % intervals under the same name with ``.low`` and ``.high``. Where one
    attribute varies alone, its name stands after ``rafair``. Parameters: the plan. Tags: SHA-256 of
    data and model. A character that MLflow does not allow in a name becomes ``_``.

    Raises
    ------
    InvalidInput
        If MLflow is not installed, or the path is no run directory.
    """
    mlflow: Any = need("mlflow", EXTRA)
    directory = run if isinstance(run, str | Path) else None
    result = load_run(run) if isinstance(run, str | Path) else run
    manifest = result.manifest
    mlflow.log_params({f"{PREFIX}.{name}": value for name, value in manifest["plan"].items()})
    mlflow.set_tags(
        {
            f"{PREFIX}.data.sha256": manifest["dataset"]["sha256"],
            f"{PREFIX}.model.sha256": manifest["model"]["sha256"],
            f"{PREFIX}.version": manifest["versions"]["rafair"],
        }
    )
    mlflow.log_metrics(dict(_metrics(result)))
    if directory is not None and files:
        mlflow.log_artifacts(str(directory), artifact_path=PREFIX)


def _metrics(result: AuditResult) -> Iterator[tuple[str, float]]:
    for row in result.to_frame().to_dict("records"):
        parts = [row[name] for name in ("varied", "stage", "attack", "rate", "bound")]
        name = _legal(".".join([PREFIX, *(str(part) for part in parts if part is not None)]))
        for suffix, key in (("", "value"), (".low", "low"), (".high", "high")):
            yield f"{name}{suffix}", float(row[key])


def _legal(name: str) -> str:
    """Replace what MLflow allows in no name."""
    return "".join(c if c.isalnum() or c in "_-. " else "_" for c in name)
