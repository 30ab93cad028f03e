"""Where work is computed changes no result, whoever is killed meanwhile."""

import contextlib
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from unittest import mock

import cloudpickle
import joblib
import pytest
import torch

from rafair import InvalidInput
from rafair.engine import Engine, backends, ray_cluster, workers
from rafair.engine.workers import Call, Raw, opened, pack, perform
from rafair.errors import WorkersLost

# Workers cannot import this file; it travels with each function.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
STORE_BYTES = 80 * 2**20


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of several node processes on this machine."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        before = signal.getsignal(signal.SIGTERM)
        nodes = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
            },
        )
        nodes.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        yield nodes
        nodes.shutdown()
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def connection(cluster):
    """The test program's own connection, with which workers stay warm."""
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(params=["processes", "ray"])
def engine(request):
    """Two workers of each kind."""
    if request.param == "ray":
        request.getfixturevalue("connection")
    return Engine(2, request.param)


def halves(task):
    generator = torch.Generator().manual_seed(task)
    rows = torch.rand(40, 6, generator=generator, dtype=torch.float64)
    return {"product": rows @ rows.T, "task": task}


def doubled(task):
    return 2 * task


def same(found, expected):
    assert len(found) == len(expected)
    for (place, one), (other_place, other) in zip(sorted_by_place(found), expected, strict=True):
        assert place == other_place
        assert one["task"] == other["task"]
        assert torch.equal(one["product"], other["product"])


def sorted_by_place(found):
    return sorted(found, key=lambda pair: pair[0])


def test_every_engine_gives_every_result_once_and_to_the_bit(engine):
    tasks = list(range(20))
    serial = list(Engine().map(halves, tasks))
    assert [place for place, _ in serial] == tasks
    same(list(engine.map(halves, tasks)), serial)


def test_a_cluster_is_named_by_its_address(cluster, tmp_path):
    serial = list(Engine().map(halves, range(3)))
    same(list(Engine(None, "ray", cluster.address).map(halves, range(3))), serial)


def test_one_job_computes_here_in_order_and_only_what_is_asked_for():
    computed = []
    results = Engine().map(computed.append, ["a", "b", "c"])
    assert next(results) == (0, None)
    assert computed == ["a"]
    assert [place for place, _ in results] == [1, 2]


def test_one_job_of_a_cluster_does_not_compute_here(connection):
    ((_, pid),) = Engine(1, "ray").map(lambda _: os.getpid(), ["only"])
    assert pid != os.getpid()


def test_a_single_task_needs_no_other_process():
    assert list(Engine(4).map(lambda _: os.getpid(), ["only"])) == [(0, os.getpid())]


def test_of_no_tasks_there_is_no_result(engine):
    assert list(engine.map(doubled, [])) == []


def test_results_come_as_soon_as_they_are_there(engine, tmp_path):
    def first_waits(task):
        while task == 0 and not (tmp_path / "go").exists():
            time.sleep(0.01)
        return task

    results = engine.map(first_waits, range(6))
    early = [next(results)[0] for _ in range(5)]
    (tmp_path / "go").touch()
    assert sorted(early) == [1, 2, 3, 4, 5]
    assert list(results) == [(0, 0)]


def test_no_more_tasks_are_under_way_than_jobs(engine, tmp_path):
    def counted(task):
        mark = tmp_path / str(task)
        mark.touch()
        time.sleep(0.05)
        together = len(list(tmp_path.iterdir()))
        mark.unlink()
        return together

    assert max(found for _, found in engine.map(counted, range(12))) <= engine.jobs


def test_it_works_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.extend(Engine(2).map(doubled, range(4))))
    thread.start()
    thread.join()
    assert sorted(found) == [(0, 0), (1, 2), (2, 4), (3, 6)]


