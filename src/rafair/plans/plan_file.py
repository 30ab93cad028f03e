"""``plan.toml``: a table, the meaning of its columns, what may change, a model, and an audit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rafair.datasets.described import Described, Description, make_dataset
from rafair.datasets.missing import Fill
from rafair.datasets.splitting import TEST_SHARE
from rafair.datasets.table import open_table
from rafair.errors import InvalidInput, naming
from rafair.models.inputs import INPUTS
from rafair.models.wrapping import OUTPUTS
from rafair.plans.attacks import families_of
from rafair.plans.options import options_of
from rafair.plans.plan import Plan
from rafair.plans.sections import Section
from rafair.schema import Column, Kind
from rafair.schema.number_text import STYLES

if TYPE_CHECKING:
    from rafair.datasets import Dataset
    from rafair.plans.options import Option

__all__ = ["ModelFile", "PlanFile", "read_plan"]

LARGEST = 10 * 2**20
NUMBER = (int, float)
LEVEL = (str, int, float, bool)


@dataclass(frozen=True)
class ModelFile:
    """The path of a plan's model, and how to read it; see ``rafair.load_model``."""

    path: Path
    inputs: str = "auto"
    output: str = "auto"
    trust: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanFile:
    """The content of a plan.

    Attributes
    ----------
    path : Path
        The plan's own path; the other paths in it are relative to its directory.
    table : Path
    description : Description
        The meaning of the columns, and what may change.
    model : ModelFile or None
    audit : dict
        Keyword arguments of ``rafair.audit``.
    gates : dict of str to float
        The lowest rates that pass.
    """

    path: Path
    table: Path
    description: Description
    model: ModelFile | None = None
    audit: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, float] = field(default_factory=dict)

    def load(self) -> Dataset:
        """Read the table as the plan describes it.

        Raises
        ------
        InvalidInput
            If a file cannot be read, or table and plan do not fit; the text names the file, the
            column and the reason.
        """
        frame, stem, kind = open_table(self.table)
        with naming(self.table):
            return make_dataset(frame, self.description, stem, kind)


def read_plan(path: str | Path) -> PlanFile:
    """Read a plan completely: an unknown key, or a value of another type, is refused.

    Raises
    ------
    InvalidInput
        The text names the file, the section and the key.
    """
    path = Path(path)
    with naming(path):
        return _plan(path, _parsed(path))


def _parsed(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidInput(f"{path}: no such plan" + (", but no file" if path.exists() else ""))
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput(f"{path}: larger than {LARGEST >> 20} MB; this is no plan")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not a text in UTF-8") from error
    except (ValueError, RecursionError) as error:  # TOML's errors, and numbers of 5,000 digits
        raise InvalidInput(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error


def _plan(path: Path, content: dict[str, Any]) -> PlanFile:
    top = Section("", content)
    relations = top.texts("relations")
    data = Section("data", top.table("data", required=True))
    table = path.parent / data.take("table", str, required=True)
    columns = top.table("features", required=True)
    description = Description(
        label=data.take("label", str, required=True),
        columns=tuple(_column(name, content) for name, content in columns.items()),
        positive=data.take("positive", LEVEL),
        ignore=data.texts("ignore"),
        relations=relations,
        test_share=float(data.take("test_share", NUMBER, default=TEST_SHARE)),
        random_state=data.take("random_state", int, default=0),
        not_leaks=data.texts("not_leaks"),
    )
    data.finish()
    if not columns:
        raise InvalidInput("[features] names no column")
    model = _model(path, top.table("model"))
    audit, gates = _audit(top.table("audit"))
    top.finish()
    return PlanFile(path, table, description, model, audit, gates)


def _column(name: str, content: Any) -> Described:
    section = Section(f"features.{name}", content)
    kind = section.one_of("kind", get_args(Kind))
    bounds = section.numbers("range", 2)
    bulk = section.numbers("bulk", 2)
    column = Column(
        name,
        kind,  # type: ignore[arg-type]  # one of them, or None
        section.take("unit", str, default=""),
        section.take("sensitive", bool, default=False),
        section.levels("levels"),
        (bounds[0], bounds[1]) if bounds else (None, None),
        section.texts("columns"),
        section.numbers("bins"),
        section.take("perturbable", bool, default=True),
        (bulk[0], bulk[1]) if bulk else None,
        section.take("within", NUMBER),
    )
    rule = section.take("missing", str, default="refuse")
    fill = section.take("fill", LEVEL)
    codes = section.levels("empty")
    if fill is not None and rule != "refuse":
        raise section.wrong("missing", "beside fill; keep one of them")
    with section.located():
        described = Described(
            column,
            Fill(rule, fill, codes),
            section.take("epsilon", (*NUMBER, str)),
            section.take("step", (*NUMBER, str)),
            section.take("switch", bool, default=False),
            section.one_of("written", tuple(STYLES)),
        )
    section.finish()
    _check_use(section, described)
    return described


def _check_use(section: Section, described: Described) -> None:
    """Refuse keys that would have no effect.

    Raises
    ------
    InvalidInput
    """
    column = described.column
    idle = {
        "range": column.columns,
        "bulk": column.columns or column.sensitive,
        "bins": column.columns,
        "within": column.columns,
        "missing": column.columns,
        "fill": column.columns,
        "empty": column.columns,
        "written": column.columns,
        "switch": column.sensitive or section.content.get("perturbable") is False,
    }
    for key, useless in idle.items():
        if useless and section.content.get(key) not in (None, False, "refuse"):
            what = "one-hot columns" if column.columns else "what cannot change"
            raise InvalidInput(f"[{section.name}] {key} has no effect on {what}; take it out")


def _model(path: Path, content: dict[str, Any]) -> ModelFile | None:
    section = Section("model", content)
    where = section.take("path", str, required=bool(content))
    found = ModelFile(
        path.parent / (where or ""),
        section.one_of("inputs", INPUTS) or "auto",
        section.one_of("output", OUTPUTS) or "auto",
        section.texts("trust"),
    )
    section.finish()
    return None if where is None else found


def _audit(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Read the parameters of a plan, and refuse now what an audit would refuse later."""
    section = Section("audit", content)
    read = {name: _value(section, option) for name, option in options_of(Plan).items()}
    found = {name: value[0] for name, value in read.items() if value is not None}
    gates = Section("audit.fail_under", section.table("fail_under"))
    bounds = {name: float(gates.take(name, NUMBER)) for name in list(gates.content)}
    section.finish()
    with section.located():
        families_of(Plan(**found))
    return found, bounds


def _value(section: Section, option: Option) -> tuple[Any] | None:
    """Return what a section says of an option, in a tuple; None where it says nothing."""
    key, word = option.key, option.word
    if list in option.types:
        texts = section.texts(key)
        return (texts,) if texts else None
    value = section.take(key, option.types if word is None else (*option.types, str))
    if value is None:
        return None
    if word is not None and isinstance(value, str):
        if value != word[0]:
            raise section.wrong(key, f"a whole number or {word[0]!r}")
        return (word[1],)
    return (value,)
