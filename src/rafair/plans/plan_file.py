"""``plan.toml``: tables, the meaning of its columns, what may change, a model, and an audit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rafair.datasets.described import Described, Description, make_dataset
from rafair.datasets.missing import RULES, Fill
from rafair.datasets.splitting import TEST_SHARE
from rafair.datasets.two_tables import make_tested
from rafair.errors import InvalidInput, naming
from rafair.models.inputs import INPUTS
from rafair.models.wrapping import OUTPUTS
from rafair.plans.attacks import families_of
from rafair.plans.options import options_of
from rafair.plans.plan import Plan
from rafair.plans.sections import Section
from rafair.plans.tables import Tables
from rafair.schema import Column, Kind
from rafair.schema.number_text import STYLES

if TYPE_CHECKING:
    from rafair.datasets import Dataset
    from rafair.plans.options import Option

__all__ = ["ModelFile", "PlanFile", "parse_plan", "read_plan"]

LARGEST = 10 * 2**20
NUMBER = (int, float)
LEVEL = (str, int, float, bool)
REFUSE = RULES[0]


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
    tables : Tables
    description : Description
        The meaning of the columns, and what may change.
    model : ModelFile or None
    audit : dict
        Keyword arguments of ``rafair.audit``.
    gates : dict of str to float
        The lowest rates that pass.
    """

    path: Path
    tables: Tables
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
        frame, train, *origin = self.tables.read()
        with naming(self.tables.test):
            if self.tables.split:
                return make_dataset(frame, self.description, *origin)
            return make_tested(frame, train, self.description, *origin)


def read_plan(path: str | Path) -> PlanFile:
    """Read a plan completely: an unknown key, or a value of another type, is refused.

    Raises
    ------
    InvalidInput
        The text names the file, the section and the key.
    """
    return parse_plan(_text(Path(path)), Path(path))


def parse_plan(text: str, path: Path) -> PlanFile:
    """Read the text of a plan that lies, or will lie, at a path; see ``read_plan``."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML's errors, and numbers of 5,000 digits
        raise InvalidInput(f"{path}: not TOML: {error}") from error
    with naming(path):
        return _plan(path, content)


def _text(path: Path) -> str:
    if not path.is_file():
        raise InvalidInput(f"{path}: no such plan" + (", but no file" if path.exists() else ""))
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput(f"{path}: larger than {LARGEST >> 20} MB; this is no plan")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not a text in UTF-8") from error
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error


def _plan(path: Path, content: dict[str, Any]) -> PlanFile:
    top = Section("", content)
    relations = top.texts("relations")
    data = Section("data", top.table("data", required=True))
    tables = _tables(path, data)
    columns = top.table("features", required=True)
    rule = data.one_of("missing", RULES) or REFUSE
    description = Description(
        label=data.take("label", str, required=True),
        columns=tuple(_column(name, content, rule) for name, content in columns.items()),
        positive=data.take("positive", LEVEL),
        favourable=data.take("favourable", LEVEL),
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
    return PlanFile(path, tables, description, model, audit, gates)


def _tables(path: Path, data: Section) -> Tables:
    """Read which tables there are: one to split, or one of test rows with or without training."""
    names = ("table", "test", "train")
    table, test, train = (data.take(name, str) for name in names)
    if table is None and test is None:
        raise InvalidInput("[data] table is missing; or test, the table of the test rows")
    if table is not None and (test, train) != (None, None):
        raise InvalidInput("[data] has table beside test or train; keep table, or the other two")
    if table is None:
        for key in ("test_share", "random_state"):
            if key in data.content:
                raise InvalidInput(f"[data] {key} has no effect beside test; take it out")
        return Tables(path.parent / test, None if train is None else path.parent / train)
    return Tables(path.parent / table, split=True)


def _column(name: str, content: Any, usual: str) -> Described:
    """Read the section of a column; ``usual`` is the rule for empty cells of those without one."""
    section = Section(f"features.{name}", content)
    kind = section.one_of("kind", get_args(Kind))
    ends = section.numbers("range", 2)
    bulk = section.numbers("bulk", 2)
    column = Column(
        name,
        kind,  # type: ignore[arg-type]  # one of them, or None
        section.take("unit", str, default=""),
        section.take("sensitive", bool, default=False),
        section.levels("levels"),
        (ends[0], ends[1]) if ends else (None, None),
        section.texts("columns"),
        section.numbers("bins"),
        section.take("perturbable", bool, default=True),
        (bulk[0], bulk[1]) if bulk else None,
        within=section.take("within", NUMBER),
    )
    fill = section.take("fill", LEVEL)
    has_own = fill is not None or column.columns
    rule = section.take("missing", str, default=REFUSE if has_own else usual)
    codes = section.levels("empty")
    if fill is not None and rule != REFUSE:
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
        if useless and section.content.get(key) not in (None, False, REFUSE):
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
    read = {name: _value(section, name, option) for name, option in options_of(Plan).items()}
    found = {name: value[0] for name, value in read.items() if value is not None}
    gates = Section("audit.fail_under", section.table("fail_under"))
    bounds = {name: float(gates.take(name, NUMBER)) for name in list(gates.content)}
    section.finish()
    with section.located():
        families_of(Plan(**found))
    return found, bounds


def _value(section: Section, key: str, option: Option) -> tuple[Any] | None:
    """Return what a section says of an option, in a tuple; None where it says nothing."""
    word = option.word
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
