"""The table of instances: every word in it is checked against the model."""

import numpy as np
import pandas as pd
import pytest
import torch

from rafair import Plan, judge

RUNS = ["credit_run", "worst_run", "own_run"]
PARTS = {
    "credit_run": ("credit", "credit_model"),
    "worst_run": ("credit", "credit_model"),
    "own_run": ("own_data", "own_model"),
}


@pytest.fixture(params=RUNS)
def audited(request):
    names = (request.param, *PARTS[request.param])
    return tuple(request.getfixturevalue(name) for name in names)


def points_of(run):
    return torch.from_numpy(np.stack(run.instances["x"].tolist()))


def predict(model, x, schema):
    with torch.no_grad():
        chosen = model.scores(x.to(model.dtype)).argmax(dim=1)
    return [schema.classes[index] for index in chosen.tolist()]


def column_of(name, run):
    return f"feature_{name}" if f"feature_{name}" in run.instances else name


def test_there_is_one_row_per_seed_stage_and_attack(audited):
    run, _, _ = audited
    keys = run.instances[["seed", "stage", "attack"]]
    assert not keys.duplicated().any()
    assert len(keys) == run.metrics["n_seeds"] * (1 + len(run.metrics["attacks"]))


def test_the_x_column_decodes_to_the_values_in_original_units(audited):
    run, data, _ = audited
    people = data.schema.decode(points_of(run))
    for name in data.schema.names:
        shown = run.instances[column_of(name, run)]
        assert shown.tolist() == people[name].tolist()


def test_clean_rows_are_the_seeds_themselves(audited):
    run, data, _ = audited
    clean = run.instances[run.instances["stage"] == "clean"]
    seeds = data.test.x[clean["seed"].tolist()]
    assert np.array_equal(np.stack(clean["x"].tolist()), seeds.numpy())
    given = data.test.frame.loc[clean["seed"]]
    assert clean["label"].tolist() == given[data.schema.label].tolist()


def test_the_prediction_is_the_models(audited):
    run, data, model = audited
    assert run.instances["prediction"].tolist() == predict(model, points_of(run), data.schema)


def test_the_cell_is_what_the_judge_says(audited):
    run, data, model = audited
    y = torch.tensor([data.schema.classes.index(label) for label in run.instances["label"]])
    verdict = judge(model, points_of(run), y, Plan().people(data.schema))
    names = np.array(["TF", "TB", "FF", "FB"])
    single = run.instances["attack"] != "rafair@worst"
    assert names[verdict.cells.numpy()][single].tolist() == run.instances["cell"][single].tolist()


@pytest.mark.parametrize("kind", ["flip", "worst"])
def test_the_counterpart_encoded_back_gets_the_prediction_it_is_said_to_get(audited, kind):
    run, data, model = audited
    rows = run.instances[run.instances[f"{kind}_prediction"].notna()]
    assert len(rows) > 0
    x = counterpart_points(rows, data.schema, kind)
    assert rows[f"{kind}_prediction"].tolist() == predict(model, x, data.schema)


def counterpart_points(rows, schema, kind):
    """The exact points of the rows with the sensitive values of their flip or worst columns."""
    x = torch.from_numpy(np.stack(rows["x"].tolist()))
    for name in schema.sensitive:
        feature = schema.features[schema.index(name)]
        values = pd.Series(rows[f"{kind}_{name}"].tolist())
        x[:, schema.index(name)] = torch.from_numpy(feature.encode(values))
    return x


def test_the_flip_really_flips(audited):
    run, _, _ = audited
    flipped = run.instances[run.instances["flip_prediction"].notna()]
    assert (flipped["flip_prediction"] != flipped["prediction"]).all()
    assert flipped["cell"].isin(["TB", "FB"]).all()


def test_there_is_a_flip_exactly_where_the_instance_is_biased(audited):
    run, data, _ = audited
    single = run.instances["attack"] != "rafair@worst"
    biased = run.instances["cell"].isin(["TB", "FB"])
    for column in ("flip_prediction", *(f"flip_{name}" for name in data.schema.sensitive)):
        assert (run.instances[column].notna() == biased)[single].all()
    assert ((run.instances["dissenting"] > 0) == biased)[single].all()


def test_the_share_of_dissenters_is_a_share(audited):
    run, _, _ = audited
    assert run.instances["dissenting"].between(0, 1).all()


def test_sensitive_values_are_never_moved(audited):
    run, data, _ = audited
    columns = [data.schema.index(name) for name in data.schema.sensitive]
    seeds = data.test.x[run.instances["seed"].tolist()]
    assert torch.equal(points_of(run)[:, columns], seeds[:, columns])


def test_nobody_is_moved_further_than_epsilon(audited):
    run, data, _ = audited
    seeds = data.test.x[run.instances["seed"].tolist()]
    moved = (points_of(run) - seeds).abs().max(dim=1).values
    assert float(moved.max()) <= run.manifest["plan"]["epsilon"] + 1e-9
    assert float(moved.max()) > 0


def test_own_data_is_perturbed_feasibly_by_default(own_run):
    assert own_run.manifest["plan"]["setting"] == "feasible"


def test_every_instance_of_own_data_is_a_possible_person(own_run, own_data):
    x = points_of(own_run)
    back = own_data.schema.encode(own_data.schema.decode(x))
    assert torch.allclose(back, x, atol=1e-6, rtol=0)


def test_feasible_instances_keep_every_level(own_run, own_data):
    clean = own_run.instances[own_run.instances["stage"] == "clean"].set_index("seed")
    for name in ("feature_cell", "sex"):
        kept = clean.loc[own_run.instances["seed"], name].to_numpy()
        assert (own_run.instances[name].to_numpy() == kept).all()


def test_features_named_like_the_tables_own_columns_step_aside(own_run, own_data):
    columns = list(own_run.instances.columns)
    assert len(columns) == len(set(columns))
    assert {"feature_seed", "feature_label", "feature_cell", "age", "sex"} <= set(columns)
    assert own_run.instances["cell"].isin(["TF", "TB", "FF", "FB"]).all()
    assert own_run.instances["label"].isin(own_data.schema.classes).all()
    assert set(own_run.instances["feature_cell"]) <= {"TF", "red", "blue"}
