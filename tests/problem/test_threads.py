import threading

import pytest
import torch

from rafair.problem.threads import shared, torch_asleep


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def threads_of(n, size):
    """Return the pieces of a shared loop of n, and how many threads ran at one time."""
    pieces, everyone = [], threading.Barrier(min(3, -(-n // size)))

    def run(first, last):
        pieces.append((first, last))
        if len(pieces) <= everyone.parties:
            everyone.wait(timeout=30)

    shared(run, n, size)
    return sorted(pieces), everyone.parties


def test_every_piece_is_run_once_in_as_many_threads_as_torch_has(three_threads):
    assert threads_of(10, 3) == ([(0, 3), (3, 6), (6, 9), (9, 10)], 3)


def test_a_single_piece_stays_in_the_callers_thread(three_threads):
    seen = []
    shared(lambda first, last: seen.append((first, last, threading.get_ident())), 5, 8)
    assert seen == [(0, 5, threading.get_ident())]


def test_while_torch_sleeps_the_kernels_keep_its_threads(three_threads):
    with torch_asleep(), torch_asleep():
        assert torch.get_num_threads() == 1
        assert threads_of(9, 3)[1] == 3
    assert torch.get_num_threads() == 3


def test_an_error_in_a_piece_is_raised_and_torch_wakes_up(three_threads):
    def broken(first, last):
        raise ValueError(first)

    with pytest.raises(ValueError), torch_asleep():  # noqa: PT011
        shared(broken, 9, 3)
    assert torch.get_num_threads() == 3
