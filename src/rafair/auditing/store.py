"""The run directory: what it holds, how it is written, how it is read."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.directory import MANIFEST, RunDirectory, as_json, is_unfinished
from rafair.auditing.files import replace_file, reporting_os_errors
from rafair.auditing.result import AuditResult, CertifiedResult
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "free_run",
    "load_certificates",
    "load_run",
    "update_run",
    "write_certificates",
    "write_run",
]

METRICS, INSTANCES = "metrics.json", "instances.parquet"
CERTIFICATES, CERTIFIED = "certificates.json", "certificates.parquet"
MANIFEST_KEYS = ("versions", "plan", "dataset", "model", "counterparts", "schema")
METRICS_KEYS = (
    "dataset",
    "n_seeds",
    "n_counterparts",
    "clean",
    "attacks",
    "repairs",
    "by_sensitive",
)
INSTANCES_KEYS = ("seed", "stage", "attack", "cell", "prediction", "worst_loss", "x")


def no_pages(_result: AuditResult) -> Mapping[str, bytes]:
    """Add no page to a run."""
    return {}


def free_run(path: Path) -> Path:
    """Return this path, or the first of PATH-2, PATH-3, … where nothing is yet."""
    candidates = (path.with_name(f"{path.name}-{n}") for n in itertools.count(2))
    return next(p for p in itertools.chain([path], candidates) if not p.exists())


def write_run(
    result: AuditResult,
    path: str | Path | RunDirectory,
    pages: Callable[[AuditResult], Mapping[str, bytes]] = no_pages,
) -> None:
    """Make a run directory, its manifest last: without one it is no run.

    Parameters
    ----------
    path : path or RunDirectory
        Where nothing is yet; or the directory that kept the run's shards.
    pages : callable
        From the result to further files, by name: the report and its figures.

    Raises
    ------
    InvalidInput
        See ``check_new_run``; also on a full disk.
    """
    with _opened(path) as run:
        if not run.is_finished:
            run.finish({**_files(result), **pages(result)}, result.manifest)


def write_certificates(
    result: CertifiedResult,
    path: str | Path | RunDirectory,
    pages: Mapping[str, bytes] | None = None,
) -> None:
    """Make a directory of ``certificates.json``, ``certificates.parquet`` and ``manifest.json``.

    Parameters
    ----------
    path : path or RunDirectory
        See ``write_run``.
    pages : mapping of str to bytes, optional
        Further files: figures.

    Raises
    ------
    InvalidInput
        See ``check_new_run``; also on a full disk.
    """
    with _opened(path) as run:
        files = {
            CERTIFICATES: as_json(result.metrics),
            CERTIFIED: _parquet(result.instances),
            **(pages or {}),
        }
        run.finish(files, result.manifest)


@contextlib.contextmanager
def _opened(path: str | Path | RunDirectory) -> Iterator[RunDirectory]:
    """Enter the directory at a path; one that somebody has entered is left to them."""
    if isinstance(path, RunDirectory):
        with reporting_os_errors(path.path):
            yield path
        return
    with RunDirectory(path) as run, reporting_os_errors(run.path):
        yield run


def update_run(
    result: AuditResult,
    path: str | Path,
    pages: Callable[[AuditResult], Mapping[str, bytes]] = no_pages,
) -> None:
    """Replace the files of a run one by one, each as a whole.

    Raises
    ------
    InvalidInput
        On a full disk.
    """
    path = Path(path)
    files = {**_files(result), **pages(result), MANIFEST: as_json(result.manifest)}
    for name, content in files.items():
        with reporting_os_errors(path):
            (path / name).parent.mkdir(exist_ok=True)
        replace_file(path / name, content)


def load_run(path: str | Path) -> AuditResult:
    """Read a run directory.

    Raises
    ------
    InvalidInput
        If it is none, or a file in it cannot be read.
    """
    path = Path(path)
    manifest, metrics = _read_manifest(path), _read_json(path / METRICS)
    instances = _read_table(path / INSTANCES)
    for name, keys, found in (
        (MANIFEST, MANIFEST_KEYS, manifest),
        (METRICS, METRICS_KEYS, metrics),
        (INSTANCES, INSTANCES_KEYS, instances.columns),
    ):
        lost = [key for key in keys if key not in found]
        if lost:
            raise InvalidInput(f"{path / name}: damaged, {lost[0]!r} is missing")
    certificates = path / CERTIFIED
    proofs = _read_table(certificates) if certificates.exists() else None
    return AuditResult(metrics, instances, manifest, proofs)


def load_certificates(path: str | Path) -> CertifiedResult:
    """Read a directory that ``write_certificates`` made.

    Raises
    ------
    InvalidInput
        If it is none, or a file in it cannot be read.
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


def _files(result: AuditResult) -> dict[str, bytes]:
    """Return the files of a run but for its manifest."""
    proofs = {} if result.certificates is None else {CERTIFIED: _parquet(result.certificates)}
    return {**proofs, INSTANCES: _parquet(result.instances), METRICS: as_json(result.metrics)}


def _parquet(table: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    table.to_parquet(written, index=False, compression="zstd")
    return written.getvalue()
