import pytest

import naive
from rafair.attacks import ADF


@pytest.mark.parametrize("random_state", [0, 5])
def test_it_has_the_two_phases_of_the_paper(problem, random_state):
    naive.assert_search(problem, ADF(0.02, 8, random_state=random_state))


def test_it_has_the_two_phases_of_the_paper_in_a_wide_ball(wide):
    naive.assert_search(wide, ADF(0.05, 10), epsilon=0.2)


@pytest.mark.parametrize(("k", "seed"), [(2, 14), (3, 20)])
def test_it_has_the_two_phases_of_the_paper_where_gradients_vanish(make_problem, k, seed):
    naive.assert_search(make_problem(k, seed=seed, n=16, sparse=True), ADF(0.03, 6))
