import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from rafair.auditing import region_tables, regions
from rafair.certificates import certificate
from rafair.fairness.decisions import predict
from rafair.problem import PerturbationSpace
from rafair.runs import load_regions, write_regions
from rafair.schema import read_region

# Small enough to ask everybody: 4 · 3 · 5 people who differ in more than sex and age, times 6.
FEATURES = [
    rafair.Feature("rooms", "integer", (0, 3)),
    rafair.Feature("job", "categorical", ("none", "part", "full"), switch=True),
    rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
    rafair.Feature("grade", "ordinal", ("a", "b", "c", "d", "e")),
    rafair.Feature("age", "integer", (20, 40), sensitive=True, observed=(20.0, 30.0, 40.0)),
]
FREE = ["rooms", "job", "grade"]


def make_schema(*relations):
    return rafair.Schema(FEATURES, "paid", ("no", "yes"), relations=relations)


def make_model(seed, sharpness=1.0, bias=0.0):
    """Tell classes apart along a random surface; the bias moves it out of some of the domain."""
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)]
    for layer in layers[::2]:
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator)
        layer.bias.data = torch.randn(layer.bias.shape, generator=generator) * 0.3
    layers[0].weight.data[:, [2, 4]] *= sharpness
    layers[-1].bias.data += torch.tensor([0.0, bias])
    return rafair.wrap(nn.Sequential(*layers).eval(), output="logits")


def everybody(schema):
    """Every possible combination of values, as a frame and in unit space."""
    values = [
        range(4), ("none", "part", "full"), ("f", "m"), ("a", "b", "c", "d", "e"), (20, 30, 40)
    ]  # fmt: skip
    frame = pd.DataFrame(itertools.product(*values), columns=[f.name for f in FEATURES])
    return frame, schema.encode(frame)


def unfair_people(model, schema):
    """Return everybody who exists and has a counterpart of another class, one after the other."""
    frame, x = everybody(schema)
    frame = frame[schema.conditions.met(x).numpy()]
    x = schema.encode(frame)
    decided = pd.Series(predict(model, x.float()).numpy(), frame.index)
    classes = decided.groupby([frame[name] for name in FREE]).transform("nunique")
    return frame, frame[classes > 1]


def inside(frame, box):
    levels = {f.name: list(f.domain) for f in FEATURES if f.has_levels}
    held = np.ones(len(frame), dtype=bool)
    for name in FREE:
        value, low, high = frame[name], box[f"low_{name}"], box[f"high_{name}"]
        if name in levels:
            value = value.map(levels[name].index)
            low, high = levels[name].index(low), levels[name].index(high)
        held &= ((value >= low) & (value <= high)).to_numpy()
    return frame[held]


MODELS = [make_model(seed, bias=bias) for seed in (0, 1, 2) for bias in (-1.0, 0.5)]

# Unfair towards many, so that its boxes are halved.
UNFAIR = make_model(1, sharpness=4.0, bias=-1.0)


@pytest.mark.parametrize("relations", [(), ("rooms >= 1 or age >= 30",), ("rooms != 2",)])
def test_answers_are_those_of_asking_everybody(relations):
    schema, seen = make_schema(*relations), set()
    for model in MODELS:
        people, unfair = unfair_people(model, schema)
        found = rafair.certify_region(model, schema, partition=8)
        for _, box in found.boxes.iterrows():
            if not len(inside(people, box)):
                assert box["status"] == "undecided"
                continue
            expected = "unfair" if len(inside(unfair, box)) else "fair"
            assert box["status"] == expected
            seen.add(expected)
    assert seen == {"fair", "unfair"}


def unfair_within(model, frame, x, years):
    """Tell who has a counterpart at most so many years from their own age of another class."""
    decided = predict(model, x.float()).numpy()
    unfair = np.zeros(len(frame), dtype=bool)
    for rows in frame.groupby(FREE).indices.values():
        near = np.abs(np.subtract.outer(*[frame["age"].to_numpy()[rows]] * 2)) <= years
        unfair[rows] = (near & (decided[rows][:, None] != decided[rows])).any(axis=1)
    return unfair


