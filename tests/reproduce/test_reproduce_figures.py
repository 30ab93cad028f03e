"""The figures and Appendix A.3, against walks by hand."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

from rafair import Counterparts, PerturbationSpace, baseline, judge, load_dataset, wrap
from rafair.analysis import median_slopes
from rafair.attacks.registry import make_attack
from rafair.fairness import choose_seeds
from rafair.fairness.decisions import predict
from rafair.fairness.verdict import FB, FF, TB, TF
from rafair.models import fit
from rafair.reproduce import Study, reproduce
from rafair.reproduce.document import Grid, Listing
from rafair.reproduce.parts.figure1 import CELL
from rafair.reproduce.parts.figures import area_of, area_shares
from rafair.reproduce.result_cache import ResultCache

MODES = {"rafair-tb": "tbr", "rafair-ff": "ffr", "rafair-fb": "fbr"}
NUMBERS = {"credit": (6, 9), "adult": (4, 7)}
XLINK = "{http://www.w3.org/1999/xlink}href"
AREAS = {
    (-1, -1): "tfr",
    (-1, 1): "tbr",
    (1, 1): "ffr",
    (1, -1): "fbr",
    (0, 1): "unchanged",
    (0, -1): "unchanged",
    (1, 0): "unchanged",
    (-1, 0): "unchanged",
    (0, 0): "unchanged",
}
both = pytest.mark.parametrize("dataset", NUMBERS)


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-300])
def test_an_area_is_named_by_the_signs_of_both_slopes(scale):
    points = torch.tensor(list(AREAS), dtype=torch.float64) * scale
    assert area_of(points) == list(AREAS.values())


def test_a_negative_zero_is_no_change():
    assert area_of(torch.tensor([[-0.0, 1.0], [-1.0, -0.0]])) == ["unchanged", "unchanged"]


def test_shares_count_the_points_in_each_area():
    points = torch.tensor([[-1.0, 2.0], [-3.0, 1e-9], [0.0, 1.0], [2.0, 2.0]])
    assert area_shares(points) == {"tfr": 0, "tbr": 0.5, "ffr": 0.25, "fbr": 0, "unchanged": 0.25}


@pytest.fixture(scope="module")
def losses_by_hand(finished):
    """Dataset → mode → losses (steps, seeds, 2), the counterpart kept; and the seeds' rows."""
    study, found = finished.study, {}
    for name in study.datasets:
        data = load_dataset(name)
        index = choose_seeds(data.test.x, study.trend_seeds, study.random_state)
        space = PerturbationSpace.of(data.schema, study.trend_steps * study.step_size)
        problem = data.test.x[index], data.test.y[index], Counterparts.of(data.schema), space
        walks = {
            mode: make_attack(
                mode,
                steps=study.trend_steps,
                step_size=study.step_size,
                counterpart="first",
                loss="mse",
            )
            for mode in MODES
        }
        losses = {
            mode: walk.run(baseline(name), *problem).trajectory.losses
            for mode, walk in walks.items()
        }
        found[name] = index.tolist(), losses
    return found


@both
def test_trends_are_the_slopes_of_every_seed(finished, losses_by_hand, dataset):
    _, losses = losses_by_hand[dataset]
    found = finished.data[f"figure{NUMBERS[dataset][1]}"][dataset]
    assert list(found) == list(MODES)
    for mode, trend in found.items():
        expected = torch.stack([median_slopes(losses[mode][:, :, who]) for who in (0, 1)], dim=1)
        assert trend["slopes"] == expected.tolist()
        signs = [tuple(np.sign(pair).astype(int).tolist()) for pair in trend["slopes"]]
        areas = [AREAS[pair] for pair in signs]
        assert trend["shares"] == {a: areas.count(a) / len(areas) for a in trend["shares"]}
        assert sum(trend["shares"].values()) == pytest.approx(1)


@both
def test_losses_are_those_of_the_first_seed_that_follows_the_most_modes(
    finished, losses_by_hand, dataset
):
    rows, losses = losses_by_hand[dataset]
    shown = finished.data[f"figure{NUMBERS[dataset][0]}"][dataset]
    trends = finished.data[f"figure{NUMBERS[dataset][1]}"][dataset]
    hits = [
        sum(
            AREAS[tuple(np.sign(trends[m]["slopes"][i]).astype(int).tolist())] == MODES[m]
            for m in MODES
        )
        for i in range(len(rows))
    ]
    place = hits.index(max(hits))
    assert shown["row"] == rows[place]
    assert shown["losses"] == {mode: losses[mode][:, place].tolist() for mode in MODES}
    caption = finished.sections[f"figure{NUMBERS[dataset][0]}"].blocks[0].caption
    assert (f"test row {rows[place]}: the first seed whose" in caption) == (max(hits) == len(MODES))


