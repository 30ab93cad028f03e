"""``rafair.certify_region``: where in a region is everybody treated as their counterparts are?"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.auditing.metadata import described, digest_of_columns, versions
from rafair.auditing.partition import Box, Splitter
from rafair.auditing.region_tables import box_table, region_metrics
from rafair.certificates import MAX_NODES
from rafair.certificates.region_boxes import BoxAnswer, BoxPeople
from rafair.certificates.regions import KNOWN, RegionQuestion
from rafair.checks import check_number, check_positive, check_whole
from rafair.engine import Engine, Memory, Runner, Shard, Task, silent
from rafair.models import Classifier, wrap
from rafair.problem import Counterparts, PerturbationSpace
from rafair.runs import RegionResult, load_regions
from rafair.schema import read_regions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rafair.datasets import Dataset
    from rafair.engine import Progress, Store
    from rafair.problem.space import Setting
    from rafair.schema import Conditioned, Region, Schema

__all__ = ["certify_region"]

# Boxes of a shard: few, so that little is lost where a run is interrupted.
SHARD = 8
# A round halves every open box with at least this share of the people of the fullest one.
FULL = 0.25
MOST_BOXES = 1_000_000


def certify_region(
    model: Any,
    schema: Schema,
    region: Conditioned | Sequence[Conditioned] = None,
    *,
    data: Dataset | None = None,
    sensitive: str | Sequence[str] | None = None,
    partition: int = 1,
    epsilon: float = 0.0,
    setting: Setting | None = None,
    counterparts: int | None = None,
    random_state: int = 0,
    max_nodes: int = MAX_NODES,
    max_seconds: float | None = None,
    engine: Engine | None = None,
    store: Store | None = None,
    on_progress: Progress = silent,
) -> RegionResult:
    """Prove that nobody in a region has a counterpart who is decided otherwise, or show a pair.

    No labels are needed. A person is a combination of possible values, whose sensitive values
    form a combination of I(v), and who meets the schema's relations.

    Parameters
    ----------
    model : Classifier, or any model that ``wrap`` takes
        It must have certificates; see ``certify``.
    schema : Schema
    region : str, mapping or None, or a list of these
        Conditions on single features, which all hold: ``"age in [25, 40], sex == 'female'"`` or
        ``{"age": (25, 40), "sex": "female"}``; see ``read_region``. By default everybody.
        Conditions on sensitive features limit v, not v's counterparts. A list asks about each of
        its regions; thousands in one call take far less time than in a call each.
    data : Dataset, optional
        Its test rows in the region say which share of people each answer covers, and where boxes
        are halved.
    sensitive : str or sequence of str, optional
        The features that I(v) varies; by default the schema's.
    partition : int
        Halve boxes until there are so many: those that are not fair everywhere, where most people
        are, along the feature that divides these best and moves the model most. Levels of a
        category that are no neighbours, and several regions, make several boxes from the start.
    epsilon : float
        Radius of Δ, a share of each range: also nobody whom Δ makes of a person in the region may
        be decided otherwise than a counterpart. 0, the default, is the people themselves.
    setting : {"paper", "feasible"}, optional
        What Δ moves; by default the schema's.
    counterparts : int, optional
        Sample so many combinations of I(v) instead of all; a person has one of these.
    random_state : int
        Of the sample.
    max_nodes : int
        Boxes that branch and bound may bound for each box of people.
    max_seconds : float, optional
        Stop after this time; what is left is undecided, and the manifest says so. A run in a
        directory can continue.
    engine, store, on_progress : see ``rafair.audit``

    Returns
    -------
    RegionResult
        The same for any number of workers, whether or not the run was ever interrupted. The boxes
        of a region have the answers that they have if it is asked about alone.

    Raises
    ------
    InvalidInput
        If a region cannot be read or nobody lies in it, a number is not possible, the model has
        no certificates, or the store holds another run.
    """
    check_whole("partition", partition, 1, MOST_BOXES)
    check_number("epsilon", epsilon)
    if max_seconds is not None:
        check_positive("max_seconds", max_seconds)
    if sensitive is not None:
        schema = schema.with_sensitive(sensitive)
        data = data if data is None else data.with_sensitive(sensitive)
    model = model if isinstance(model, Classifier) else wrap(model, schema)
    setting = schema.setting if setting is None else setting
    space = PerturbationSpace.of(schema, epsilon, setting) if epsilon else None
    people = Counterparts.of(schema, sample=counterparts, random_state=random_state)
    regions = read_regions(region, schema.features)
    question = RegionQuestion(model, schema, people, space, max_nodes)
    asked = {
        **_written(regions),
        "partition": partition,
        "epsilon": epsilon,
        "setting": setting if epsilon else None,
        "max_nodes": max_nodes,
        "counterparts": counterparts,
        "random_state": random_state,
    }
    runner = Runner(store or Memory(), engine or Engine(), on_progress)
    finished = runner.store.begin(_identity(question, data, asked))
    if finished is not None:
        return load_regions(finished)
    end = math.inf if max_seconds is None else time.time() + max_seconds
    x = torch.zeros(0, len(schema.features)) if data is None else data.test.x.cpu()
    allowed = tuple(map(question.allowed, regions))
    search = _Search(question, allowed, Splitter.of(schema, x, model), runner, end)
    boxes, stopped = search.run(search.roots(regions), partition)
    people_of = None if data is None else x
    metrics = {
        "dataset": None if data is None else data.name,
        "regions": region_metrics(boxes, question, regions, people_of, asked),
    }
    return RegionResult(
        metrics, box_table(boxes, question), _manifest(question, data, asked, stopped)
    )


def _written(regions: Sequence[Region]) -> dict[str, Any]:
    """Return what the result keeps of the regions; of a single one its intervals, too."""
    if len(regions) > 1:
        return {"region": [region.text for region in regions]}
    return {"region": regions[0].text, "intervals": regions[0].intervals}


@dataclass(frozen=True, eq=False)
class _Search:
    """Decides boxes of people and halves them, round by round.

    ``allowed`` says of each region which combinations of I(v) its people may have, each (m,).
    """

    question: RegionQuestion
    allowed: tuple[Tensor, ...]
    splitter: Splitter
    runner: Runner
    end: float

    def roots(self, regions: Sequence[Region]) -> list[Box]:
        """Return the boxes of the regions, with the people of the data in them."""
        return [
            box for place, region in enumerate(regions) for box in self._roots_of(region, place)
        ]

    def _roots_of(self, region: Region, place: int) -> Iterator[Box]:
        low, high = region.boxes(self.question.counterparts.columns)
        x, columns = self.splitter.x, self.splitter.columns
        inside, nobody = region.holds(x), torch.zeros(0, dtype=torch.int64)
        for corners in zip(low, high, strict=True):
            root = Box(*corners, nobody, place)
            yield replace(root, people=(inside & root.holds(x, columns)).nonzero()[:, 0])

    def run(self, boxes: list[Box], partition: int) -> tuple[list[Box], bool]:
        """Decide the boxes, and halve and decide until there are enough; tell if time ran out."""
        turn = 0
        while True:
            boxes, stopped = self._decided(boxes, turn)
            chosen = [] if stopped else self._chosen(boxes, partition - len(boxes))
            if not chosen:
                return boxes, stopped
            halved = set(chosen)
            boxes = [
                part
                for place, box in enumerate(boxes)
                for part in (self.splitter.halves(box) if place in halved else (box,))
            ]
            turn += 1

    def _chosen(self, boxes: Sequence[Box], room: int) -> list[int]:
        """Return which boxes to halve: the open ones with most people, at most ``room``."""
        places = [
            place
            for place, box in enumerate(boxes)
            if not box.is_final and self.splitter.can_split(box)
        ]
        places.sort(key=lambda place: (-len(boxes[place].people), place))
        if not places:
            return []
        least = FULL * len(boxes[places[0]].people)
        return [place for place in places if len(boxes[place].people) >= least][: max(room, 0)]

    def _decided(self, boxes: Sequence[Box], turn: int) -> tuple[list[Box], bool]:
        """Decide the boxes that have no answer yet."""
        places = [place for place, box in enumerate(boxes) if not box.is_asked]
        pieces = [places[at : at + SHARD] for at in range(0, len(places), SHARD)]
        tasks = [
            Task(f"boxes-{turn:06d}-{at:06d}", self._work(boxes, piece), "boxes", len(piece))
            for at, piece in enumerate(pieces)
        ]
        shards = self.runner.run(partial(_decide, self.question, self.end), tasks)
        answered = list(boxes)
        for piece, shard in zip(pieces, shards, strict=True):
            for at, place in enumerate(piece):
                answered[place] = boxes[place].answered(_answer(shard.tensors, at))
        return answered, not all(shard.is_whole for shard in shards)

    def _work(self, boxes: Sequence[Box], piece: Sequence[int]) -> tuple[BoxPeople, ...]:
        return tuple(self._people(boxes[place]) for place in piece)

    def _people(self, box: Box) -> BoxPeople:
        known = self.splitter.x[box.people[:KNOWN]].to(torch.float32)
        return BoxPeople(box.low, box.high, self.allowed[box.region], known)


def _decide(question: RegionQuestion, end: float, work: Sequence[BoxPeople]) -> Shard:
    """Decide some boxes."""
    answers = [question.decide(people, end) for people in work]
    numbers = {
        name: torch.tensor([getattr(answer, name) for answer in answers])
        for name in ("status", "reason", "nodes")
    }
    pairs = torch.stack([answer.pair for answer in answers])
    return Shard({**numbers, "pair": pairs}, {"stopped": time.time() >= end})


def _answer(tensors: Mapping[str, Tensor], at: int) -> BoxAnswer:
    status, reason, nodes = (int(tensors[name][at]) for name in ("status", "reason", "nodes"))
    return BoxAnswer(status, reason, nodes, tensors["pair"][at])


def _identity(
    question: RegionQuestion, data: Dataset | None, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything that the result depends on, as JSON values."""
    parts = {
        "kind": "regions",
        "rafair": version("rafair"),
        "torch": version("torch"),
        "data": None if data is None else data.digest(),
        "sensitive": list(question.schema.sensitive),
        "columns": digest_of_columns(question.schema),
        "model": question.model.digest(),
        "certified": asked,
        "device": question.model.device.type,
    }
    found: dict[str, Any] = json.loads(json.dumps(parts))
    return found


def _manifest(
    question: RegionQuestion, data: Dataset | None, asked: Mapping[str, Any], stopped: bool
) -> dict[str, Any]:
    model, people = question.model, question.counterparts
    about = None
    if data is not None:
        about = {"name": data.name, "sha256": data.digest(), "n_test": len(data.test)}
    return {
        "tool": "rafair",
        "versions": versions(),
        "regions": dict(asked),
        "dataset": about,
        "model": {
            "sha256": model.digest(),
            "kind": getattr(model, "kind", type(model).__name__),
            "dtype": str(model.dtype).removeprefix("torch."),
        },
        "counterparts": {"checked": len(people), "of": people.total},
        "schema": described(question.schema),
        "stopped": stopped,
    }
