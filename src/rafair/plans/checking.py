"""Says what a plan means before it is run: what moves, who is compared, what it costs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from rafair.certificates import prover_of, why_uncertified
from rafair.display import Table, as_html, as_text, printable
from rafair.errors import InvalidInput
from rafair.fairness.quality import accuracy_figures
from rafair.plans.attacks import families_of
from rafair.problem.batching import forward_rows
from rafair.problem.gradients import gradient_rows
from rafair.problem.losses import CrossEntropy
from rafair.problem.space import SLACK
from rafair.problem.validation import check_classes
from rafair.schema.summary import distance_from_own, who_is_comparable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.plans.plan import Plan
    from rafair.schema import Feature

__all__ = ["FeatureSummary", "PlanCheck", "check_model", "check_table"]

READS = {
    "unit": "rows of unit space",
    "original": "rows in original units",
    "frame": "frames in original units",
}
GIVES = {"gradient": "gradients", "scores": "scores", "labels": "decisions alone"}
TOO_SMALL = "nowhere: ε is too small"
# Number of rows on which a model is timed.
TIMED_ROWS = 2_048
# Number of test rows whose counterparts are counted.
COUNTED = 200


@dataclass(frozen=True)
class FeatureSummary:
    """One line about a feature: its kind and domain, and how far it may move."""

    name: str
    kind: str
    domain: str
    moves: str


@dataclass(frozen=True, repr=False)
class PlanCheck:
    """What a plan means: a line for each feature, and sentences about the whole.

    Attributes
    ----------
    features : tuple of FeatureSummary
    lines : tuple of str
    """

    features: tuple[FeatureSummary, ...]
    lines: tuple[str, ...]

    @property
    def table(self) -> Table:
        """The features, a line each."""
        rows = [(f.name, f.kind, f.moves, f.domain) for f in self.features]
        heads = ("feature", "kind", "moves", "domain")
        return Table("Features and what may change", heads, rows, texts=(1, 2, 3))

    def __repr__(self) -> str:
        return "\n".join([as_text(self.table), "", *map(printable, self.lines)])

    def _repr_html_(self) -> str:
        return as_html(self.table, self.lines)


def check_table(data: Dataset, plan: Plan) -> PlanCheck:
    """Describe the data, Δ and I(v).

    Raises
    ------
    InvalidInput
        If I(v) or Δ cannot be built.
    """
    space = plan.space(data.schema)
    reach = space.reach(data.test.x[:1])
    summaries = tuple(
        FeatureSummary(f.name, f.kind, _domain(f), _moves(f, float(reach[place]), plan))
        for place, f in enumerate(data.schema.features)
    )
    small = [
        _enough(f, plan)
        for f, s in zip(data.schema.features, summaries, strict=True)
        if s.moves == TOO_SMALL
    ]
    return PlanCheck(summaries, (*_table_lines(data, plan), *small))


def _enough(feature: Feature, plan: Plan) -> str:
    """Say what to write for a feature that ε does not move by one level or whole number."""
    spacing = feature.spacing or 0.0
    size = spacing * feature.span
    what = "one level" if feature.has_levels else f"a step of {size:g}"
    share = math.ceil(1000 * spacing / feature.bulk_share) / 1000
    given = "its own ε" if feature.epsilon is not None else f"ε = {plan.radius:g}"
    everywhere = "" if feature.epsilon is not None else f", or ε = {share:g} for all features"
    return (
        f"{feature.name}: {given} is less than {what}; write epsilon = "
        f"{size:g} in its section of a plan{everywhere}."
    )


def _domain(feature: Feature) -> str:
    if not feature.has_levels:
        most = f" (most: {_range(feature.bulk)})" if feature.bulk else ""
        gap = " or missing" if feature.has_gaps else ""
        return f"{_range(feature.domain)} {feature.unit}".strip() + most + gap
    return ", ".join(map(str, feature.domain))


def _range(ends: Sequence[Any]) -> str:
    return f"{ends[0]:.10g} to {ends[1]:.10g}"


def _moves(feature: Feature, reach: float, plan: Plan) -> str:
    if feature.sensitive:
        near = "" if feature.within is None else f", {distance_from_own(feature)}"
        return f"sensitive, {len(feature.axis)} values{near}"
    if reach == 0:
        return "fixed"
    if plan.setting == "paper":
        return f"±{reach:g} of the range"
    if feature.kind == "categorical":
        return "to any level"
    far = reach * feature.span
    steps = round(reach / feature.spacing - 0.5 + SLACK) if feature.spacing else None
    if feature.has_levels:
        return f"±{steps} levels" if steps else TOO_SMALL
    if steps == 0:
        return TOO_SMALL
    return f"±{far:g} {feature.unit}".strip()


def _table_lines(data: Dataset, plan: Plan) -> Iterator[str]:
    schema, people = data.schema, plan.people(data.schema)
    yield (
        f"{data.name}: {len(data.train):,} rows to train, {len(data.test):,} to test; label "
        f"{schema.label} is {' or '.join(map(str, schema.classes))}, the last one positive."
    )
    yield from data.notes
    every = f"{len(people):,}" if len(people) == people.total else f"{len(people):,} sampled of"
    total = "" if len(people) == people.total else f" {people.total:,}"
    yield f"I(v) has {every}{total} combinations of {', '.join(schema.sensitive)}."
    for text in schema.relations:
        yield f"Relation: {text}"
    for text in who_is_comparable(schema.features):
        yield f"Comparable: {text}."
    if people.varies:
        counts = people.valid(data.test.x[:COUNTED]).sum(dim=1)
        least, most = int(counts.min()), int(counts.max())
        counted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        yield f"That leaves each person {counted} of them."


def check_model(model: Classifier, data: Dataset, plan: Plan) -> list[str]:
    """Describe a model, how well it fits the data, and what an audit with it costs.

    Raises
    ------
    InvalidInput
        If model and data do not fit together.
    """
    check_classes(model, data)
    x, y = data.test.x.to(model.device), data.test.y.to(model.device)
    found = accuracy_figures(model, x, y)
    lines = [
        (
            f"Model: {getattr(model, 'kind', type(model).__name__)}; it reads "
            f"{READS[getattr(model, 'reads', 'unit')]} and gives {GIVES[model.access]}."
        ),
        (
            f"On the test split: accuracy {found['accuracy']:.3f}, majority share "
            f"{found['majority_share']:.3f}, balanced accuracy {found['balanced_accuracy']:.3f}."
        ),
    ]
    if found["accuracy"] < found["majority_share"]:
        lines.append(
            "That is worse than always answering the most frequent class: are inputs (unit, "
            "original, frame), the order of the classes and positive right?"
        )
    blind = [
        family
        for family, members in families_of(plan, data.schema).items()
        if model.access != "gradient" and any(attack.gradients for attack in members.values())
    ]
    if blind:
        return [*lines, f"{', '.join(blind)} need gradients; use the attack square."]
    return [*lines, _cost(model, data, plan)]


def _cost(model: Classifier, data: Dataset, plan: Plan) -> str:
    n = len(data.test) if plan.n_seeds is None else plan.n_seeds
    if n > len(data.test):
        raise InvalidInput(f"{n} seeds asked for, but the test split has {len(data.test)} rows")
    m = len(plan.people(data.schema))
    attacks = [attack for members in families_of(plan, data.schema).values() for attack in members]
    if model.access == "gradient":
        rows, what = n * (m + 2) * plan.steps * len(attacks), "gradient rows"
    else:
        rows, what = n * plan.queries * len(attacks), "queries"
    rate = _rows_per_second(model, data)
    proofs = ""
    if plan.certify is not False and why_uncertified(model) is None:
        kind = prover_of(model).certainty.capitalize()
        proofs = f" {kind} proofs take at most {_time(plan.proof_seconds(n))} more."
    return (
        f"Cost: {', '.join(attacks)} on {n:,} seeds take at most {rows / 1e6:,.1f} million {what}; "
        f"at {rate:,.0f} a second here, {_time(rows / rate)}.{proofs}"
    )


def _rows_per_second(model: Classifier, data: Dataset) -> float:
    index = torch.arange(TIMED_ROWS) % len(data.test)
    x, y = data.test.x[index].to(model.device), data.test.y[index].to(model.device)

    def once() -> None:
        if model.access == "gradient":
            gradient_rows(model, x, y, CrossEntropy())
        else:
            forward_rows(model, x)

    once()
    start = time.perf_counter()
    once()
    return TIMED_ROWS / max(time.perf_counter() - start, 1e-9)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
