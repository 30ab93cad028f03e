"""Opens the data and the model of a command."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput, ModelFailed, naming
from rafair.gating.deciding import DROPPING
from rafair.gating.limits import parse_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.plans.plan_file import PlanFile

__all__ = ["PLAN_SUFFIX", "ModelChoice", "Source", "reopen"]

PLAN_SUFFIX = ".toml"
TABLE_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class ModelChoice:
    """Which model file to take, and how to read it."""

    path: Path | None = None
    inputs: str | None = None
    output: str | None = None
    trust: tuple[str, ...] = ()
    unsafe_pickle: bool = False
    guard: str | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """The data of a command: a benchmark, or a plan with its table.

    Attributes
    ----------
    data : Dataset
    plan : PlanFile or None
    """

    data: Dataset
    plan: PlanFile | None = None

    @classmethod
    def open(
        cls,
        name: str,
        sensitive: list[str] | None = None,
        within: Mapping[str, float] | None = None,
    ) -> Source:
        """Open a benchmark by its name, or a plan by its path.

        Raises
        ------
        InvalidInput
        """
        from rafair.datasets import load_dataset
        from rafair.plans.plan_file import read_plan

        plan = read_plan(name) if Path(name).suffix == PLAN_SUFFIX else None
        if plan is None and Path(name).suffix:
            raise InvalidInput(f"{name}: {_advice(Path(name))}")
        data = load_dataset(name) if plan is None else plan.load()
        data = data if sensitive is None else data.with_sensitive(sensitive)
        return cls(data.with_within(within or {}), plan)

    @classmethod
    def drafted(cls, text: str, path: Path) -> Source:
        """Open the tables of a plan that does not lie at its path."""
        from rafair.plans.plan_file import parse_plan

        plan = parse_plan(text, path)
        return cls(plan.load(), plan)

    @property
    def name(self) -> str:
        """The name, as run directories have it."""
        return self.data.name if self.plan is None else self.plan.path.stem

    def gates(self) -> dict[str, float]:
        """Return the plan's gates.

        Raises
        ------
        InvalidInput
            If a rate is unknown, or its bound does not lie in [0, 1].
        """
        if self.plan is None:
            return {}
        with naming(self.plan.path):
            texts = [f"{name}={bound}" for name, bound in self.plan.gates.items()]
            return parse_limits("--fail-under", texts, DROPPING)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a plan: the file's, and over them those that were given."""
        planned: dict[str, Any] = {}
        if self.plan is not None:
            planned, rows = self.plan.audit, len(self.data.test)
            if "n_seeds" not in given and (planned.get("n_seeds") or 0) > rows:
                raise InvalidInput(
                    f"{self.plan.path}: [audit] n_seeds asks for {planned['n_seeds']}, but the "
                    f"test split has {rows} rows"
                )
        return {**planned, **given}

    def has_model(self, choice: ModelChoice) -> bool:
        """Tell whether a model is named; a benchmark always has its baseline."""
        return self.plan is None or self._completed(choice).path is not None

    def model(self, choice: ModelChoice, device: str) -> tuple[Classifier, Dataset, dict[str, Any]]:
        """Return a model on a device, the data, and what a run notes to find the model again.

        Test rows that the model cannot read are left out of the data; a note names them.

        Raises
        ------
        InvalidInput
            If no model is named, or it cannot be read or used.
        """
        from rafair.models import baseline_path, parse_device

        place = parse_device(device)
        choice = self._completed(choice)
        path = choice.path or (baseline_path(self.data.name) if self.plan is None else None)
        if path is None:
            raise InvalidInput(
                f"{self.plan.path if self.plan else self.name}: names no model; give one with "
                "--model, or train one: rafair train PLAN.toml --out model.safetensors"
            )
        model, data = self._loaded(path, choice)
        is_baseline = self.plan is None and path == baseline_path(self.data.name)
        return (
            _guarded(_moved(model, place), data, choice.guard),
            data,
            {
                "path": "baseline" if is_baseline else str(path.resolve()),
                "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "inputs": choice.inputs,
                "output": choice.output,
                "trust": list(choice.trust),
                **({} if choice.guard is None else {"guard": choice.guard}),
            },
        )

    def _loaded(self, path: Path, choice: ModelChoice) -> tuple[Classifier, Dataset]:
        """Return the model and the data, without the rows that it cannot read if it fails."""
        from rafair.datasets.unread import without_unread
        from rafair.models.loading import load_model, read_model
        from rafair.models.queried import reader

        trusted = {"trust": choice.trust, "unsafe_pickle": choice.unsafe_pickle}

        def load(data: Dataset) -> Classifier:
            how = {"output": choice.output or "auto", "inputs": choice.inputs or "auto"}
            return load_model(path, data.schema, **how, **trusted)  # type: ignore[arg-type]

        try:
            return load(self.data), self.data
        except InvalidInput as error:
            if not isinstance(error.__cause__, ModelFailed):
                raise
            reads = reader(read_model(path, **trusted))  # type: ignore[arg-type]
            data = self.data if reads is None else without_unread(self.data, reads)
            if data is self.data:
                raise
        return load(data), data

    def _completed(self, choice: ModelChoice) -> ModelChoice:
        """Fill in what was not given from the plan."""
        planned = None if self.plan is None else self.plan.model
        if planned is None:
            return choice
        return replace(
            choice,
            path=choice.path or planned.path,
            inputs=choice.inputs or planned.inputs,
            output=choice.output or planned.output,
            trust=(*choice.trust, *planned.trust),
        )

    def origin(self) -> dict[str, Any]:
        """Return what a run notes in its manifest to find the data again."""
        return {"plan": None if self.plan is None else str(self.plan.path.resolve())}


def _advice(path: Path) -> str:
    """Say what to do with what is neither a dataset nor a plan."""
    if path.suffix in TABLE_SUFFIXES:
        return (
            "a table, neither a dataset nor a plan; audit its rows with --model MODEL --test "
            f"{path} --label LABEL --sensitive A,B, or draft a plan: rafair init {path} --label "
            "LABEL --sensitive A,B > plan.toml"
        )
    return "neither a dataset nor a plan, whose name ends in .toml"


def _moved(model: Classifier, place: Any) -> Classifier:
    if not hasattr(model, "to"):
        return model  # its library chooses the device
    moved: Classifier = model.to(place)
    return moved


def _guarded(model: Classifier, data: Dataset, rule: str | None) -> Classifier:
    """Return the guard of a model over the data's I(v), or without a rule the model itself."""
    from rafair.guarding import GuardedClassifier
    from rafair.problem import Counterparts

    if rule is None:
        return model
    return GuardedClassifier(model, Counterparts.of(data.schema), rule)  # type: ignore[arg-type]


def reopen(
    manifest: dict[str, Any], choice: ModelChoice, device: str
) -> tuple[Classifier, Dataset]:
    """Return the model and the data that a run audited.

    Raises
    ------
    InvalidInput
        If the run does not say where its model lies and none is given.
    """
    found, known = manifest["dataset"], manifest["model"]
    source = Source.open(found.get("plan") or found["name"], manifest["schema"]["sensitive"])
    if choice.path is None and known.get("path") is None:
        raise InvalidInput("the run does not say where its model lies; give it with --model")
    if choice.path is None and known["path"] != "baseline":
        choice = replace(choice, path=Path(known["path"]))
    choice = replace(
        choice,
        inputs=choice.inputs or known.get("inputs"),
        output=choice.output or known.get("output"),
        trust=(*choice.trust, *known.get("trust", [])),
        guard=choice.guard or known.get("guard"),
    )
    classifier, data, _ = source.model(choice, device)
    return classifier, data
