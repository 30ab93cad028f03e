import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2

import rafair
from rafair.fairness import choose_seeds
from rafair.fairness.seeds import ROUNDS, _clusters

SIZES = (40, 30, 20, 10)


@pytest.fixture(scope="module")
def clusters():
    """Four heaps far apart, shuffled, with each row's heap."""
    generator = torch.Generator().manual_seed(1)
    heap = torch.arange(4).repeat_interleave(torch.tensor(SIZES))
    heap = heap[torch.randperm(len(heap), generator=generator)]
    centres = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    noise = torch.rand(len(heap), 2, generator=generator, dtype=torch.float64) * 1e-3
    return centres[heap] + noise, heap


@pytest.mark.parametrize("random_state", [0, 1, 2])
@pytest.mark.parametrize("n", [10, 50, 90])
def test_each_cluster_gives_its_share(clusters, n, random_state):
    x, heap = clusters
    seeds = choose_seeds(x, n, random_state)
    assert heap[seeds].bincount(minlength=4).tolist() == [size * n // 100 for size in SIZES]


def test_shares_that_do_not_divide_go_to_the_largest_remainders(clusters):
    x, heap = clusters
    seeds = choose_seeds(x, 7)  # quotas 2.8, 2.1, 1.4 and 0.7
    assert heap[seeds].bincount(minlength=4).tolist() == [3, 2, 1, 1]


@given(n=st.integers(1, 60), random_state=st.integers(0, 5), levels=st.integers(1, 40))
def test_seeds_are_different_rows_in_order(n, random_state, levels):
    generator = torch.Generator().manual_seed(levels)
    x = torch.randint(levels, (60, 3), generator=generator).double()
    seeds = choose_seeds(x, n, random_state)
    assert seeds.dtype == torch.int64
    assert seeds.tolist() == sorted(set(seeds.tolist()))
    assert len(seeds) == n
    assert seeds.min() >= 0
    assert seeds.max() < 60


def test_seeds_depend_on_the_random_state_alone(credit):
    x = credit.test.x
    assert torch.equal(choose_seeds(x, 50, 3), choose_seeds(x, 50, 3))
    assert not torch.equal(choose_seeds(x, 50, 3), choose_seeds(x, 50, 4))


def test_all_rows_are_chosen_where_none_or_all_are_asked_for(clusters):
    x, _ = clusters
    assert choose_seeds(x, None).tolist() == list(range(100))
    assert choose_seeds(x, 100).tolist() == list(range(100))


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "all"])
def test_a_number_of_seeds_that_is_none_is_refused(clusters, n):
    with pytest.raises(rafair.InvalidInput, match="must be a positive whole number"):
        choose_seeds(clusters[0], n)


def test_more_seeds_than_rows_are_refused(clusters):
    with pytest.raises(rafair.InvalidInput, match=r"101 seeds asked for.*has 100 rows"):
        choose_seeds(clusters[0], 101)


@pytest.mark.parametrize("random_state", [0, 1, 2])
def test_k_means_ends_early_where_all_its_rounds_would_end(credit, random_state):
    x, generator = credit.test.x.numpy(), np.random.default_rng(random_state)
    _, labels = kmeans2(x, 4, iter=ROUNDS, minit="++", rng=generator)
    assert _clusters(x, random_state).tolist() == labels.tolist()