def test_where_nothing_moves_nothing_changes_and_the_figures_are_drawn(tmp_path):
    still = Study(datasets=("credit",), step_size=0.0, trend_seeds=3, trend_steps=3)
    sections = reproduce(["figure6", "figure9"], tmp_path, still)
    for trend in sections["figure9"].data["credit"].values():
        assert trend["slopes"] == [[0.0, 0.0]] * 3
        assert trend["shares"] == {"tfr": 0, "tbr": 0, "ffr": 0, "fbr": 0, "unchanged": 1}
    for name in ("figure6", "figure9"):
        ET.parse(tmp_path / "figures" / f"{name}.svg")


def test_figure_1_walks_from_one_true_fair_person(finished):
    data = load_dataset(CELL.dataset)
    columns = [data.schema.index(n) for n in (CELL.horizontal, CELL.vertical, CELL.sensitive)]
    module = fit(
        data.train.x[:, columns],
        data.train.y,
        2,
        random_state=CELL.random_state,
        epochs=CELL.epochs,
    )
    model = wrap(module, output="logits")
    values = data.schema.features[columns[2]].axis.tolist()
    people = Counterparts.product([2], [values])
    found = ResultCache(finished.study, finished.path / "cells").result(CELL)
    own, y = float(found["sensitive"][0]), found["y"]
    assert sorted(found["sensitive"].tolist()) == sorted(values)
    paths = {mode: torch.tensor(path) for mode, path in finished.data["figure1"].items()}
    assert list(paths) == ["true_biased", "false_fair", "false_biased"]
    hits = 0
    for path, wanted in zip(paths.values(), (TB, FF, FB), strict=True):
        assert path.shape == (CELL.walk_steps + 1, 2)
        assert ((path >= 0) & (path <= 1)).all()
        assert (path.diff(dim=0).abs() <= CELL.step_size + 1e-6).all()
        ends = torch.cat([path[[0, -1]], torch.full((2, 1), own)], dim=1).double()
        first, last = judge(model, ends, y.repeat(2), people).cells.tolist()
        assert first == TF
        hits += last == wanted
    assert hits == int(found["hits"])
    starts = torch.stack([path[0] for path in paths.values()])
    assert torch.equal(starts, starts[:1].expand(3, 2))


def test_every_figure_has_its_file(finished):
    assert set(finished.figures) == {
        *("figure1", "figure4", "figure6", "figure7", "figure9", "epsilon"),
    }


def test_figures_are_well_formed_and_refer_to_nothing_outside(finished):
    for drawn in finished.figures.values():
        root = ET.fromstring(drawn)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        elements = list(root.iter())
        tags = {element.tag.rpartition("}")[2] for element in elements}
        assert tags.isdisjoint({"script", "a", "image", "foreignObject"})
        ids = {element.get("id") for element in elements}
        hrefs = {e.get(key) for e in elements for key in (XLINK, "href") if e.get(key)}
        targets = hrefs | set(re.findall(r"url\(([^)]*)\)", drawn.decode()))
        assert targets
        assert {target.removeprefix("#") for target in targets if target.startswith("#")} <= ids
        assert all(target.startswith("#") for target in targets)


def test_on_one_page_no_figure_refers_to_another_ones_definition(finished):
    defined = {}
    for drawn in finished.figures.values():
        used = set(re.findall(r'(?:href="|url\()#([^")]*)', drawn.decode()))
        for element in ET.fromstring(drawn).iter():
            if element.get("id") in used:
                defined.setdefault(element.get("id"), set()).add(ET.tostring(element).strip())
    assert defined
    assert all(len(definitions) == 1 for definitions in defined.values())


KINDS = {"true biased": ("rafair-tb", TB), "false fair": ("rafair-ff", FF)}
TURNING = Study(datasets=("adult",), n_seeds=40, steps=4, step_size=0.05)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return reproduce(["a3"], tmp_path_factory.mktemp("a3"), TURNING)["a3"]


@pytest.fixture(params=KINDS)
def example(request, examples):
    return request.param, examples.data[request.param]


