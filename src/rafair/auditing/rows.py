"""A row of a result table: the instances that stand for each seed, judged and explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rafair.analysis import Explanation, explain
from rafair.fairness import CELLS, Verdict, first_in_worst_cell, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts
    from rafair.schema import Schema

__all__ = ["Found", "Row", "column_names", "judge_row", "tabulate"]

OWN_COLUMNS = (
    "seed", "stage", "attack", "label", "prediction", "cell", "feasible", "flip_prediction",
    "worst_prediction", "worst_loss", "dissenting", "x",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Row:
    """One line of a table: candidates for each seed and the judge's word on each candidate.

    Attributes
    ----------
    name : str
    candidates : Tensor, shape (c, n, d)
        One instance per seed (the last iterate), all iterates, or those of several attacks.
    verdicts : list of Verdict, length c
    """

    name: str
    candidates: Tensor
    verdicts: list[Verdict]

    @property
    def verdict(self) -> Verdict:
        """The word on each seed: a seed is as bad as the worst of its candidates."""
        return Verdict.worst(self.verdicts)

    @property
    def x(self) -> Tensor:
        """The candidate that lies in the seed's cell, the first of several, shape (n, d)."""
        index, _ = first_in_worst_cell(torch.stack([verdict.cells for verdict in self.verdicts]))
        return self.candidates[index, torch.arange(len(index), device=index.device)]


def judge_row(
    name: str,
    candidates: Tensor,
    model: Classifier,
    y: Tensor,
    counterparts: Counterparts,
    batch_size: BatchSize,
) -> Row:
    """Judge every candidate of every seed, equal ones once."""
    c, n, d = candidates.shape
    labelled = torch.cat([candidates.view(c * n, d), y.repeat(c)[:, None].to(candidates)], dim=1)
    distinct, place = torch.unique(labelled, dim=0, return_inverse=True)
    people, labels = distinct[:, :d].contiguous(), distinct[:, d].long()
    verdict = judge(model, people, labels, counterparts, batch_size=batch_size)
    return Row(name, candidates, [verdict.take(index) for index in place.view(c, n)])


