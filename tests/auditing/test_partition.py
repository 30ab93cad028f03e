import pytest
import torch

import rafair
from rafair.auditing.partition import Box, Splitter, sizes
from rafair.certificates.region_boxes import BoxAnswer

FEATURES = [
    rafair.Feature("steps", "integer", (0, 10)),
    rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
    rafair.Feature("weight", "numeric", (0.0, 1.0)),
]
SCHEMA = rafair.Schema(FEATURES, "paid", ("no", "yes"))
LOW, HIGH = torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, 0.0, 1.0]).double()


def splitter(*people):
    return Splitter.of(SCHEMA, torch.tensor(people, dtype=torch.float64).reshape(-1, 3))


def whole(by, **more):
    return Box(LOW, HIGH, torch.arange(len(by.x)), **more)


def test_people_are_divided_where_they_are_most_even_and_the_gap_belongs_to_nobody():
    by = splitter([0.0, 0, 0.5], [0.1, 1, 0.5], [0.3, 0, 0.5], [0.4, 1, 0.5])
    lower, upper = by.halves(whole(by))
    assert (lower.people.tolist(), upper.people.tolist()) == ([0, 1], [2, 3])
    assert (float(lower.high[0]), float(upper.low[0])) == pytest.approx((0.1, 0.2))


def test_a_feature_of_all_numbers_is_cut_between_two_people():
    by = splitter([0.5, 0, 0.1], [0.5, 0, 0.2], [0.5, 1, 0.6])
    lower, upper = by.halves(whole(by))
    assert float(lower.high[2]) == float(upper.low[2]) == pytest.approx(0.4)
    assert lower.people.tolist() == [0, 1]


def test_a_majority_at_one_value_is_cut_off():
    by = splitter([1.0, 0, 0.5], [1.0, 0, 0.5], [1.0, 0, 0.5], [0.2, 0, 0.5])
    lower, upper = by.halves(whole(by))
    assert (lower.people.tolist(), upper.people.tolist()) == ([3], [0, 1, 2])


@pytest.mark.parametrize("people", [[], [[0.3, 0, 0.3]], [[0.3, 0, 0.3], [0.3, 1, 0.3]]])
def test_without_people_to_divide_the_widest_feature_is_halved(people):
    by = splitter(*people)
    lower, upper = by.halves(
        Box(LOW, torch.tensor([1.0, 0, 0.4]).double(), torch.arange(len(by.x)))
    )
    assert (float(lower.high[0]), float(upper.low[0])) == pytest.approx((0.5, 0.6))
    assert len(lower.people) + len(upper.people) == len(by.x)


def test_a_witness_stays_with_the_half_that_it_lies_in():
    by = splitter()
    pair = torch.tensor([[0.7, 0, 0.5], [0.7, 0, 0.5], [0.7, 1, 0.5]])
    box = whole(by).answered(BoxAnswer(-1, 0, 9, pair))
    lower, upper = by.halves(box)
    assert (lower.is_asked, upper.is_asked) == (False, True)
    assert (upper.answer.status, upper.answer.nodes) == (-1, 0)
    assert not upper.is_final
    assert whole(by).answered(BoxAnswer(1, 0, 9, pair)).is_final


def test_halving_ends_at_single_values():
    by = splitter()
    box = Box(LOW, torch.tensor([0.2, 0, 0.0]).double(), torch.arange(0))
    assert by.can_split(box)
    leaves = []
    todo = [box]
    while todo:
        some = todo.pop()
        todo += by.halves(some) if by.can_split(some) else []
        leaves += [] if by.can_split(some) else [some]
    assert sorted(round(10 * float(leaf.low[0])) for leaf in leaves) == [0, 1, 2]
    assert all(torch.allclose(leaf.low, leaf.high) for leaf in leaves)


def test_sizes_count_possible_values_and_measure_lengths():
    low, high = torch.stack([LOW, LOW]), torch.tensor([[0.4, 0, 0.5], [1.0, 0, 0.25]]).double()
    shares = sizes(low, high, (LOW, HIGH), splitter())
    assert shares.tolist() == pytest.approx([5 / 11 / 2, 1 / 4])
    flat = torch.tensor([1.0, 0, 0]).double()
    assert sizes(LOW[None], flat[None], (LOW, flat), splitter()).tolist() == [1.0]


def test_halves_of_uneven_steps_keep_their_ends_in_order():
    schema = rafair.Schema(
        [
            rafair.Feature("hours", "integer", (1, 99)),
            rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
        ],
        "paid",
        ("no", "yes"),
    )
    steps = torch.arange(99).double() / 98
    people = torch.stack([steps, torch.zeros(99)], dim=1)
    boxes = [Box(torch.zeros(2).double(), torch.tensor([1.0, 0.0]).double(), torch.arange(99))]
    by = Splitter.of(schema, people)
    while any(map(by.can_split, boxes)):
        boxes = [
            half for box in boxes for half in (by.halves(box) if by.can_split(box) else (box,))
        ]
    assert len(boxes) == 99
    assert all(bool((box.low <= box.high).all()) for box in boxes)


def test_a_feature_that_the_model_does_not_read_is_not_halved():
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 1.0, -1.0], [0.0, -1.0, 1.0]]))
    read = rafair.wrap(model, schema=SCHEMA)
    people = torch.tensor([[0.0, 0, 0.4], [1.0, 0, 0.5], [0.1, 1, 0.6], [0.9, 1, 0.5]]).double()
    lower, upper = Splitter.of(SCHEMA, people, read).halves(Box(LOW, HIGH, torch.arange(4)))
    assert float(lower.high[0]) == 1
    assert float(lower.high[2]) == float(upper.low[2]) < 1