def test_settings_of_arithmetic_hold_in_workers(engine, monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    found = {value for _, value in engine.map(lambda _: os.environ["MKL_CBWR"], range(4))}
    assert found == {"COMPATIBLE"}


def test_a_function_is_loaded_once_by_each_worker(engine, tmp_path):
    class Counted:
        def __setstate__(self, state):
            (tmp_path / f"{time.monotonic_ns()}-{os.getpid()}").touch()

        def __getstate__(self):
            return {"some": "state"}

        def __call__(self, task):
            return os.getpid()

    processes = {found for _, found in engine.map(Counted(), range(12))}
    loads = [path.name.rpartition("-")[2] for path in tmp_path.iterdir()]
    assert sorted(loads) == sorted(map(str, processes))


def killed_once(marker, fatal):
    """A function whose worker is killed at one task, the first time."""

    def run(task):
        if task == fatal:
            with contextlib.suppress(FileExistsError):
                marker.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        return halves(task)

    return run


def test_the_work_of_a_killed_worker_is_done_again(engine, tmp_path):
    marker = tmp_path / "killed"
    found = list(engine.map(killed_once(marker, 5), range(12)))
    assert marker.exists()
    same(found, list(Engine().map(halves, range(12))))


def test_the_work_of_a_killed_machine_is_done_again(cluster, connection):
    machine = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    where = machine.node_id

    def slow(task):
        time.sleep(0.2)
        import ray

        return halves(task) | {"where": ray.get_runtime_context().get_node_id()}

    found = []
    for pair in Engine(3, "ray").map(slow, range(40)):
        found.append(pair)
        if machine is not None and pair[1]["where"] == where:
            cluster.remove_node(machine, allow_graceful=False)
            machine = None
    assert machine is None
    same(found, list(Engine().map(halves, range(40))))


def deadly(task):
    if task == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def given_up():
    """What the caller is told at the end."""
    reason = "perhaps because memory ran out; use fewer --jobs"
    return pytest.raises(WorkersLost, match=reason)


def test_a_task_that_kills_every_worker_of_a_cluster_is_given_up(connection, monkeypatch):
    monkeypatch.setattr(backends, "RESTARTS", 0)
    monkeypatch.setattr(ray_cluster, "RETRIES", 1)
    with given_up() as lost:
        list(Engine(2, "ray").map(deadly, range(4)))
    assert "\n" not in str(lost.value)


def test_a_task_that_kills_every_process_comes_last_and_is_given_up(monkeypatch):
    monkeypatch.setattr(backends, "RESTARTS", 0)
    results, found = Engine(2).map(deadly, range(30)), []
    with given_up() as lost:
        found.extend(place for place, _ in results)
    assert "\n" not in str(lost.value)
    assert len(found) == len(set(found))
    missing = set(range(30)) - set(found)
    assert 1 in missing
    assert len(missing) <= 8  # what was under way with it at the end


class OddError(Exception):
    """Can be written, not read."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


ERRORS = {
    "invalid": (
        InvalidInput,
        ("row 3 is empty",),
        InvalidInput,
        "row 3 is empty",
    ),
    "key": (KeyError, ("age",), KeyError, "'age'"),
    "odd": (OddError, (1, 2), RuntimeError, "OddError: 1 and 2"),
}


def in_a_worker(function, task, **changes):
    """What a worker sends back to the caller, without a worker."""
    content = pack(function, "the model")
    call = replace(Call.of(content, Raw(content), torch.get_num_threads()), **changes)
    with warnings.catch_warnings():
        _, result = perform(call, 0, pack(task, "a task"))
    return opened(result)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_comes_through_as_itself(kind):
    error, arguments, expected, text = ERRORS[kind]

    def fails(task):
        raise error(*arguments)

    with pytest.raises(expected) as raised:
        in_a_worker(fails, 3)
    assert (type(raised.value), str(raised.value)) == (expected, text)


def test_an_error_ends_the_work_of_every_engine(engine):
    def fails_at_3(task):
        if task == 3:
            raise OddError(1, 2)
        return task

    with pytest.raises(RuntimeError, match=r"^OddError: 1 and 2$"):
        list(engine.map(fails_at_3, range(8)))


class Stays:
    """Belongs to one process."""

    def __reduce__(self):
        raise TypeError("cannot pickle\nan exported program")


def test_what_cannot_be_sent_is_refused_in_one_line(engine):
    held = Stays()
    why = r"\(TypeError: cannot pickle an exported program\)"
    message = f"cannot be sent .* {why}; use --jobs 1 without --backend ray$"
    with pytest.raises(InvalidInput, match=f"^the model {message}") as refused:
        list(engine.map(lambda task: (task, held), range(4)))
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidInput, match=f"^a task {message}"):
        list(engine.map(doubled, [*range(9), held]))
    with pytest.raises(InvalidInput, match=f"^a result {message}"):
        in_a_worker(lambda _: Stays(), 1)


class Elsewhere:
    """Of a library that workers do not have."""

    def __reduce__(self):
        return __import__, ("nowhere_installed",)


def test_what_a_worker_cannot_load_is_named():
    held = Elsewhere()
    with pytest.raises(InvalidInput, match=r"cannot load .*No module named 'nowhere_installed'"):
        in_a_worker(lambda task: (task, held), 1)


def test_another_release_in_a_worker_is_refused():
    release = workers.VERSION
    with pytest.raises(
        InvalidInput, match=rf"^a worker has rafair {release}, not 0\.0\.1; install"
    ):
        in_a_worker(doubled, 1, version="0.0.1")


def test_workers_share_the_cores_and_the_callers_threads_stay(engine, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 6)
    before = torch.get_num_threads()
    counts = {found for _, found in engine.map(lambda _: torch.get_num_threads(), range(4))}
    assert counts == {3 if engine.backend == "processes" else 1}
    assert torch.get_num_threads() == before


def test_a_run_that_is_left_early_stops_its_workers(engine, tmp_path):
    def marked(task):
        (tmp_path / str(task)).touch()
        time.sleep(0.1)
        return task

    results = engine.map(marked, range(100))
    next(results)
    results.close()
    time.sleep(0.3)
    begun = len(list(tmp_path.iterdir()))
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == begun < 20


def test_a_programs_own_connection_stays(connection):
    assert len(list(Engine(2, "ray").map(doubled, range(3)))) == 3
    assert connection.is_initialized()


def wait_until(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(pid):
    """Tell whether a process is there and no mere entry of the process table."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


SCRIPT = """
import os, sys, time
from pathlib import Path

from rafair.engine import Engine

def work(where):
    Path(where, str(os.getpid())).touch()
    time.sleep(0.1)

if __name__ == "__main__":
    try:
        for _ in Engine(2, sys.argv[1]).map(work, [sys.argv[2]] * 10_000):
            pass
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.fixture(params=["processes", "ray"])
def program(request, tmp_path):
    """A program with two workers that are at work, and the folder of their numbers."""
    if not Path("/proc").is_dir():
        pytest.skip("looks for processes in /proc")
    if request.param == "ray":
        pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "script.py").write_text(SCRIPT)
    seen = tmp_path / "seen"
    seen.mkdir()
    with subprocess.Popen(
        [sys.executable, "-W", "default", tmp_path / "script.py", request.param, seen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RAY_ADDRESS": ""},
    ) as started:
        try:
            wait_until(lambda: len(list(seen.iterdir())) > 1, 60)
            yield started, seen
        finally:
            with contextlib.suppress(ProcessLookupError):  # else the test would wait for it
                os.killpg(started.pid, signal.SIGKILL)


def test_ctrl_c_stops_all_and_prints_nothing(program):
    started, seen = program
    os.killpg(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=120)
    # Joblib's own process may note what it cleans up; the command line hides that.
    err = re.sub(r".*UserWarning: resource_tracker.*\n.*warnings\.warn\(.*\n", "", err)
    assert (out, err, started.returncode) == ("stopped\n", "", 0)
    wait_until(lambda: not any(runs(path.name) for path in seen.iterdir()))


def test_workers_do_not_outlive_a_program_that_is_killed(program):
    started, seen = program
    started.kill()
    started.wait(60)
    wait_until(lambda: not any(runs(path.name) for path in seen.iterdir()), 120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "^jobs must be a whole number, 1 or more, or None, not 0$"),
        ((True,), "^jobs must be a whole number"),
        ((1.5,), "^jobs must be a whole number"),
        (("2",), "^jobs must be a whole number"),
        ((2, "threads"), "^unknown backend 'threads'; use processes or ray$"),
        ((2, "processes", "auto"), "^address is for the backend 'ray', not for 'processes'$"),
    ],
    ids=str,
)
def test_an_engine_that_is_not_possible_is_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        Engine(*arguments)


def test_a_task_that_runs_is_never_cancelled():
    """Ray ends the caller if the result of a cancelled task is just arriving."""
    ray = mock.Mock()
    ray.remote.return_value.return_value.remote.return_value.future.return_value = Future()
    tasks = ray_cluster.RayTasks(ray)
    tasks.submit(halves, print)
    tasks.abort_everything()
    assert not ray.cancel.called


@pytest.fixture
def silent_port():
    """A port where something listens that is no cluster."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_where_no_cluster_is_found_soon(monkeypatch, silent_port):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_cluster, "PATIENCE", 0.5)
    places = [
        ("127.0.0.1:1", r"^no Ray cluster at '127.0.0.1:1' \(.*refused\); start one with: ray st"),
        ("ray://127.0.0.1:1", r"refused\); start one with: ray start --head$"),
        (f"127.0.0.1:{silent_port}", r"\(something else answers there\); start one"),
        ("http://127.0.0.1:80", r"is no address of a Ray cluster; use auto, HOST:PORT or ray://"),
        ("[::", r"is no address of a Ray cluster"),
        ("somewhere", r"^'somewhere' is no address of a Ray cluster"),
    ]
    for address, message in places:
        with pytest.raises(InvalidInput, match=message) as refused:
            list(Engine(2, "ray", address).map(doubled, range(3)))
        assert "\n" not in str(refused.value)


def test_without_ray_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidInput, match=r"needs ray, .*: pip install 'rafair\[ray\]'$"):
        list(Engine(2, "ray").map(doubled, range(3)))


def test_an_engine_can_be_kept_and_sent():
    engine = Engine(3, "ray", "auto")
    assert pickle.loads(pickle.dumps(engine)) == engine
    assert hash(engine) == hash(Engine(3, "ray", "auto"))
