"""Runs that stop at any moment, go on, and end as if nothing had happened."""

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import rafair
from rafair import Engine, InvalidInput, Plan, RunDirectory, audit, load_run, write_run
from rafair.auditing import certify_seeds, curves
from rafair.auditing.batches import FEW, Seeds
from rafair.auditing.metadata import identity_of
from rafair.cli.app import main
from rafair.runs import is_unfinished, write_certificates
from rafair.runs.identity import check_same_run

GIVEN = {"attacks": "rafair-ff", "n_seeds": 40, "steps": 1, "step_size": 0.05, "certify": False}
COMMAND = Path(sys.executable).parent / "rafair"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
WORDS = (
    "audit",
    "credit",
    "--seeds",
    "all",
    "--steps",
    "3",
    "--step-size",
    "0.02",
    "--quiet",
    "--no-certify",
)


def stop(*_arguments):
    raise KeyboardInterrupt


def files_of(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def _small_shards():
    """Cut so small that little data makes several shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.auditing.batches.FEW", 20)
        yield


def run_in(folder, *, resume=True, before=lambda _run: None, **options):
    """Run a small audit in a directory; ``before`` is called with it before the result is put."""
    given = {**GIVEN, **options}
    model, data = given.pop("model"), given.pop("data")
    with RunDirectory(folder, resume=resume) as kept:
        found = audit(model, data, store=kept, **given)
        before(kept)
        write_run(found, kept)
    return found


@pytest.fixture
def work(tmp_path, credit, credit_model):
    """Run a small audit in a directory of the test's own."""

    def run(name="run", **options):
        return run_in(tmp_path / name, **{"model": credit_model, "data": credit, **options})

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory, credit, credit_model):
    """The same run twice: begun, and finished."""
    folder, given = tmp_path_factory.mktemp("made"), {"model": credit_model, "data": credit}
    with pytest.raises(KeyboardInterrupt):
        run_in(folder / "begun", before=stop, **given)
    run_in(folder / "finished", **given)
    return folder


@pytest.fixture
def begun(made, tmp_path):
    """A run of which everything is computed and nothing is put in place."""
    return shutil.copytree(made / "begun", tmp_path / "run")


@pytest.fixture
def expected(made, tmp_path):
    """The files of the same run, finished; it lies in the folder ``expected``."""
    return files_of(shutil.copytree(made / "finished", tmp_path / "expected"))


def shards_of(path):
    return sorted((path / "unfinished").glob("*.shard"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_step_goes_on_and_ends_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), tmp_path],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 25


