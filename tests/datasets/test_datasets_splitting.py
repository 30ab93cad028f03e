"""Splits drawn class by class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair import InvalidInput
from rafair.datasets.splitting import stratified_test_rows

COUNTS = st.lists(st.integers(4, 60), min_size=2, max_size=4)


def labels_of(counts, seed=0):
    labels = np.repeat([f"class {i}" for i in range(len(counts))], counts)
    return pd.Series(np.random.default_rng(seed).permutation(labels), name="label")


@given(COUNTS, st.integers(0, 10))
def test_every_class_gives_its_share_rounded_to_a_row(counts, random_state):
    labels = labels_of(counts)
    test = stratified_test_rows(labels, 0.3, random_state)
    assert test.dtype == np.bool_
    assert test.shape == (len(labels),)
    for place, count in enumerate(counts):
        assert test[(labels == f"class {place}").to_numpy()].sum() == round(0.3 * count)


@given(COUNTS, st.integers(0, 10))
def test_the_same_random_state_draws_the_same_rows(counts, random_state):
    labels = labels_of(counts)
    first, again = (stratified_test_rows(labels, 0.3, random_state) for _ in range(2))
    assert (first == again).all()


def test_another_random_state_draws_other_rows():
    labels = labels_of([50, 50])
    first, other = (stratified_test_rows(labels, 0.3, state) for state in (0, 1))
    assert (first != other).any()


def test_the_index_of_the_labels_does_not_matter():
    labels = labels_of([20, 30])
    shuffled = labels.set_axis(np.arange(len(labels))[::-1] + 1000)
    assert (stratified_test_rows(labels) == stratified_test_rows(shuffled)).all()


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InvalidInput, match="test_share must lie between 0 and 1"):
        stratified_test_rows(labels_of([10, 10]), share)


def test_a_class_too_small_for_two_parts_is_named():
    with pytest.raises(InvalidInput, match=r"1 row\(s\) of 'class 1' cannot be split"):
        stratified_test_rows(labels_of([10, 1]))
