"""What the boxes of a region say: their table, and how much of the region each answer covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from rafair.auditing.partition import Splitter, sizes
from rafair.certificates.region_boxes import REASONS
from rafair.fairness import rates
from rafair.runs.regions import ANSWERS
from rafair.schema import read_region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.auditing.partition import Box
    from rafair.certificates.regions import RegionQuestion
    from rafair.fairness import Rates
    from rafair.schema import Region

__all__ = ["box_table", "region_metrics"]

WORDS = dict(zip((1, -1, 0), ANSWERS, strict=True))


def region_metrics(
    boxes: Sequence[Box],
    question: RegionQuestion,
    regions: Sequence[Region],
    x: Tensor | None,
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the shares of boxes, of the regions and of the data's people by answer."""
    words = [WORDS[box.answer.status] for box in boxes]
    shares = dict(zip(ANSWERS, (0.0,) * len(ANSWERS), strict=True))
    for word, share in zip(words, _shares(boxes, question).tolist(), strict=True):
        shares[word] += share
    return {
        "region": asked["region"],
        "epsilon": asked["epsilon"],
        "setting": asked["setting"],
        "boxes": {"n": len(boxes), **{word: words.count(word) for word in ANSWERS}},
        "domain": _share_of_domain(question, regions),
        "share": shares,
        "people": None if x is None else _people(boxes, words),
    }


def _people(boxes: Sequence[Box], words: Sequence[str]) -> dict[str, Any] | Rates | None:
    """Return the shares of the people in the boxes by answer; None if nobody is in them.

    Whoever is in boxes of several regions counts once: by a proof if there is one, then by a
    witness.
    """
    people = torch.cat([box.people for box in boxes])
    if not len(people):
        return None
    counts = torch.tensor([len(box.people) for box in boxes])
    answers = torch.tensor([list(ANSWERS).index(word) for word in words]).repeat_interleave(counts)
    found = torch.full((int(people.max()) + 1,), len(ANSWERS))
    found = found.scatter_reduce(0, people, answers, "amin")
    place = found[found < len(ANSWERS)]
    events = {word: place == at for at, word in enumerate(ANSWERS)}
    return {"n": len(place), **rates(events)}


def _shares(boxes: Sequence[Box], question: RegionQuestion) -> Tensor:
    """Return each box's share of the possible people of the region, shape (b,)."""
    low, high = _corners(boxes)
    share = sizes(low, high, (low.amin(dim=0), high.amax(dim=0)), _splitter(question))
    return share / share.sum()


def _share_of_domain(question: RegionQuestion, regions: Sequence[Region]) -> float:
    schema, columns = question.schema, question.counterparts.columns
    whole = read_region(None, schema.features).boxes(columns)
    corners = zip(*(region.boxes(columns) for region in regions), strict=True)
    low, high = map(torch.cat, corners)
    return float(sizes(low, high, (whole[0][0], whole[1][0]), _splitter(question)).sum())


def _splitter(question: RegionQuestion) -> Splitter:
    return Splitter.of(question.schema, torch.zeros(0, len(question.schema.features)))


def _corners(boxes: Sequence[Box]) -> tuple[Tensor, Tensor]:
    return torch.stack([box.low for box in boxes]), torch.stack([box.high for box in boxes])


def box_table(boxes: Sequence[Box], question: RegionQuestion) -> pd.DataFrame:
    """Return a row for each box, in original units; see ``RegionResult``."""
    schema = question.schema
    free = [feature.name for feature in schema.features if not feature.sensitive]
    ends = [schema.decode_features(corner)[free] for corner in _corners(boxes)]
    own = pd.DataFrame(
        {
            "region": [box.region for box in boxes],
            "status": [WORDS[box.answer.status] for box in boxes],
            "reason": pd.Series([REASONS[box.answer.reason] for box in boxes], dtype="str"),
            "people": [len(box.people) for box in boxes],
            "share": _shares(boxes, question).numpy(),
            "nodes": [box.answer.nodes for box in boxes],
        }
    )
    corners = [end.add_prefix(prefix) for prefix, end in zip(("low_", "high_"), ends, strict=True)]
    return pd.concat([own, *corners, *_witnesses(boxes, question)], axis=1)


def _witnesses(boxes: Sequence[Box], question: RegionQuestion) -> list[pd.DataFrame]:
    """Return the columns of the witnesses' people, with None where a box has none."""
    width = len(question.schema.features)
    pairs = torch.stack([box.answer.pair.expand(3, width) for box in boxes])
    someone = ~pairs.isnan().any(dim=2).any(dim=1).numpy()
    kinds = ("person", "perturbed", "counterpart")
    shown = [0, 2] if question.space is None else [0, 1, 2]
    return [
        question.schema.decode_features(pairs[:, place].nan_to_num())
        .astype(object)
        .apply(lambda column: column.where(someone, None))
        .infer_objects()
        .add_prefix(f"{kinds[place]}_")
        for place in shown
    ]
