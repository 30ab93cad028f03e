"""Reads a run directory, and says in one line what is wrong with a damaged one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from rafair.errors import InvalidInput
from rafair.runs.directory import is_unfinished
from rafair.runs.layout import CERTIFICATES, CERTIFIED, INSTANCES, MANIFEST, METRICS
from rafair.runs.result import AuditResult, CertifiedResult

__all__ = ["load_certificates", "load_run"]

MANIFEST_KEYS = ("versions", "plan", "dataset", "model", "counterparts", "schema")
METRICS_KEYS = (
    "dataset",
    "n_seeds",
    "n_counterparts",
    "clean",
    "robust",
    "attacks",
    "repairs",
    "by_sensitive",
)
INSTANCES_KEYS = ("seed", "stage", "attack", "cell", "prediction", "worst_loss", "x")


def load_run(path: str | Path) -> AuditResult:
    """Read a run directory.

    Raises
    ------
    InvalidInput
        If the path is no run directory, or a file in it cannot be read.
    """
    path = Path(path)
    manifest, metrics = _read_manifest(path), _read_json(path / METRICS)
    instances = _read_table(path / INSTANCES)
    for name, keys, found in (
        (MANIFEST, MANIFEST_KEYS, manifest),
        (METRICS, METRICS_KEYS, metrics),
        (METRICS, ("dissent",), metrics.get("clean", {})),
        (INSTANCES, INSTANCES_KEYS, instances.columns),
    ):
        lost = [key for key in keys if key not in found]
        if lost:
            raise InvalidInput(
                f"{path / name}: {lost[0]!r} is missing; the file is damaged, or an older rafair "
                "wrote it"
            )
    certificates = path / CERTIFIED
    proofs = _read_table(certificates) if certificates.exists() else None
    return AuditResult(metrics, instances, manifest, proofs)


def load_certificates(path: str | Path) -> CertifiedResult:
    """Read a directory that ``write_certificates`` made.

    Raises
    ------
    InvalidInput
        If the path is no run directory, or a file in it cannot be read.
    """
    path = Path(path)
    manifest, metrics = _read_manifest(path), _read_json(path / CERTIFICATES)
    return CertifiedResult(metrics, _read_table(path / CERTIFIED), manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise InvalidInput(f"{path}: no such run directory")
    if is_unfinished(path) and not (path / MANIFEST).exists():
        raise InvalidInput(
            f"{path} holds an unfinished run; go on with the command that began it and "
            f"--resume --out {path}"
        )
    manifest = _read_json(path / MANIFEST)
    if manifest.get("tool") != "rafair":
        raise InvalidInput(f"{path}: not a run of rafair")
    return manifest


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise InvalidInput(f"{path}: cannot be read as parquet") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"{path.parent}: not a run of rafair ({path.name} is missing)"
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{path}: damaged, not JSON") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{path}: damaged, not a JSON object")
    return content
