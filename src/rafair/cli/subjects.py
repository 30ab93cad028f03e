"""What a command is about: a benchmark, a plan, or tables for which a plan is drafted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.cli.sources import PLAN_SUFFIX, Source
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.cli.sources import ModelChoice
    from rafair.runs import RunDirectory

__all__ = ["Asked", "TableChoice"]

NEITHER = (
    "name a dataset (adult, bank, compas, credit) or a plan, or give tables: --model model.skops "
    "--test test.csv --label LABEL --sensitive A,B"
)


@dataclass(frozen=True)
class TableChoice:
    """Tables that are given instead of a plan, and what is known of their columns."""

    test: Path | None = None
    train: Path | None = None
    label: str | None = None
    positive: str | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Asked:
    """What a command is about.

    Attributes
    ----------
    subject : str or None
        The name of a benchmark, or the path of a plan.
    tables : TableChoice
    sensitive : list of str or None
    within : mapping of str to float
        Sensitive number → largest distance of a counterpart's value from the person's own.

    Raises
    ------
    InvalidInput
        If there is neither a subject nor a test table, or both, or what tables need is missing.
    """

    subject: str | None
    tables: TableChoice
    sensitive: list[str] | None
    within: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [name for name, value in vars(self.tables).items() if value is not None]
        if self.subject is not None:
            if given:
                raise InvalidInput(
                    f"--{given[0]} is for tables without a plan; leave it or {self.subject!r} away"
                )
            return
        if not given:
            raise InvalidInput(NEITHER)
        needed = {"test": self.tables.test, "label": self.tables.label, "sensitive": self.sensitive}
        for name, value in needed.items():
            if value is None:
                raise InvalidInput(f"tables without a plan need --{name} too")

    @property
    def name(self) -> str:
        """The name, as run directories have it."""
        if self.subject is not None:
            path = Path(self.subject)
            return path.stem if path.suffix == PLAN_SUFFIX else path.name
        return Path(str(self.tables.test)).stem

    def open(
        self,
        choice: ModelChoice,
        options: Mapping[str, Any],
        directory: RunDirectory | None = None,
    ) -> Source:
        """Open the data; of tables, as a plan describes them that is drafted now.

        Parameters
        ----------
        choice, options
            The model and the parameters of the audit, which the drafted plan names.
        directory : RunDirectory, optional
            Where the drafted plan is kept; without it, it is not.

        Raises
        ------
        InvalidInput
            Also if tables come without a model, where the plan is kept.
        """
        if self.subject is not None:
            return Source.open(self.subject, self.sensitive, self.within)
        if directory is None:
            return Source.drafted(self._draft(choice, options), Path.cwd() / "plan.toml")
        if choice.path is None:
            raise InvalidInput("no model is named; give its file with --model")
        path = directory.keep_plan(self._draft(choice, options))
        try:
            return Source.open(str(path))
        except InvalidInput as error:
            error.add_note(f"correct {path}, and give it instead of the tables")
            raise

    def _draft(self, choice: ModelChoice, options: Mapping[str, Any]) -> str:
        """Draft a plan that can lie anywhere: its paths are absolute."""
        from rafair.models.loading import columns_of_file
        from rafair.plans.drafting import REFUSE, draft_plan
        from rafair.plans.plan_file import ModelFile
        from rafair.plans.tables import Tables

        tables, model = self.tables, None
        read: tuple[str, ...] = ()
        test, train = (path and path.absolute() for path in (tables.test, tables.train))
        if choice.path is not None:
            how = (choice.inputs or "auto", choice.output or "auto", choice.trust)
            model = ModelFile(choice.path.absolute(), *how)
            unsafe = choice.unsafe_pickle
            read = columns_of_file(choice.path, (), choice.trust, unsafe_pickle=unsafe)
        return draft_plan(
            Tables(test, train),  # type: ignore[arg-type]  # there is a test table
            str(tables.label),
            self.sensitive or (),
            tables.positive,
            tables.missing or REFUSE,
            within=self.within,
            model=model,
            audit=options,
            read=read,
        )
