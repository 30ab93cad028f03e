"""Attacks that aim at a cell: they end inside it wherever a fine grid finds somebody inside."""

import functools

import pytest
import torch

import rafair
from planar import cells_on_a_grid, planar
from rafair.attacks.cell_ascent import CellAscent, classes_of_cell
from rafair.fairness import CELLS


@functools.cache
def cells_met(k):
    return cells_on_a_grid(*planar(k=k))


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_whoever_a_grid_moves_into_the_cell_is_moved_there(cell, k):
    problem = planar(k=k)
    met = cells_met(k)[:, CELLS.index(cell)]
    x_adv = CellAscent(cell).run(*problem).x_adv
    model, _, y, people, _ = problem
    inside = rafair.judge(model, x_adv, y, people).cells == CELLS.index(cell)
    assert 3 <= int(met.sum()) <= 37
    missed = met & ~inside
    assert int(missed.sum()) <= 1  # a ridge that sign steps do not follow


@pytest.mark.parametrize("cell", CELLS)
def test_a_seed_inside_the_cell_stays_where_it_is(cell):
    model, x, y, people, space = planar()
    inside = rafair.judge(model, x, y, people).cells == CELLS.index(cell)
    assert inside.any()
    result = CellAscent(cell).run(model, x[inside], y[inside], people, space)
    assert torch.equal(result.x_adv, x[inside])
    assert result.n_gradients == 0


def test_the_gradients_are_counted_per_step_and_seed():
    model, x, y, people, space = planar(n=6, epsilon=0.0)
    outside = rafair.judge(model, x, y, people).cells != CELLS.index("FB")
    result = CellAscent("FB", steps=5).run(model, x[outside], y[outside], people, space)
    assert result.n_gradients == 5 * int(outside.sum())
    assert result.n_forwards == 6 * int(outside.sum()) * 5


def test_the_classes_of_a_cell_are_the_label_or_every_other_the_likeliest_first():
    scores = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    y = torch.tensor([0, 2])
    for cell in ("TF", "TB"):
        assert [c.tolist() for c in classes_of_cell(cell, scores, y)] == [[0, 2]]
    for cell in ("FF", "FB"):
        assert [c.tolist() for c in classes_of_cell(cell, scores, y)] == [[2, 1], [1, 0]]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cell": "XX"}, "unknown cell 'XX'; use TF or TB or FF or FB"),
        ({"steps": -1}, "steps must"),
    ],
)
def test_parameters_without_meaning_are_refused(options, text):
    with pytest.raises(rafair.InvalidInput, match=text):
        CellAscent(**options)
