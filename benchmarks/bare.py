"""The bare loop: forward and input gradient of rows that lie ready in memory, and nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

# Rows per call; of 512 to 16,384 none was faster on the benchmark networks.
ROWS = 2048


def bare_loop(module: torch.nn.Module, rows: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    one_hot = torch.nn.functional.one_hot(y, 2).to(rows.dtype)
    for _ in range(steps):
        for start in range(0, len(rows), ROWS):
            x = rows[start : start + ROWS].requires_grad_()
            p = torch.softmax(module(x), dim=1)
            loss = (p - one_hot[start : start + ROWS]).square().mean(dim=1).sum()
            torch.autograd.grad(loss, x)


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def processor_time(run: Callable[[], object]) -> float:
    """Return the time that all threads of this process took, which other programs hardly change."""
    start = time.process_time()
    run()
    return time.process_time() - start


def clock(threads: int) -> Callable[[Callable[[], object]], float]:
    """Return what measures: processor time of a single thread, elapsed time of several."""
    return processor_time if threads == 1 else timed