def command(path, *more):
    """Start the command as a person does, in a session of its own."""
    with Path(f"{path}.errors").open("w") as errors:
        return subprocess.Popen(
            [COMMAND, *WORDS, "--out", path, *more],
            env=ENVIRONMENT,
            stderr=errors,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The files of the same command, in this process and with shards of the usual size."""
    path = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rafair.auditing.batches.FEW", FEW)
        with pytest.raises(SystemExit) as ended:
            main([*WORDS, "--out", str(path)])
    assert ended.value.code == 0
    return files_of(path)


def test_a_command_that_was_killed_twice_ends_the_same(tmp_path, undisturbed):
    path = tmp_path / "run"
    for jobs, seen in (("2", 1), ("1", 3)):
        killed = command(path, "--resume", "--jobs", jobs)
        while len(shards_of(path)) < seen and killed.poll() is None:
            time.sleep(0.005)
        killed.kill()
        killed.wait()
        assert is_unfinished(path)
        with contextlib.suppress(ProcessLookupError):  # workers that outlived it
            os.killpg(killed.pid, signal.SIGKILL)
    assert command(path, "--resume").wait() == 0
    assert Path(f"{path}.errors").read_text() == ""
    assert files_of(path) == undisturbed


def test_what_lies_in_a_directory_while_it_runs_and_after(work, begun, expected):
    names = {path.name for path in (begun / "unfinished").iterdir()}
    shards = {f"{kind}-{at:06d}.shard" for kind in ("clean", "rafair-ff") for at in range(2)}
    assert names == {"run.json", "lock", *shards}
    assert [path.name for path in begun.iterdir()] == ["unfinished"]
    work()
    assert files_of(begun) == expected
    assert sorted(expected) == ["instances.parquet", "manifest.json", "metrics.json"]
    assert json.loads(expected["manifest.json"])["identity"]["kind"] == "audit"


def test_what_goes_on_computes_only_what_is_missing(work, begun, expected):
    lost = shards_of(begun)[0]
    lost.unlink()
    computed = []

    class Counting(Engine):
        def map(self, function, tasks):
            computed.append(len(tasks))
            return super().map(function, tasks)

    work(engine=Counting())
    assert computed[0] == 1
    assert files_of(begun) == expected


def test_proofs_go_on_where_they_stopped(work, tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "LEAST", 32)
    proving = {"certify": True, "curve": True, "max_nodes": 20, "max_seconds": 600.0}
    work("expected", **proving)
    with pytest.raises(KeyboardInterrupt):
        work(before=stop, **proving)
    lost = {path for path in shards_of(tmp_path / "run") if path.name.startswith("certified-1-")}
    assert len(lost) == 2
    for path in lost:
        path.unlink()
    work(**proving)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "expected")


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", lambda _: b"x" * 500])
def test_a_damaged_shard_is_computed_anew(work, begun, expected, damage):
    for path in shards_of(begun)[:3]:
        path.write_bytes(damage(path.read_bytes()))
    work()
    assert files_of(begun) == expected


def test_a_shard_under_another_name_is_not_taken_for_one(work, begun, expected):
    first, second, *_ = shards_of(begun)
    second.write_bytes(first.read_bytes())
    work()
    assert files_of(begun) == expected


def test_a_shard_of_another_run_is_not_taken_for_one(work, begun, expected, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work("other", before=stop, steps=2)
    for own, other in zip(shards_of(begun), shards_of(tmp_path / "other"), strict=True):
        own.write_bytes(other.read_bytes())
    work()
    assert files_of(begun) == expected


def trained(data):
    return rafair.train_fcnn(data, epochs=1)


def relabelled(data):
    test = replace(data.test, y=1 - data.test.y)
    return replace(data, test=test)


DIFFERENT = [
    ({"steps": 2}, "the plan: steps 1, not 2; the plan: epsilon 0.05, not 0.1"),
    ({"attacks": ["rafair-tb"]}, "the plan: attacks rafair-ff, not rafair-tb"),
    ({"n_seeds": None}, "the plan: n_seeds 40, not None"),
    ({"random_state": 3}, "the plan: random_state 0, not 3"),
    ({"setting": "feasible"}, "the plan: setting paper, not feasible"),
    ({"sensitive": ["sex"]}, "the sensitive columns: sex, age, not sex"),
    ({"certify": True}, "the certificates: none, not some"),
    ({"model": trained}, "the model"),
    ({"data": relabelled}, "the data"),
]


@pytest.mark.parametrize(("changed", "says"), DIFFERENT, ids=lambda value: str(value)[:30])
def test_another_run_is_refused_and_told_what_differs(work, begun, expected, credit, changed, says):
    made = {key: value(credit) if callable(value) else value for key, value in changed.items()}
    before = files_of(begun)
    with pytest.raises(InvalidInput) as refused:
        work(**made)
    assert f"run holds another run; what differs: {says}; name another" in str(refused.value)
    assert files_of(begun) == before
    work()
    assert files_of(begun) == expected
    with pytest.raises(InvalidInput) as refused:
        work(**made)
    assert f"what differs: {says};" in str(refused.value)
    assert files_of(begun) == expected


@pytest.mark.parametrize("library", ["rafair", "torch"])
def test_another_version_is_refused(work, begun, monkeypatch, library):
    usual = rafair.auditing.metadata.version
    monkeypatch.setattr(
        "rafair.auditing.metadata.version", lambda name: "9.9" if name == library else usual(name)
    )
    text = rf"differs: written with {library} {usual(library)}, this is 9\.9;".replace("+", r"\+")
    with pytest.raises(InvalidInput, match=text):
        work()


def test_batches_jobs_and_progress_make_no_other_run(work, begun, expected):
    work(batch_size=64, engine=Engine(jobs=2), on_progress=lambda *_: None)
    found = files_of(begun)
    for name in ("metrics.json", "instances.parquet"):
        assert found[name] == expected[name]


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("device", "cuda", "written on cuda, this is cpu"),
        ("kind", "certificates", "it holds certificates"),
        ("kind", "poems", "it holds something else"),
        ("columns", "0", "what the columns mean (kinds, domains, ε, relations)"),
        ("seeds", "0", "the seeds"),
        ("shards", 7, "the size of the shards"),
        ("plan", None, "the plan: none, not some"),
    ],
)
def test_whatever_differs_is_named(credit, credit_model, part, value, says):
    seeds = Seeds.chosen(credit_model, credit, Plan(n_seeds=4))
    asked = identity_of("audit", seeds, None)
    check_same_run("here", json.loads(json.dumps(asked)), asked)
    with pytest.raises(InvalidInput) as refused:
        check_same_run("here", {**asked, part: value}, asked)
    assert str(refused.value).startswith(f"here holds another run; what differs: {says}; name")


def test_certificates_do_not_depend_on_the_plans_attacks(credit, credit_model):
    one, other = (
        identity_of(
            "certificates",
            Seeds.chosen(credit_model, credit, Plan(attacks=(name,), n_seeds=4)),
            {"max_nodes": 5},
        )
        for name in ("rafair", "pgd")
    )
    assert one == other


def test_a_finished_run_is_returned_without_computing(work, expected, tmp_path):
    class Idle:
        def map(self, _function, _tasks):
            pytest.fail("it was computed")

    found = work("expected", engine=Idle())
    assert json.loads(json.dumps(found.metrics)) == json.loads(expected["metrics.json"])
    assert files_of(tmp_path / "expected") == expected


def test_a_run_that_was_not_begun_here_is_refused(work, tmp_path, own_run):
    write_run(own_run, tmp_path / "run")
    with pytest.raises(InvalidInput, match="does not say what it was begun with"):
        work()


def test_without_resume_nothing_that_is_there_is_touched(work, begun):
    before = files_of(begun)
    with pytest.raises(InvalidInput) as refused:
        work(resume=False)
    assert str(refused.value) == (
        f"output directory {begun} holds an unfinished run; go on with --resume, or name "
        "another one"
    )
    assert files_of(begun) == before
    work()
    with pytest.raises(InvalidInput, match="already holds a run"):
        work(resume=False)


def test_what_is_not_a_run_is_not_gone_on_with(work, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="is not empty; name another one"):
        work()
    assert list(files_of(tmp_path / "run")) == ["notes.txt"]


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_identity_is_named(work, begun, content):
    (begun / "unfinished" / "run.json").write_text(content)
    with pytest.raises(InvalidInput, match=r"run\.json: damaged"):
        work()


def test_an_unfinished_run_is_no_run_to_read(begun):
    with pytest.raises(InvalidInput) as refused:
        load_run(begun)
    assert str(refused.value) == (
        f"{begun} holds an unfinished run; go on with the command that began it and "
        f"--resume --out {begun}"
    )


def test_where_nothing_is_finished_nothing_is_left(work, tmp_path):
    class Interrupted:
        def map(self, _function, _tasks):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work("a/b/run", engine=Interrupted())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    with pytest.raises(KeyboardInterrupt):
        work(engine=Interrupted())
    assert files_of(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_full_disk_keeps_what_is_finished(work, tmp_path, monkeypatch, expected):
    usual, left = os.fsync, [3]

    def filling(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        usual(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", filling)
        with pytest.raises(InvalidInput, match="No space left on device"):
            work()
    assert len(shards_of(tmp_path / "run")) == 2
    work()
    assert files_of(tmp_path / "run") == expected


def test_two_processes_never_work_in_one_directory(work, begun, expected):
    program = (
        "import rafair, sys\n"
        "with rafair.RunDirectory(sys.argv[1], resume=True) as run:\n"
        "    try:\n"
        "        run.begin({})\n"
        "    except rafair.InvalidInput as error:\n"
        "        print(error)\n"
    )

    def intrude(_run):
        done = subprocess.run(
            [sys.executable, "-c", program, begun], capture_output=True, text=True, check=True
        )
        assert done.stdout == (
            f"another process is at work in {begun}; wait for it, or name another directory\n"
        )
        with (
            pytest.raises(InvalidInput, match="another process is at work"),
            RunDirectory(begun, resume=True) as second,
        ):
            second.begin({})

    work(before=intrude)
    assert files_of(begun) == expected


def test_a_directory_taken_between_looking_and_beginning_is_refused(work, tmp_path):
    late = RunDirectory(tmp_path / "run")
    work()
    with late, pytest.raises(InvalidInput, match="already holds a run"):
        late.begin({})


@pytest.fixture
def certify(tmp_path, credit, credit_model):
    def run(name="proofs", *, resume=True, **options):
        with RunDirectory(tmp_path / name, resume=resume) as kept:
            plan = Plan(n_seeds=70, epsilon=0.02, max_nodes=40)
            found = certify_seeds(credit_model, credit, plan, store=kept, **options)
            write_certificates(found, kept)
        return found

    return run


def test_certificates_that_ran_out_of_time_go_on(certify, tmp_path):
    certify("alone")
    stopped = certify(max_seconds=1e-9)
    assert stopped.manifest["stopped"] is True
    assert (tmp_path / "proofs" / "unfinished").is_dir()
    again = certify(max_seconds=1e-9, engine=Engine(jobs=2))
    assert again.metrics == stopped.metrics
    assert (tmp_path / "proofs" / "manifest.json").is_file()
    assert certify().manifest["stopped"] is False
    assert files_of(tmp_path / "proofs") == files_of(tmp_path / "alone")
    with pytest.raises(InvalidInput, match="already holds a run"):
        certify(resume=False)


def test_certificates_that_were_interrupted_go_on(certify, tmp_path):
    class Half(Engine):
        def map(self, function, tasks):
            for place, result in super().map(function, tasks):
                yield place, result
                raise KeyboardInterrupt

    expected = certify("alone")
    with pytest.raises(KeyboardInterrupt):
        certify(engine=Half())
    assert [path.name for path in shards_of(tmp_path / "proofs")] == ["certified-40-000000.shard"]
    assert certify().metrics == expected.metrics
    assert files_of(tmp_path / "proofs") == files_of(tmp_path / "alone")
    assert certify().metrics == json.loads(json.dumps(expected.metrics))
    with pytest.raises(
        InvalidInput, match="the certificates: claims accurate_fair, accurate, fair"
    ):
        certify(claims=["fair"])