@pytest.mark.parametrize("relations", [(), ("rooms >= 1 or age >= 30",)])
def test_answers_about_near_counterparts_are_those_of_asking_everybody(relations):
    features = [*FEATURES[:-1], replace(FEATURES[-1], within=10.0)]
    schema, seen = rafair.Schema(features, "paid", ("no", "yes"), relations=relations), set()
    for model in MODELS:
        frame, x = everybody(schema)
        possible = schema.conditions.met(x).numpy()
        frame, x = frame[possible].reset_index(drop=True), x[possible]
        unfair = unfair_within(model, frame, x, 10)
        found = rafair.certify_region(model, schema, "age <= 30", partition=6)
        for _, box in found.boxes.iterrows():
            asked = inside(frame[frame["age"] <= 30], box).index
            expected = "unfair" if unfair[asked].any() else "fair"
            assert box["status"] == expected or (relations and box["status"] == "undecided")
            seen.add(box["status"])
    assert {"fair", "unfair"} <= seen


def test_conditions_limit_the_person_and_not_the_counterparts():
    schema = make_schema()
    for model in MODELS:
        _, unfair = unfair_people(model, schema)
        found = rafair.certify_region(model, schema, "sex == 'm', age >= 25, rooms in [1, 2]")
        (box,) = found.boxes.to_dict("records")
        some = unfair[(unfair["sex"] == "m") & (unfair["age"] > 25) & unfair["rooms"].isin([1, 2])]
        assert box["status"] == ("unfair" if len(some) else "fair")
        if box["status"] == "unfair":
            assert (box["person_sex"], box["person_age"] in (30, 40)) == ("m", True)


def test_a_witness_is_decided_otherwise_than_a_counterpart():
    schema = make_schema("rooms >= 1 or age >= 30")
    for model in MODELS:
        table = rafair.certify_region(model, schema, partition=4).boxes
        for _, box in table[table["status"] == "unfair"].iterrows():
            pair = pd.DataFrame(
                [[box[f"{who}_{f.name}"] for f in FEATURES] for who in ("person", "counterpart")],
                columns=schema.names,
            )
            x = schema.encode(pair)
            assert schema.possible(x).all()
            assert pair[FREE].iloc[0].tolist() == pair[FREE].iloc[1].tolist()
            assert len(predict(model, x.float()).unique()) == 2
            assert len(inside(pair, box)) == 2


REGION = "rooms <= 1, job == 'none', grade in ['a', 'b']"


def under_changes(model, schema, setting):
    """Return the answer for a small region, the Δ, and the region's people in unit space."""
    _, x = everybody(schema)
    x = x[schema.conditions.met(x)]
    found = rafair.certify_region(model, schema, REGION, epsilon=0.34, setting=setting)
    space = PerturbationSpace.of(schema, 0.34, setting)
    people = x[read_region(REGION, schema.features).holds(x)]
    return found.boxes["status"].item(), space, people


@pytest.mark.parametrize("relations", [(), ("rooms >= 1 or age >= 30", "rooms != 2")])
def test_under_possible_changes_answers_are_those_of_asking_everybody_within_reach(relations):
    schema, seen = make_schema(*relations), set()
    for model in MODELS:
        status, space, people = under_changes(model, schema, "feasible")
        _, unfair = unfair_people(model, schema)
        x = schema.encode(unfair)
        reached = any(bool(space.contains(x, v.expand(len(x), -1)).any()) for v in people)
        assert status == ("unfair" if reached else "fair")
        seen.add(status)
    assert seen == {"fair", "unfair"}


