"""What may be asked for."""

import pytest

from rafair import InvalidInput
from rafair.reproduce import Study, all_parts, choose_parts, reproduce

CREDIT = Study(datasets=("credit",))


def test_the_defaults_are_the_papers():
    study = Study()
    assert (study.n_seeds, study.steps, study.step_size, study.radius) == (200, 20, 0.01, 0.2)
    assert (study.trend_seeds, study.trend_steps, study.random_state) == (100, 50, 0)
    assert set(study.datasets) == {"adult", "bank", "compas", "credit"}
    assert study.setup("bank").plan.counterparts is None
    assert study.setup("bank").plan.setting == "paper"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"datasets": ()}, "^no dataset given; name at least one$"),
        ({"datasets": ("credit", "credit")}, "^a dataset is named twice$"),
        ({"datasets": ("iris",)}, "^unknown dataset 'iris'; use one of adult, bank, comp"),
        ({"n_seeds": 0}, "^n_seeds must be a whole number, 1 or more, not 0$"),
        ({"n_seeds": 2.5}, "^n_seeds must be a whole number"),
        ({"random_state": -1}, "^random_state must be a whole number, 0 or more"),
        ({"steps": 0}, "^steps must be a whole number, 1 or more"),
        ({"step_size": float("nan")}, "^step_size must be finite"),
        ({"step_size": -0.1}, "^step_size must be finite and not negative"),
        ({"trend_seeds": 0}, "^trend_seeds must be a whole number, 1 or more"),
        ({"trend_steps": 1}, "^trend_steps must be a whole number, 2 or more"),
    ],
    ids=str,
)
def test_a_study_that_is_not_possible_is_refused(parameters, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        Study(**parameters)
    assert "\n" not in str(refused.value)


def test_a_setup_reaches_the_radius_that_it_is_told():
    setup = Study().setup("credit")
    assert setup.reaching(0.2) == setup
    for epsilon in (0.01, 0.05, 0.3):
        assert setup.reaching(epsilon).plan.radius == pytest.approx(epsilon, rel=1e-12)
        assert setup.reaching(epsilon).steps == setup.steps


def test_parts_have_names_of_their_own_and_places_in_order():
    places = [part.place for part in all_parts().values()]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert all(name == part.name for name, part in all_parts().items())


def test_parts_are_chosen_once_and_in_the_order_of_the_page():
    chosen = choose_parts(["table4", "table2", "table4"], CREDIT)
    assert [part.name for part in chosen] == ["table2", "table4"]


def test_all_leaves_out_the_parts_that_the_paper_does_not_have():
    chosen = {part.name for part in choose_parts(["all"], Study())}
    assert {name for name in all_parts() if name not in chosen} == {"pareto", "strength"}
    assert [part.name for part in choose_parts(["strength"], CREDIT)] == ["strength"]


def test_all_leaves_out_the_parts_about_other_datasets():
    chosen = {part.name for part in choose_parts(["all"], CREDIT)}
    papers = {name: part for name, part in all_parts().items() if part.of_paper}
    missing = {name: part.dataset for name, part in papers.items() if name not in chosen}
    assert missing
    assert None not in missing.values()
    assert "credit" not in missing.values()
    assert [*papers] == [part.name for part in choose_parts(["table3", "all"], Study())]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "^no part given; use all or some of conclusions, figure1, table2, table3"),
        (["table9"], "^unknown part 'table9'; use all or some of conclusions, figure1"),
        (["all", "tables"], "^unknown part 'tables'"),
        (["figure2"], "^figure2 is about bank; add it to the datasets$"),
        (["all", "a3"], "^a3 is about adult; add it to the datasets$"),
    ],
    ids=str,
)
def test_a_part_that_is_not_possible_is_refused_by_name(tmp_path, names, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        choose_parts(names, CREDIT)
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidInput, match=message):
        reproduce(names, tmp_path / "out", CREDIT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "parameters"),
    [("table2", {"n_seeds": 301}), ("table3", {"n_seeds": 301}), ("all", {"trend_seeds": 301})],
)
def test_more_seeds_than_there_are_is_refused_before_anything_is_done(tmp_path, part, parameters):
    study = Study(datasets=("credit",), **parameters)
    with pytest.raises(InvalidInput, match=r"^301 seeds asked for, but the .* 300 rows$"):
        reproduce([part], tmp_path / "out", study)
    assert list(tmp_path.iterdir()) == []


def test_an_output_path_that_is_a_file_is_refused_and_kept(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InvalidInput, match=r"out is a file; name a directory$"):
        reproduce(["table2"], tmp_path / "out", CREDIT)
    with pytest.raises(InvalidInput, match=r"^cannot write .*; make room or name another place$"):
        reproduce(["table2"], tmp_path / "out" / "below", CREDIT)
    assert (tmp_path / "out").read_text() == "mine"