def test_an_example_is_a_true_fair_person_who_was_turned(example):
    kind, found = example
    _, cell = KINDS[kind]
    data, model = load_dataset("adult"), baseline("adult")
    people = Counterparts.of(data.schema)
    names = ("v", "v_adv", "v'_adv")
    points = torch.tensor([found[name]["x"] for name in names], dtype=torch.float64)
    assert torch.equal(points[0], data.test.x[found["row"]])
    assert found["label"] == int(data.test.y[found["row"]])
    label = torch.full((2,), found["label"])
    assert judge(model, points[:2], label, people).cells.tolist() == [TF, cell]
    decisions = [found[name]["decision"] for name in names]
    assert predict(model, points).tolist() == decisions
    right = [decision == found["label"] for decision in decisions]
    assert right == ([True, True, False] if kind == "true biased" else [True, False, False])


def test_an_examples_delta_lies_in_the_ball_and_spares_sensitive_features(example):
    _, found = example
    schema = load_dataset("adult").schema
    v, v_adv, other = (np.array(found[name]["x"]) for name in ("v", "v_adv", "v'_adv"))
    sensitive = [schema.index(name) for name in schema.sensitive]
    delta = v_adv - v
    assert (delta[sensitive] == 0).all()
    assert 0 < np.abs(delta).max() <= TURNING.radius + 1e-9
    apart = np.flatnonzero(other != v_adv).tolist()
    assert apart
    assert set(apart) <= set(sensitive)


def test_an_example_is_the_one_that_was_moved_the_least(example):
    kind, found = example
    attack, cell = KINDS[kind]
    data, model = load_dataset("adult"), baseline("adult")
    index = choose_seeds(data.test.x, TURNING.n_seeds, 0)
    x, y, people = data.test.x[index], data.test.y[index], Counterparts.of(data.schema)
    space = PerturbationSpace.of(data.schema, TURNING.radius)
    walk = make_attack(attack, steps=TURNING.steps, step_size=TURNING.step_size)
    x_adv = walk.run(model, x, y, people, space).x_adv
    fine, turned = (judge(model, points, y, people).cells for points in (x, x_adv))
    chosen = ((fine == TF) & (turned == cell)).nonzero()[:, 0].tolist()
    effort = {int(index[i]): float((x_adv - x)[i].abs().sum()) for i in chosen}
    assert found["row"] in effort
    assert effort[found["row"]] == min(effort.values())


def test_an_examples_lines_are_its_vectors(example, examples):
    kind, found = example
    listings = [block.lines for block in examples.blocks if isinstance(block, Listing)]
    ((title, *lines),) = [lines for lines in listings if lines[0].startswith(kind)]
    assert title.startswith(f"{kind}: test row {found['row']}, truth {found['label']} (")
    people = {name: found[name] for name in ("v", "v_adv", "v'_adv")}
    delta = np.subtract(people["v_adv"]["x"], people["v"]["x"]).tolist()
    expected = {**people, "δ": {"x": delta, "decision": ""}}
    for line, (name, person) in zip(lines, expected.items(), strict=True):
        shown = re.fullmatch(r"(\S+) +\[(.*)\] ?(\d?)", line)
        assert shown.group(1, 3) == (name, str(person["decision"]))
        numbers = [float(number) for number in shown[2].split(", ")]
        assert numbers == pytest.approx(person["x"], abs=0.005 + 1e-9)
    assert "-0.00" not in "".join(lines)


def test_an_example_is_shown_in_original_units(example, examples):
    kind, found = example
    data = load_dataset("adult")
    (table,) = [b.table for b in examples.blocks if isinstance(b, Grid) and kind in b.table.title]
    assert table.heads == ("", "v", "v_adv", "v'_adv")
    assert [row[0] for row in table.rows] == [*data.schema.names, "decision"]
    person = data.schema.decode(data.test.x[found["row"]][None]).iloc[0]
    assert [row[1] for row in table.rows[:-1]] == [str(value) for value in person]
    decided = [data.schema.classes[found[name]["decision"]] for name in table.heads[1:]]
    assert table.rows[-1][1:] == tuple(map(str, decided))


def test_where_nobody_was_turned_the_page_says_so(tmp_path):
    still = Study(datasets=("adult",), n_seeds=2, steps=1, step_size=0.0)
    section = reproduce(["a3"], tmp_path, still)["a3"]
    assert section.data == {}
    texts = [block.text for block in section.blocks[1:]]
    assert texts == [f"No {kind} instance among 2 seeds." for kind in ("true biased", "false fair")]
