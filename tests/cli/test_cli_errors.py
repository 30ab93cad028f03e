"""Bad input: exit code 2, one line on standard error, and nothing left behind."""

import shutil

import pytest
import torch
from safetensors.torch import save_file


def words(value):
    return " ".join(value) if isinstance(value, list) else "says"


AUDIT_ERRORS = [
    (["--nope"], "No such option: --nope"),
    (["extra"], "unexpected extra argument"),
    (["--attack", "deepfool"], "unknown attack 'deepfool'; use one of rafair, rafair-tb"),
    (["--attack", "adf", "--loss", "mse"], "attack 'adf' has no parameter 'loss'"),
    (["--attack", "pgd", "--attack", "dice", "--loss", "mse"], "'dice' has no parameter 'loss'"),
    (["--attack", ""], "unknown attack ''"),
    (["--loss", "hinge"], "unknown loss 'hinge'; use one of mse, cross_entropy, margin"),
    (["--device", "abacus"], "device 'abacus' is not available here"),
    (["--device", "meta"], "device 'meta' holds no numbers"),
    (["--device", ""], "device '' is not available here"),
    (["--setting", "possible"], "unknown setting 'possible'; use paper or feasible"),
    (["--select", "best"], "unknown select 'best'; use last or worst or pooled"),
    (["--step-size", "-0.1"], "step_size must be finite and not negative"),
    (["--step-size", "nan"], "step_size must be finite and not negative"),
    (["--step-size", "inf"], "step_size must be finite and not negative"),
    (["--step-size", "big"], "Invalid value for '--step-size'"),
    (["--epsilon", "-1"], "epsilon must be finite and not negative"),
    (["--epsilon", "nan"], "epsilon must be finite and not negative"),
    (["--epsilon", "inf"], "epsilon must be finite and not negative"),
    (["--steps", "-1"], "steps must be a whole number, 0 or more"),
    (["--steps", "2.5"], "Invalid value for '--steps'"),
    (["--steps", "nan"], "Invalid value for '--steps'"),
    (["--seeds", "0"], "seeds must be a whole number, 1 or more"),
    (["--seeds", "-5"], "seeds must be a whole number, 1 or more"),
    (["--seeds", "many"], "--n-seeds takes a whole number or 'all', not 'many'"),
    (["--seeds", "1.5"], "--n-seeds takes a whole number or 'all', not '1.5'"),
    (["--seeds", "301"], "301 seeds asked for, but the test split has 300 rows"),
    (["--counterparts", "0"], "counterparts must be a whole number, 1 or more"),
    (["--counterparts", "few"], "--counterparts takes a whole number or 'all'"),
    (["--random-state", "-1"], "random_state must be a whole number, 0 or more"),
    (["--batch-size", "0"], "batch_size must be a whole number, 1 or more"),
    (["--batch-size", "large"], "--batch-size takes a whole number or 'auto'"),
    (["--certify", "--max-nodes", "0"], "max_nodes must be a whole number, 1 or more"),
    (["--max-nodes", "few"], "Invalid value for '--max-nodes'"),
    (["--sensitive", "religion"], "no column 'religion'; the features are"),
    (["--sensitive", "risk"], "no column 'risk'; the features are"),
    (["--sensitive", ""], "--sensitive takes names separated by commas"),
    (["--sensitive", "sex,,age"], "--sensitive takes names separated by commas"),
    (["--fail-under", "r_af"], "write RATE=NUMBER"),
    (["--fail-under", "r_af=high"], "write RATE=NUMBER"),
    (["--fail-under", "r_af=1.5"], "the bound must lie in [0, 1]"),
    (["--fail-under", "r_af=-0.1"], "the bound must lie in [0, 1]"),
    (["--fail-under", "r_af=nan"], "the bound must lie in [0, 1]"),
    (["--fail-under", "beauty=0.5"], "unknown rate 'beauty'"),
    (["--fail-under", "=0.5"], "unknown rate ''"),
    (["--model", "nowhere.safetensors"], "nowhere.safetensors: no such model file"),
]