def test_under_possible_changes_nobody_counts_who_is_between_two_possible_values():
    module = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    module[0].weight.data = torch.tensor([[3.0, 0, 0, 0, 0], [-3.0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0]])
    module[0].bias.data = torch.tensor([-1.5, 1.5, 0.0])
    # Men within 0.3 rooms of 1.5 are decided otherwise than women; nobody has 1.5 rooms.
    module[2].weight.data = torch.tensor([[0.0, 0.0, 0.0], [-1.0, -1.0, 1.0]])
    module[2].bias.data = torch.tensor([0.0, -0.7])
    model, schema = rafair.wrap(module.eval(), output="logits"), make_schema()
    found = {
        setting: rafair.certify_region(model, schema, "rooms == 1", epsilon=0.34, setting=setting)
        for setting in ("feasible", "paper")
    }
    assert {setting: each.boxes["status"].item() for setting, each in found.items()} == {
        "feasible": "fair",
        "paper": "unfair",
    }


def test_what_is_fair_under_any_change_has_no_unfair_point_on_a_grid():
    schema, seen = make_schema(), set()
    for model in MODELS:
        status, space, people = under_changes(model, schema, "paper")
        seen.add(status)
        x = torch.zeros(11**3, 5)
        x[:, [0, 1, 3]] = torch.cartesian_prod(*[torch.linspace(0, 0.7, 11)] * 3)
        everyone = rafair.Counterparts.of(schema).rows(x)
        decided = predict(model, everyone).view(len(x), -1)
        unfair = x[(decided != decided[:, :1]).any(dim=1)]
        start = people[:1].to(unfair.dtype)
        near = [
            v for v in people.float() if ((unfair - v)[:, [0, 1, 3]].abs() <= 0.34).all(1).any()
        ]
        assert not near or status != "fair"
        assert space.reach(start).max() == pytest.approx(0.34)
    assert {"fair", "unfair"} <= seen


def test_a_changed_witness_lies_within_reach_of_its_person():
    schema = make_schema()
    found = [
        rafair.certify_region(model, schema, "rooms == 0", epsilon=0.34, setting="feasible")
        for model in MODELS
    ]
    table = pd.concat([each.boxes for each in found])
    table = table[table["status"] == "unfair"]
    assert len(table)
    person, perturbed, counterpart = (
        schema.encode(
            table[[f"{who}_{name}" for name in schema.names]].set_axis(schema.names, axis=1)
        )
        for who in ("person", "perturbed", "counterpart")
    )
    space = PerturbationSpace.of(schema, 0.34, "feasible")
    assert bool(space.contains(perturbed, person).all())
    assert (table["person_rooms"] == 0).all()
    assert bool((perturbed != counterpart).any(dim=1).all())


SEVERAL = [
    "rooms <= 1, sex == 'm'",
    {"grade": ("b", "d"), "job": ["none", "full"]},
    "rooms in [2, 3], age >= 30",
    None,
]


def without_share(boxes):
    """Return a table whose cells without a value are all None, and without shares of a whole."""
    cells = boxes.drop(columns="share").astype(object)
    return cells.where(cells.notna(), None)


@pytest.mark.parametrize("relations", [(), ("rooms >= 1 or age >= 30",)])
@pytest.mark.parametrize("epsilon", [0.0, 0.34])
def test_several_regions_have_the_answers_of_one_by_one(relations, epsilon):
    schema, seen = make_schema(*relations), set()
    for model in MODELS:
        alone = [
            rafair.certify_region(model, schema, region, epsilon=epsilon).boxes.assign(region=place)
            for place, region in enumerate(SEVERAL)
        ]
        boxes = rafair.certify_region(model, schema, SEVERAL, epsilon=epsilon).boxes
        expected = pd.concat(alone, ignore_index=True)
        pd.testing.assert_frame_equal(without_share(boxes), without_share(expected))
        seen |= set(boxes["status"])
    assert {"fair", "unfair"} <= seen


