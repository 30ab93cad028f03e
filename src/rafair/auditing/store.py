"""The run directory: what it holds, how it comes into being whole, how it is read."""

from __future__ import annotations

import contextlib
import io
import itertools
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
    from collections.abc import Callable, Iterator, Mapping

    from rafair.auditing.certifying import CertifiedResult

__all__ = [
    "check_new_run",
    "free_run",
    "load_run",
    "update_run",
    "write_certificates",
    "write_run",
]

MANIFEST, METRICS, INSTANCES = "manifest.json", "metrics.json", "instances.parquet"
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


def check_new_run(path: Path) -> None:
    """Refuse a path where a run would overwrite something.

    Raises
    ------
    InvalidInput
        If it is a file or a directory with something in it, or no directory can be made there.
    """
    if path.is_dir():
        if path.is_mount() or path.resolve() == Path.cwd():
            raise InvalidInput(f"output directory {path} cannot be replaced; name one inside it")
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
    path: str | Path,
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
    _write_whole(Path(path), lambda: {**_files(result), **pages(result)})


def write_certificates(
    result: CertifiedResult, path: str | Path, pages: Mapping[str, bytes] | None = None
) -> None:
    """Make a directory of ``certificates.json``, ``certificates.parquet`` and ``manifest.json``.

    Parameters
    ----------
    pages : mapping of str to bytes, optional
        Further files: figures.

    Raises
    ------
    InvalidInput
        See ``check_new_run``; also on a full disk.
    """
    _write_whole(
        Path(path),
        lambda: {
            MANIFEST: _json(result.manifest),
            CERTIFICATES: _json(result.metrics),
            CERTIFIED: _parquet(result.instances),
            **(pages or {}),
        },
    )


def _write_whole(path: Path, make_files: Callable[[], Mapping[str, bytes]]) -> None:
    """Make a directory of files, by name: written aside, then renamed."""
    check_new_run(path)
    made = [parent for parent in path.parents if not parent.exists()]
    with reporting_os_errors(path), _removing_on_failure(made):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            for name, content in make_files().items():
                target = aside / name
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            aside.chmod(0o777 & ~current_umask())
            aside.replace(path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


@contextlib.contextmanager
def _removing_on_failure(directories: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for directory in directories:
            with contextlib.suppress(OSError):  # never made, or somebody else uses it by now
                directory.rmdir()
        raise


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
    for name, content in {**_files(result), **pages(result)}.items():
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
    if not path.is_dir():
        raise InvalidInput(f"{path}: no such run directory")
    manifest, metrics = (_read_json(path / name) for name in (MANIFEST, METRICS))
    if manifest.get("tool") != "rafair":
        raise InvalidInput(f"{path}: not a run of rafair")
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
    proofs = {} if result.certificates is None else {CERTIFIED: _parquet(result.certificates)}
    return {
        **proofs,
        INSTANCES: _parquet(result.instances),
        METRICS: _json(result.metrics),
        MANIFEST: _json(result.manifest),
    }


def _parquet(table: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    table.to_parquet(written, index=False, compression="zstd")
    return written.getvalue()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