@pytest.mark.parametrize(("arguments", "text"), AUDIT_ERRORS, ids=words)
def test_audit_refuses_bad_input_in_one_line_and_leaves_nothing(audit, tmp_path, arguments, text):
    refused = audit(*arguments)
    assert refused.code == 2
    assert text in refused.complaint
    assert list(tmp_path.iterdir()) == []


OTHER_ERRORS = [
    (["dance"], "No such command 'dance'"),
    (["--dance"], "No such option: --dance"),
    (["audit"], "name a dataset"),
    (["audit", "iris"], "unknown dataset 'iris'; use one of adult, bank, compas, credit"),
    (["audit", "credit", "--out"], "--out"),
    (["datasets", "iris"], "unknown dataset 'iris'"),
    (["datasets", "credit", "adult"], "unexpected extra argument"),
    (["train"], "Missing argument"),
    (["train", "iris"], "unknown dataset 'iris'"),
    (["train", "credit", "--epochs", "0"], "epochs must be 1 or more, not 0"),
    (["train", "credit", "--epochs", "some"], "Invalid value for '--epochs'"),
    (["train", "credit", "--out", "nowhere/model.safetensors"], "nowhere: no such directory"),
    (["train", "credit", "--out", "."], "is a directory; name a file"),
    (["train", "credit", "--sensitive", "religion"], "no column 'religion'"),
    (["report"], "Missing argument"),
    (["report", "nowhere"], "nowhere: no such run directory"),
    (["report", "."], "not a run of rafair"),
    (["repair", "nowhere"], "nowhere: no such run directory"),
    (["repair", "."], "not a run of rafair"),
]