def test_several_regions_count_each_of_the_datas_people_once(credit, credit_model):
    regions = ["duration >= 30, sex == 'female'", "", "duration >= 30"]
    found = rafair.certify_region(credit_model, credit.schema, regions, data=credit)
    (answer, frame) = found.metrics["regions"], credit.test.frame
    assert answer["region"] == regions
    long = frame["duration"] >= 30
    counts = [(long & (frame["sex"] == "female")).sum(), len(frame), long.sum()]
    assert found.boxes["people"].tolist() == counts
    people, statuses = answer["people"], found.boxes["status"].tolist()
    assert people["n"] == len(frame)
    assert statuses == ["unfair"] * 3
    assert people["unfair"] == 1.0
    share = (72 - 30 + 1) / (72 - 4 + 1)
    assert answer["domain"] == pytest.approx(1 + 2 * share)
    expected = np.array([share, 1, share]) / (1 + 2 * share)
    assert found.boxes["share"].tolist() == pytest.approx(expected)
    assert repr(found).startswith("RegionResult of credit: 3 regions")


def test_whoever_is_proved_fair_in_one_of_several_boxes_counts_as_fair():
    boxes = [SimpleNamespace(people=torch.tensor(rows)) for rows in ([0, 2, 5, 9], [9], [2], [7])]
    found = region_tables._people(boxes, ["unfair", "undecided", "fair", "undecided"])
    assert found["n"] == 5
    assert [found[answer] for answer in ("fair", "unfair", "undecided")] == [0.2, 0.6, 0.2]
    assert (
        region_tables._people([SimpleNamespace(people=torch.tensor([]).long())], ["fair"]) is None
    )


def test_several_regions_are_halved_and_keep_their_place(tmp_path):
    regions = ["rooms <= 1", "rooms >= 2, sex == 'm'"]
    with rafair.RunDirectory(tmp_path / "run") as store:
        found = rafair.certify_region(UNFAIR, make_schema(), regions, partition=12, store=store)
        write_regions(found, store)
    boxes = found.boxes
    assert len(boxes) == 12
    assert (boxes.loc[boxes["region"] == 0, "high_rooms"] <= 1).all()
    assert (boxes.loc[boxes["region"] == 1, "low_rooms"] >= 2).all()
    assert set(boxes["region"]) == {0, 1}
    assert set(boxes.loc[boxes["region"] == 1, "person_sex"].dropna()) == {"m"}
    pd.testing.assert_frame_equal(load_regions(tmp_path / "run").boxes, boxes)


def test_shares_count_possible_people_and_sum_to_one():
    schema = make_schema()
    region = "rooms >= 1, job in ['none', 'full']"
    found = rafair.certify_region(UNFAIR, schema, region, partition=9)
    answer = found.metrics["regions"]
    assert answer["domain"] == pytest.approx(3 / 4 * 2 / 3)
    assert sum(answer["share"].values()) == pytest.approx(1)
    assert answer["boxes"]["n"] == len(found.boxes) == 9
    frame, _ = everybody(schema)
    region = frame[(frame["rooms"] >= 1) & (frame["job"] != "part")]
    counted = [len(inside(region, box)) / len(region) for _, box in found.boxes.iterrows()]
    assert found.boxes["share"].tolist() == pytest.approx(counted)
    assert answer["people"] is None


def test_a_partition_stops_where_nothing_is_left_to_halve():
    for model in MODELS:
        found = rafair.certify_region(
            model, make_schema(), "rooms == 1, job == 'none'", partition=99
        )
        assert len(found.boxes) <= 5
        open_ = found.boxes[found.boxes["status"] != "fair"]
        assert (open_["low_grade"] == open_["high_grade"]).all()


@pytest.fixture(scope="module")
def partitioned(credit, credit_model):
    return rafair.certify_region(credit_model, credit.schema, data=credit, partition=12)


def test_every_row_of_the_data_lies_in_one_box(partitioned, credit):
    assert partitioned.boxes["people"].sum() == len(credit.test)
    people = partitioned.metrics["regions"]["people"]
    assert people["n"] == len(credit.test)
    assert people["fair"] + people["unfair"] + people["undecided"] == pytest.approx(1)
    low, high = people["ci"]["unfair"]
    assert low <= people["unfair"] <= high


