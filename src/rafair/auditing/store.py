"""The run directory: what it holds, how it comes into being whole, how it is read."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.auditing.files import current_umask, replace_file, reporting_os_errors
from rafair.auditing.result import AuditResult
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_new_run", "load_run", "update_run", "write_run"]

MANIFEST, METRICS, INSTANCES = "manifest.json", "metrics.json", "instances.parquet"


def no_pages(_result: AuditResult) -> Mapping[str, bytes]:
    """Add no page to a run."""
    return {}


def check_new_run(path: Path) -> None:
    """Refuse a path where a run would overwrite something.

    Raises
    ------
    InvalidInput
        If it is a file or a directory with something in it, or no directory can be made there.
    """
    if path.is_dir():
        if any(path.iterdir()):
            what = "already holds a run" if (path / MANIFEST).exists() else "is not empty"
            raise InvalidInput(f"output directory {path} {what}; name another one")
    elif path.exists() or path.is_symlink():
        raise InvalidInput(f"output path {path} is a file; name a directory")
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise InvalidInput(f"output path {path}: {parent} is a file")
            break


def write_run(
    result: AuditResult,
    path: Path,
    pages: Callable[[AuditResult], Mapping[str, bytes]] = no_pages,
) -> None:
    """Make a run directory: written aside, then renamed, so that it is whole or not there.

    Parameters
    ----------
    pages : callable
        From the result to further files, by name: the report and its figures.

    Raises
    ------
    InvalidInput
        See ``check_new_run``; also on a full disk.
    """
    check_new_run(path)
    with reporting_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            for name, content in {**_files(result), **pages(result)}.items():
                target = aside / name
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            aside.chmod(0o777 & ~current_umask())
            aside.replace(path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def update_run(
    result: AuditResult,
    path: Path,
    pages: Callable[[AuditResult], Mapping[str, bytes]] = no_pages,
) -> None:
    """Replace the files of a run one by one, each as a whole.

    Raises
    ------
    InvalidInput
        On a full disk.
    """
    for name, content in {**_files(result), **pages(result)}.items():
        with reporting_os_errors(path):
            (path / name).parent.mkdir(exist_ok=True)
        replace_file(path / name, content)


def load_run(path: Path) -> AuditResult:
    """Read a run directory.

    Raises
    ------
    InvalidInput
        If it is none, or a file in it cannot be read.
    """
    if not path.is_dir():
        raise InvalidInput(f"{path}: no such run directory")
    manifest, metrics = (_read_json(path / name) for name in (MANIFEST, METRICS))
    if manifest.get("tool") != "rafair":
        raise InvalidInput(f"{path}: not a run of rafair")
    try:
        instances = pd.read_parquet(path / INSTANCES)
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise InvalidInput(f"{path / INSTANCES}: cannot be read as parquet") from error
    return AuditResult(metrics, instances, manifest)


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
    table = io.BytesIO()
    result.instances.to_parquet(table, index=False, compression="zstd")
    return {
        INSTANCES: table.getvalue(),
        METRICS: _json(result.metrics),
        MANIFEST: _json(result.manifest),
    }


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
