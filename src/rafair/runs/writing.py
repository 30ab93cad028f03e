"""Writes a run directory: whole or not at all."""

from __future__ import annotations

import contextlib
import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from rafair.runs.directory import RunDirectory
from rafair.runs.files import replace_file, reporting_os_errors
from rafair.runs.layout import (
    CERTIFICATES,
    CERTIFIED,
    INSTANCES,
    MANIFEST,
    METRICS,
    REGIONS,
    as_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from rafair.runs.regions import RegionResult
    from rafair.runs.result import AuditResult, CertifiedResult

__all__ = ["free_run", "update_run", "write_certificates", "write_regions", "write_run"]


def no_pages(_result: AuditResult) -> Mapping[str, bytes]:
    """Add no page to a run."""
    return {}


def free_run(path: Path) -> Path:
    """Return this path or, if it exists, the first of PATH-2, PATH-3, … that does not."""
    candidates = (path.with_name(f"{path.name}-{n}") for n in itertools.count(2))
    return next(p for p in itertools.chain([path], candidates) if not p.exists())


def write_run(
    result: AuditResult,
    path: str | Path | RunDirectory,
    pages: Callable[[AuditResult], Mapping[str, bytes]] = no_pages,
) -> None:
    """Write a run directory, its manifest last: without a manifest it is no run.

    Parameters
    ----------
    path : path or RunDirectory
        A path that does not exist yet, or the directory that kept the run's shards.
    pages : callable
        From the result to more files, by name: the report and its figures.

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
    """Write a directory of ``certificates.json``, ``certificates.parquet`` and ``manifest.json``.

    Parameters
    ----------
    path : path or RunDirectory
        See ``write_run``.
    pages : mapping of str to bytes, optional
        More files: figures.

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


def write_regions(
    result: RegionResult,
    path: str | Path | RunDirectory,
    pages: Mapping[str, bytes] | None = None,
) -> None:
    """Write a directory of ``certificates.json``, ``regions.parquet`` and ``manifest.json``.

    Parameters
    ----------
    path, pages : see ``write_certificates``

    Raises
    ------
    InvalidInput
        See ``check_new_run``; also on a full disk.
    """
    with _opened(path) as run:
        table = {CERTIFICATES: as_json(result.metrics), REGIONS: _parquet(result.boxes)}
        run.finish({**table, **(pages or {})}, result.manifest)


@contextlib.contextmanager
def _opened(path: str | Path | RunDirectory) -> Iterator[RunDirectory]:
    """Enter the run directory at a path; a ``RunDirectory`` stays open for its owner."""
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
    """Replace the files of a run one after another, each as a whole.

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


def _files(result: AuditResult) -> dict[str, bytes]:
    """Return the files of a run, without its manifest."""
    proofs = {} if result.certificates is None else {CERTIFIED: _parquet(result.certificates)}
    return {**proofs, INSTANCES: _parquet(result.instances), METRICS: as_json(result.metrics)}


def _parquet(table: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    table.to_parquet(written, index=False, compression="zstd")
    return written.getvalue()