def test_a_network_that_reads_no_sensitive_column_is_fair_everywhere():
    found = rafair.certify_region(make_model(0, sharpness=0.0), make_schema(), partition=8)
    assert found.boxes["status"].tolist() == ["fair"]
    assert "fair everywhere" in repr(found)


def test_other_sensitive_features_are_those_of_another_schema(credit, credit_model):
    region, options = "duration in [10, 20]", {"partition": 4, "max_nodes": 50}
    data = credit.with_sensitive(["sex"])
    expected = rafair.certify_region(credit_model, data.schema, region, data=data, **options)
    found = rafair.certify_region(
        credit_model, credit.schema, region, data=credit, sensitive="sex", **options
    )
    pd.testing.assert_frame_equal(found.boxes, expected.boxes)
    assert found.manifest == expected.manifest
    assert "low_age" in found.boxes.columns


def test_the_whole_budget_goes_to_where_all_classes_change_together(monkeypatch):
    module = nn.Sequential(nn.Linear(5, 2), nn.ReLU(), nn.Linear(2, 2))
    # Rooms decide, and sex by so little that everybody's class changes with the same room.
    module[0].weight.data = torch.tensor([[3.0, 0, 0.2, 0, 0], [3.0, 0, 0, 0.1, 0]])
    module[0].bias.data = torch.tensor([-1.0, -1.0])
    module[2].weight.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    module[2].bias.data = torch.tensor([1.0, 0.0])
    model = rafair.wrap(module.eval(), output="logits")
    monkeypatch.setattr(certificate, "CELL_NODES", 1)
    (box,) = rafair.certify_region(model, make_schema()).boxes.to_dict("records")
    assert box["status"] == "fair"
    assert box["nodes"] > 2
    (box,) = rafair.certify_region(model, make_schema(), max_nodes=1).boxes.to_dict("records")
    assert (box["status"], box["reason"]) == ("undecided", "the budget was spent")


def test_nobody_possible_is_undecided_with_that_reason():
    found = rafair.certify_region(MODELS[0], make_schema("rooms >= 1"), "rooms == 0")
    assert found.boxes[["status", "reason"]].iloc[0].tolist() == [
        "undecided",
        "no possible person was found in the box",
    ]


def test_a_stopped_run_continues_to_the_same_bytes(tmp_path, monkeypatch):
    schema, model = make_schema(), UNFAIR

    def run(name, **options):
        with rafair.RunDirectory(tmp_path / name, resume=True) as store:
            found = rafair.certify_region(model, schema, partition=20, store=store, **options)
            write_regions(found, store)
        return found

    whole = run("whole")
    early = run("resumed", max_seconds=1e-9)
    assert early.manifest["stopped"]
    assert set(early.boxes["status"]) == {"undecided"}
    decide, calls = regions._decide, []

    def failing(question, end, work):
        calls.append(work)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return decide(question, end, work)

    monkeypatch.setattr(regions, "_decide", failing)
    with pytest.raises(KeyboardInterrupt):
        run("resumed")
    monkeypatch.setattr(regions, "_decide", decide)
    again = run("resumed")
    pd.testing.assert_frame_equal(whole.boxes, again.boxes)
    for name in ("certificates.json", "regions.parquet", "manifest.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (
            tmp_path / "resumed" / name
        ).read_bytes()
    kept = load_regions(tmp_path / "whole")
    assert kept.metrics == json.loads(json.dumps(whole.metrics))
    assert repr(kept) == repr(whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition": 0}, "partition must be a whole number"),
        ({"epsilon": -1.0}, "epsilon must be finite"),
        ({"max_seconds": 0.0}, "max_seconds must be above 0"),
        ({"region": "age == 25"}, "no combination of the sensitive values"),
        ({"region": 3}, "a region must be a text or a mapping"),
        ({"sensitive": ["height"]}, "height"),
        ({"region": []}, "the list of regions is empty"),
        ({"region": ["rooms == 1", "age == 25"]}, "region 'age == 25': no combination"),
    ],
)
def test_what_has_no_meaning_is_refused(options, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        rafair.certify_region(MODELS[0], make_schema(), **options)
