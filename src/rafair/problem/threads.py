"""The threads in which kernels run, while those of torch sleep."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["shared", "torch_asleep"]

# Torch's number of threads before ``torch_asleep``.
_THREADS: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def torch_asleep() -> Iterator[None]:
    """Let torch's own operations use one thread, and the kernels as many as torch had.

    Between two operations OpenMP's threads wait in busy loops, by default. They would take
    processor time from the kernels, and on a busy machine each wait lasts a time slice.
    """
    threads = torch.get_num_threads()
    token = _THREADS.set(_THREADS.get() or threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _THREADS.reset(token)


def shared(run: Callable[[int, int], None], n: int, size: int) -> None:
    """Call ``run(first, last)`` for pieces of 0 to n of this size, in several threads."""
    pieces = [(first, min(first + size, n)) for first in range(0, n, size)]
    threads = min(_THREADS.get() or torch.get_num_threads(), len(pieces))
    if threads < 2:
        run(0, n)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda piece: run(*piece), pieces):
            pass
