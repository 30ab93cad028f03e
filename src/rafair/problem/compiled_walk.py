"""Walks by the kernels of ``rafair.kernels``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rafair.problem.distinct import distinct
from rafair.problem.threads import shared
from rafair.problem.trajectories import PairTrajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.kernels.walk import Path, Rules
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.dense import DenseNetwork
    from rafair.problem.losses import Loss, Slope
    from rafair.problem.space import PerturbationSpace

__all__ = ["Way", "compiled_walk", "is_compiled"]

# Members of I(v) of all people who walk at once; each needs a flag.
FLAGS = 1 << 22
# Rows that a thread computes before it asks for more people.
PIECE = 1 << 15


@dataclass(frozen=True, eq=False)
class Way:
    """Where a walk may go, and by which steps.

    Attributes
    ----------
    step_size : Tensor, a scalar or (d,)
    chooses : list of bool
        For each step, whether v' is chosen anew.
    choose_direction : callable
        See ``rafair.problem.walking.walk``.
    """

    counterparts: Counterparts
    space: PerturbationSpace
    step_size: Tensor
    chooses: list[bool]
    choose_direction: Callable[[Tensor, Tensor], Tensor]

    def rules(self, x: Tensor, slope: Slope) -> Rules:
        """Return the rules for seeds like x, shape (n, d)."""
        from rafair.kernels.walk import Rules

        signs, d = torch.tensor([-1.0, 0.0, 1.0]), x.shape[1]
        directions = self.choose_direction(signs[:, None].expand(3, 3), signs.expand(3, 3))
        return Rules(
            directions.double().contiguous().numpy(),
            self.step_size.double().expand(d).contiguous().numpy(),
            self.space.movable(x).contiguous().numpy(),
            np.isin(np.arange(d), self.counterparts.columns),
            np.array([np.log(slope.factor), slope.wrong, slope.right], np.float64),
            np.array(self.chooses, np.bool_),
            x.dtype == torch.float32,
        )


def is_compiled(network: DenseNetwork, loss: Loss, x: Tensor, way: Way) -> bool:
    """Tell whether the kernels walk from these seeds.

    There must be two classes and a loss with a slope, and the network must accept everyone whom
    the walk can come to.
    """
    if getattr(loss, "slope", None) is None:
        return False
    fits = len(network.layers[-1][0]) == 2 and x.dtype in {torch.float32, torch.float64}
    return fits and all(map(network.takes, (x, way.counterparts.grid, *way.space.bounds(x))))


def compiled_walk(
    network: DenseNetwork, loss: Loss, x: Tensor, y: Tensor, way: Way
) -> tuple[PairTrajectory, int]:
    """Walk from seeds, shape (n, d).

    Returns
    -------
    PairTrajectory
        The points are not rounded; they are NaN after a gradient that is not finite.
    int
        The number of gradients.
    """
    slope: Slope = loss.slope  # type: ignore[attr-defined]
    rules, kind = way.rules(x, slope), _kinds(x, y, way.counterparts)
    order = torch.argsort(torch.bincount(kind)[kind] * len(x) - kind, descending=True)
    people = torch.split(order, max(1, FLAGS // len(way.counterparts)))
    parts = [_block(network, rules, x[rows], y[rows], kind[rows], way) for rows in people]
    back = torch.argsort(order)
    points, places, scores, still = (
        torch.cat([torch.from_numpy(part[field]) for part in parts], dim=1)[:, back]
        for field in range(4)
    )
    rows = torch.from_numpy(way.counterparts.snake.rows)
    chosen = torch.where(places < 0, places, rows[places.clamp_min(0)])[1:]
    labels = y[:, None].expand(scores.shape[:3]).flatten()
    losses = loss.value(scores.flatten(0, 2), labels).view(scores.shape[:3])
    taken = sum(int(part.taken.sum()) for part in parts)
    searches = taken if all(way.chooses) else min(taken, len(x))
    return (
        PairTrajectory(points.to(x.dtype), losses, chosen, still.double().mean(dim=1)),
        searches * len(way.counterparts) + 2 * taken,
    )


def _kinds(x: Tensor, y: Tensor, counterparts: Counterparts) -> Tensor:
    """Give each seed a number, the same to those with the same I(v) and the same label."""
    alike = counterparts.take(x.float(), torch.zeros_like(y))
    return distinct(torch.cat([alike, y.unsqueeze(1).to(alike)], dim=1))[1]


def _block(
    network: DenseNetwork, rules: Rules, x: Tensor, y: Tensor, kind: Tensor, way: Way
) -> Path:
    """Walk from some seeds; those of one kind must follow each other."""
    from rafair.kernels.counterparts import runs
    from rafair.kernels.passes import workspace
    from rafair.kernels.walk import Seeds, walk_groups

    counterparts, grid, steps = way.counterparts, way.counterparts.snake, len(way.chooses)
    groups = np.flatnonzero(np.diff(kind.numpy(), prepend=-1, append=-1))
    signs = (1 - 2 * y).float().numpy()
    low, high = (bound.double().contiguous().numpy() for bound in way.space.bounds(x))
    excluded = np.empty((len(x), len(counterparts)), np.bool_)
    seeds, path = Seeds(groups, signs, low, high, excluded), _start(x, steps)

    def lead(first: int, last: int) -> None:
        memory = workspace(network.packed), grid, runs(network.packed, grid)
        walk_groups(network.packed, *memory, seeds, rules, begin, end, first, last, path)

    for begin, end in _stages(way):
        here = torch.from_numpy(path.points[begin]).to(x.dtype)
        impossible = counterparts.is_self(x) | ~counterparts.valid(here)
        excluded[:] = impossible.numpy()[:, grid.rows]
        rows = (end - begin) * len(counterparts) * max(1, len(x) // (len(groups) - 1))
        shared(lead, len(groups) - 1, max(1, PIECE // max(1, rows)))
    return path


def _stages(way: Way) -> list[tuple[int, int]]:
    """Return the first and the last step of each call of the kernel.

    All steps are one stage, unless the relations that v' must meet involve what a step changes.
    """
    steps = len(way.chooses)
    if way.counterparts.conditions is None:
        return [(0, steps)]
    return [(step, step + 1) for step in range(steps)]


def _start(x: Tensor, steps: int) -> Path:
    """Return the path of seeds that stand at their start."""
    from rafair.kernels.walk import Path

    n, d = x.shape
    points = np.empty((steps + 1, n, d))
    points[0] = x.numpy()
    return Path(
        points,
        np.full((steps + 1, n), -1),
        np.empty((steps, n, 2, 2), np.float32),
        np.empty((steps, n), np.bool_),
        np.zeros(n, np.int64),
        np.zeros(n, np.bool_),
    )
