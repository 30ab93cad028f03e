import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from rafair.report.region_figures import _Side, draw_regions

FEATURES = [
    rafair.Feature("steps", "integer", (0, 9), unit="per day"),
    rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
    rafair.Feature("$grade$", "ordinal", ("a", "b", "c", "d")),
    rafair.Feature("idle", "categorical", ("x", "y")),
]
SCHEMA = rafair.Schema(FEATURES, "paid", ("no", "yes"))


@pytest.fixture(scope="module")
def model():
    """Sex decides where many steps meet a high grade."""
    module = nn.Sequential(nn.Linear(4, 1), nn.ReLU(), nn.Linear(1, 2))
    module[0].weight.data = torch.tensor([[2.0, 0.3, 2.0, 0.0]])
    module[0].bias.data = torch.tensor([-2.5])
    module[2].weight.data = torch.tensor([[0.0], [1.0]])
    module[2].bias.data = torch.tensor([0.01, 0.0])
    return rafair.wrap(module.eval(), output="logits")


def test_both_pictures_are_drawn_the_same_each_time(model):
    found = rafair.certify_region(model, SCHEMA, partition=24)
    assert {"fair", "unfair"} <= set(found.boxes["status"])
    drawn = draw_regions(found, SCHEMA)
    assert draw_regions(found, SCHEMA) == drawn
    assert set(drawn) == {"figures/regions.svg", "figures/map.svg"}
    page = drawn["figures/map.svg"].decode()
    assert "steps, per day</text>" in page
    assert "$grade$</text>" in page  # no formula
    assert "fair everywhere</text>" in drawn["figures/regions.svg"].decode()
    assert "idle" not in page


def test_one_box_has_no_map(model):
    found = rafair.certify_region(model, SCHEMA, "steps <= 2")
    assert set(draw_regions(found, SCHEMA)) == {"figures/regions.svg"}


def test_a_side_has_edges_between_possible_values_and_knows_where_answers_vary():
    boxes = pd.DataFrame({"low_steps": [0, 5, 5], "high_steps": [4, 9, 9]})
    side = _Side.of(FEATURES[0], boxes)
    assert side.edges.tolist() == [-0.5, 4.5, 9.5]
    assert side.covers.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert side.extent.tolist() == [5, 5, 5]
    share = np.array([0.5, 0.25, 0.25])
    assert side.variation(share, np.array([1.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert side.variation(share, np.array([1.0, 1.0, 0.0])) == pytest.approx(0.0625)
    assert side.variation(share, np.zeros(3)) == 0