@dataclass(frozen=True, eq=False)
class Found:
    """What became of n seeds in a row of a table, in numbers.

    Attributes
    ----------
    x : Tensor, shape (n, d), unit space
        The instance that stands for each seed.
    feasible : Tensor of bool, shape (n,)
        Whether it is a possible person inside Δ.
    verdict : Verdict
        Over all of I(v).
    why : Explanation
    alone : tuple of Verdict
        Along each sensitive attribute alone, in the schema's order.
    """

    x: Tensor
    feasible: Tensor
    verdict: Verdict
    why: Explanation
    alone: tuple[Verdict, ...] = ()

    @classmethod
    def of(
        cls,
        row: Row,
        feasible: Tensor,
        model: Classifier,
        y: Tensor,
        counterparts: Counterparts,
        loss: str,
        batch_size: BatchSize,
    ) -> Found:
        """Explain the instances of a row."""
        x = row.x
        why = explain(model, x, y, counterparts, loss, batch_size=batch_size)
        return cls(x, feasible, row.verdict, why)

    @classmethod
    def worst(cls, several: Sequence[Found]) -> Found:
        """Return the row of a family: a seed is as bad as in the worst of its variants."""
        cells = torch.stack([found.verdict.cells for found in several])
        index, _ = first_in_worst_cell(cells)
        seed = torch.arange(len(index))

        def chosen(tensors: Sequence[Tensor]) -> Tensor:
            return torch.stack(list(tensors))[index, seed]

        whys = [vars(found.why) for found in several]
        return cls(
            chosen([found.x for found in several]),
            chosen([found.feasible for found in several]),
            Verdict.worst([found.verdict for found in several]),
            Explanation(**{name: chosen([why[name] for why in whys]) for name in whys[0]}),
            tuple(map(Verdict.worst, zip(*(found.alone for found in several), strict=True))),
        )

    def cpu(self) -> Found:
        """Return the same in main memory."""
        numbers = {name: tensor.cpu() for name, tensor in self.tensors().items()}
        return Found.from_tensors(numbers, len(self.alone))

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name; ``from_tensors`` reads them."""
        alone = {
            f"alone.{place}.{name}": tensor
            for place, verdict in enumerate(self.alone)
            for name, tensor in vars(verdict).items()
        }
        own = {"x": self.x, "feasible": self.feasible}
        return {**own, **vars(self.verdict), **vars(self.why), **alone}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], attributes: int) -> Found:
        """Put together what ``tensors`` took apart, with so many sensitive attributes."""

        def verdict(prefix: str) -> Verdict:
            names = Verdict.__dataclass_fields__
            return Verdict(**{name: tensors[prefix + name] for name in names})

        names = Explanation.__dataclass_fields__
        why = Explanation(**{name: tensors[name] for name in names})
        alone = tuple(verdict(f"alone.{place}.") for place in range(attributes))
        return cls(tensors["x"], tensors["feasible"], verdict(""), why, alone)


def tabulate(
    found: Found,
    name: str,
    stage: str,
    seeds: Tensor,
    y: Tensor,
    schema: Schema,
    counterparts: Counterparts,
) -> pd.DataFrame:
    """Return the instances of a row in original units; one line per seed.

    Parameters
    ----------
    found : Found
        In main memory, as ``seeds`` and ``y`` are.
    """
    x, why = found.x, found.why
    classes = pd.Index(schema.classes)
    own = {
        "seed": seeds.numpy(),
        "stage": stage,
        "attack": name,
        "label": classes.take(y.numpy()),
        "prediction": classes.take(why.prediction.numpy()),
        "cell": np.array(CELLS)[found.verdict.cells.numpy()],
        "feasible": found.feasible.numpy(),
    }
    columns = column_names(schema)
    names = [columns[name]["column"] for name in schema.names]
    people = schema.decode_features(x).set_axis(names, axis=1)
    others = _counterpart_columns(why, x, schema, counterparts)
    exact = {"x": list(x.to(torch.float64).numpy())}
    return pd.concat([pd.DataFrame(own), people, others, pd.DataFrame(exact)], axis=1)


def column_names(schema: Schema) -> dict[str, dict[str, str]]:
    """Return where the instances table holds each feature, each column once.

    Returns
    -------
    dict of dict of str
        Feature → ``"column"`` (the person's value) and, for a sensitive one, ``"flip"`` and
        ``"worst"`` (the counterparts' values). A name that is taken gets ``feature_`` in front.
    """
    taken = set(OWN_COLUMNS)

    def free(prefix: str, name: str) -> str:
        while prefix + name in taken:
            name = f"feature_{name}"
        taken.add(prefix + name)
        return prefix + name

    names = {name: {"column": free("", name)} for name in schema.names}
    for name in schema.sensitive:
        names[name] |= {kind: free(f"{kind}_", name) for kind in ("flip", "worst")}
    return names


def _counterpart_columns(
    why: Explanation, x: Tensor, schema: Schema, counterparts: Counterparts
) -> pd.DataFrame:
    classes, names = pd.Index(schema.classes), column_names(schema)
    columns: dict[str, object] = {}
    for kind, index, prediction in (
        ("flip", why.flip, why.flip_prediction),
        ("worst", why.worst, why.worst_prediction),
    ):
        someone = (index >= 0).numpy()
        people = schema.decode_features(counterparts.take(x, index))
        for name in schema.sensitive:
            columns[names[name][kind]] = people[name].astype(object).where(someone, None)
        decided = pd.Series(classes.take(prediction.numpy())).astype(object)
        columns[f"{kind}_prediction"] = decided.where(someone, None)
    columns["worst_loss"] = why.worst_loss.numpy()
    columns["dissenting"] = why.dissenting.numpy()
    return pd.DataFrame(columns).infer_objects()