@pytest.mark.parametrize(("arguments", "text"), OTHER_ERRORS, ids=words)
def test_every_command_refuses_bad_input_in_one_line(rafair, tmp_path, arguments, text):
    refused = rafair(*arguments)
    assert refused.code == 2
    assert text in refused.complaint
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def not_models(tmp_path):
    """Files that are no model, by what they are."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "text").write_text("hello\n")
    (folder / "nothing").write_bytes(b"")
    (folder / "folder").mkdir()
    save_file({"weight": torch.zeros(2, 2)}, folder / "other")
    save_file({"weight": torch.zeros(2)}, folder / "claims", {"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text", "not a model file in safetensors format"),
        ("nothing", "an empty file; save the model again"),
        ("folder", "a directory, where a model file is needed"),
        ("other", "not written by rafair train"),
        ("claims", "not written by rafair train"),
    ],
)
def test_a_model_that_is_none_is_refused(audit, not_models, tmp_path, kind, text):
    refused = audit("--model", not_models / kind)
    assert refused.code == 2
    assert text in refused.complaint
    assert str(not_models / kind) in refused.complaint
    assert list(tmp_path.iterdir()) == [not_models]


def test_a_model_of_other_data_is_refused(audit, tmp_path):
    from rafair.models import baseline_path

    refused = audit("--model", baseline_path("adult"))
    assert refused.code == 2
    assert "trained with other features than the data's" in refused.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_weight_that_is_no_number_is_refused(audit, tmp_path):
    from safetensors import safe_open

    from rafair.models import baseline_path

    with safe_open(baseline_path("credit"), framework="pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    first = sorted(weights)[0]
    weights[first] = torch.full_like(weights[first], torch.nan)
    save_file(weights, tmp_path / "broken.safetensors", metadata)
    refused = audit("--model", "broken.safetensors")
    assert refused.code == 2
    assert "a weight is NaN or infinite" in refused.complaint


def test_an_output_path_that_is_a_file_is_refused_and_kept(audit, tmp_path):
    (tmp_path / "run").write_text("mine")
    refused = audit("--out", "run")
    assert refused.code == 2
    assert "is a file; name a directory" in refused.complaint
    assert (tmp_path / "run").read_text() == "mine"


def test_an_output_path_below_a_file_is_refused(audit, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused = audit("--out", "file/run")
    assert refused.code == 2
    assert "file is a file" in refused.complaint
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_output_directory_that_is_not_empty_is_refused(audit, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    refused = audit("--out", "run")
    assert refused.code == 2
    assert "is not empty; name another one" in refused.complaint
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_finished_run_is_not_overwritten(audit, finished_run):
    before = (finished_run / "metrics.json").read_bytes()
    refused = audit("--out", finished_run, "--random-state", "1")
    assert refused.code == 2
    assert "already holds a run" in refused.complaint
    assert (finished_run / "metrics.json").read_bytes() == before


REPAIR_ERRORS = [
    (["--steps", "-1"], "steps must be a whole number"),
    (["--step-size", "nan"], "step_size must be finite"),
    (["--epsilon", "-1"], "epsilon must be finite"),
    (["--loss", "hinge"], "unknown loss 'hinge'"),
    (["--device", "abacus"], "device 'abacus' is not available"),
    (["--model", "nowhere"], "nowhere: no such model file"),
]


@pytest.mark.parametrize(("arguments", "text"), REPAIR_ERRORS, ids=words)
def test_repair_refuses_bad_input_and_keeps_the_run(rafair, finished_run, arguments, text):
    before = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    refused = rafair("repair", finished_run, *arguments)
    assert refused.code == 2
    assert text in refused.complaint
    after = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    assert after == before


def test_repair_refuses_another_model(rafair, finished_run, tmp_path):
    assert rafair("train", "credit", "--epochs", "1", "--quiet", "--out", "m").code == 0
    refused = rafair("repair", finished_run, "--model", tmp_path / "m")
    assert refused.code == 2
    assert "not the model that the run audited" in refused.complaint


def test_report_refuses_an_output_that_is_a_directory(rafair, finished_run):
    refused = rafair("report", finished_run, "--out", ".")
    assert refused.code == 2
    assert "is a directory; name a file" in refused.complaint


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json", "instances.parquet"])
@pytest.mark.parametrize("verb", ["report", "repair"])
def test_a_damaged_run_is_refused(rafair, finished_run, tmp_path, verb, name):
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(b"\x00damaged")
    refused = rafair(verb, "run")
    assert refused.code == 2
    assert name in refused.complaint


def interrupt(*_arguments, **_options):
    raise KeyboardInterrupt


def test_an_interrupt_leaves_nothing_and_exits_with_130(audit, tmp_path, monkeypatch):
    monkeypatch.setattr("rafair.auditing.conductor.attack_seeds", interrupt)
    stopped = audit("--out", "run")
    assert stopped.code == 130
    assert stopped.complaint == "interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_writing_keeps_what_is_finished(audit, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("rafair.report.page.draw_figures", interrupt)
        stopped = audit("--out", "run")
    assert (stopped.code, stopped.out) == (130, "")
    error, advice = stopped.err.splitlines()
    assert error == "error: interrupted; what is finished is kept in run"
    assert advice.startswith("go on with: rafair audit credit --seeds 8 ")
    assert advice.endswith(" --out run --resume")
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert audit("--out", "run", "--resume").code == 0
    assert (tmp_path / "run" / "manifest.json").exists()


def test_running_out_of_memory_is_one_line_with_advice(audit, tmp_path, monkeypatch):
    def greedy(*_arguments):
        raise MemoryError

    monkeypatch.setattr("rafair.auditing.conductor.attack_seeds", greedy)
    refused = audit("--out", "run")
    assert refused.code == 2
    assert "out of memory; use fewer --n-seeds" in refused.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(audit, tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused = audit("--out", "run", "--quiet")
    assert refused.code == 2
    assert "No space left on device" in refused.complaint
    assert list(tmp_path.iterdir()) == []
