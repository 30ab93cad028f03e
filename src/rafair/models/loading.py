"""Read a model file as a ``Classifier``; each module of ``formats`` reads one format."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models import formats
from rafair.models.formats.checks import check_file, first_line
from rafair.models.formats.permission import Permission
from rafair.models.reading import columns_read
from rafair.models.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rafair.models.classifier import Classifier
    from rafair.models.inputs import Inputs
    from rafair.schema import Schema

__all__ = ["load_model", "model_suffixes"]

# The format that is assumed for a file without a suffix.
PLAIN = ".safetensors"


def model_suffixes() -> tuple[str, ...]:
    """Return the suffixes of the model files that can be read."""
    return tuple(sorted(_formats()))


@cache
def _formats() -> dict[str, ModuleType]:
    """Return the format module of each suffix."""
    names = [module.name for module in pkgutil.iter_modules(formats.__path__)]
    modules = [importlib.import_module(f"{formats.__name__}.{name}") for name in names]
    return {suffix: m for m in modules for suffix in getattr(m, "SUFFIXES", ())}


def load_model(
    path: str | Path,
    schema: Schema | None = None,
    *,
    output: Literal["auto", "logits", "probabilities"] = "auto",
    inputs: Inputs = "auto",
    trust: Sequence[str] = (),
    unsafe_pickle: bool = False,
) -> Classifier:
    """Read a model file and wrap its model; no code of the file runs without ``unsafe_pickle``.

    Parameters
    ----------
    path : str or Path
        Its suffix names the format: ``.safetensors`` (or none), ``.onnx``, ``.keras``,
        ``.h5``, ``.hdf5``, ``.pt``, ``.pth``, ``.bin``, ``.pt2``, ``.skops``, ``.json``, ``.ubj``
        of XGBoost, ``.txt`` of LightGBM, ``.pkl``, ``.pickle``, ``.joblib``, ``.sav``.
    schema, output, inputs
        As for ``rafair.wrap``. A file of ``rafair train`` needs neither ``output`` nor ``inputs``,
        and ignores them.
    trust : sequence of str
        Types that a skops file may hold beside those known to be harmless.
    unsafe_pickle : bool
        Allow the file to be unpickled, which runs any code that the file holds.

    Returns
    -------
    Classifier

    Raises
    ------
    InvalidInput
        If the file cannot be read safely, or ``rafair.wrap`` refuses its model.
    """
    path = Path(path)
    with _reading(path) as found:
        return _load(found, path, schema, _allowed(trust, unsafe_pickle), (output, inputs))


def columns_of_file(
    path: Path, known: Collection[str], trust: Sequence[str], *, unsafe_pickle: bool
) -> tuple[str, ...]:
    """Return the columns that the model of a file reads, as far as names tell.

    See ``columns_read`` and, for what is raised, ``load_model``.
    """
    with _reading(path):
        check_file(path)
        return columns_read(read_model(path, trust, unsafe_pickle=unsafe_pickle), known)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[ModuleType]:
    """Yield the format of a file; turn whatever is raised into one line that names the file."""
    found = _formats().get(path.suffix.lower() or PLAIN)
    if found is None:
        raise InvalidInput(
            f"{_shown(path)}: no known kind of model file; its name must end in one of "
            f"{', '.join(model_suffixes())}"
        )
    try:
        yield found
    except InvalidInput as error:
        reason = " ".join(str(error).removeprefix(f"{path}: ").split())
        raise InvalidInput(f"{_shown(path)}: {reason}") from error
    except Exception as error:
        # A library can raise any exception for a broken file, even as late as in the model's first
        # forward pass.
        reason = f"{type(error).__name__}: {first_line(error)}".removesuffix(": ")
        raise InvalidInput(
            f"{_shown(path)}: cannot be read as {found.NAME} ({reason}); "
            "check that the file is whole and of this format, or save the model again"
        ) from error


def _allowed(trust: Sequence[str], unsafe_pickle: bool) -> Permission:
    return Permission((trust,) if isinstance(trust, str) else tuple(trust), unsafe_pickle)


def read_model(path: Path, trust: Sequence[str], *, unsafe_pickle: bool) -> Any:
    """Return the model of a file as its library has it; None for a file of ``rafair train``.

    See ``load_model``, which has read the file before.
    """
    found = _formats()[path.suffix.lower() or PLAIN]
    return found.read(path, _allowed(trust, unsafe_pickle)) if hasattr(found, "read") else None


def _load(
    found: ModuleType,
    path: Path,
    schema: Schema | None,
    allowed: Permission,
    how: tuple[Literal["auto", "logits", "probabilities"], Inputs],
) -> Classifier:
    check_file(path)
    if hasattr(found, "load"):
        finished: Classifier = found.load(path, schema)
        return finished
    return wrap(found.read(path, allowed), schema, output=how[0], inputs=how[1])


def _shown(path: Path) -> str:
    return " ".join(str(path).split())
