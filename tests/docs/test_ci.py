"""docs/ci.md and action.yml: every command, in an empty directory and without a network."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rafair.cli.app import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ci.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKED = re.compile(r"^<!-- (\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Without gradients and proofs nothing is compiled.
SMALL = "credit --n-seeds 8 --counterparts 12 --attack random --queries 20 --no-certify"

yaml = pytest.importorskip("yaml")


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snippets(text):
    return dict(MARKED.findall(text))


@pytest.fixture
def shell(tmp_path):
    """Run lines of bash where ``rafair`` is this one, and ``pip`` installs nothing."""
    tools = tmp_path / "tools"
    tools.mkdir()
    python = f"exec {shlex.quote(sys.executable)} -c"
    cli = f"{python} 'from rafair.cli import main; main()' \"$@\""
    for name, line in {"rafair": cli, "pip": "exit 0", "python": "exit 0"}.items():
        (tools / name).write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
        (tools / name).chmod(0o755)

    def run(script, **environment):
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        source = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "PYTHONPATH": source, **environment},
        )  # fmt: skip

    return run


def test_every_command_and_every_line_of_python_runs(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for language, block in BLOCK.findall(MARKED.sub("", text)):
        if language == "python":
            exec(compile(block, str(PAGE), "exec"), names)
            continue
        for line in block.splitlines():
            with pytest.raises(SystemExit) as ended:
                main(shlex.split(line)[1:])
            assert ended.value.code == 0, (line, capsys.readouterr())
    assert names["verdict"].passed
    assert (tmp_path / "comparison.html").exists()


def action_step(name):
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    (step,) = [each for each in action["runs"]["steps"] if each["name"] == name]
    return action, step


def resolved(action, step, given):
    """The variables of a step, with the inputs in place of the expressions."""
    values = {name: each.get("default", "") for name, each in action["inputs"].items()} | given
    expression = re.compile(r"\$\{\{ inputs\.([\w-]+) \}\}")
    return {
        name: expression.sub(lambda found: values[found[1]], text)
        for name, text in step["env"].items()
    }


@pytest.mark.parametrize(
    ("limits", "allow", "code", "verdict"),
    [
        ("--min acc=0.1", "false", 0, "passed"),
        ("--min 'r_af=1'\n--max tbr=1", "false", 1, "failed"),
        ("--min acc=0.875", "true", 0, "inconclusive"),
    ],
)
def test_the_action_audits_gates_and_says_so(
    finished, shell, tmp_path, limits, allow, code, verdict
):
    action, step = action_step("Gate")
    given = {"gate": limits, "run": str(finished), "allow-inconclusive": allow}
    files = {"GITHUB_STEP_SUMMARY": str(tmp_path / "page"), "GITHUB_OUTPUT": str(tmp_path / "out")}
    done = shell(step["run"], **resolved(action, step, given), **files)
    assert done.returncode == code, done.stdout + done.stderr
    assert (tmp_path / "page").read_text("utf-8").startswith(f"### rafair gate: {verdict}")
    said = dict(line.split("=", 1) for line in (tmp_path / "out").read_text("utf-8").splitlines())
    assert said["verdict"] == verdict
    for name in ("junit", "report"):
        assert Path(said[name]).exists()
    assert set(said) == set(action["outputs"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("ci") / "run"
    with pytest.raises(SystemExit) as ended:
        main(["audit", *SMALL.split(), "--quiet", "--out", str(path)])
    assert ended.value.code == 0
    return path


def test_the_action_audits_what_its_input_says_and_runs_no_code_in_it(shell, tmp_path):
    action, step = action_step("Audit")
    done = shell(step["run"], **resolved(action, step, {"audit": SMALL}))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rafair-run" / "manifest.json").exists()
    hostile = resolved(action, step, {"audit": "credit$(touch evil); touch evil", "run": "x"})
    assert shell(step["run"], **hostile).returncode == 2
    assert not (tmp_path / "evil").exists()


def test_every_input_of_the_action_is_used_and_nothing_else_is(snippets):
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    used = re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text("utf-8"))
    assert set(used) == set(action["inputs"])
    assert action["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in action["runs"]["steps"])
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]  # an expression there would be run as code
    workflow = yaml.safe_load(snippets["github"])
    (gate,) = [s for s in workflow["jobs"]["fairness"]["steps"] if s.get("id") == "gate"]
    assert set(gate["with"]) <= set(action["inputs"])
    assert {n for n, each in action["inputs"].items() if each.get("required")} <= set(gate["with"])


def test_the_lines_for_gitlab_run(snippets, shell, tmp_path):
    job = yaml.safe_load(snippets["gitlab"])["fairness"]
    done = shell("\n".join(job["script"]), **{**job["variables"], "SUBJECT": SMALL})
    assert done.returncode == 0, done.stderr
    for name in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (tmp_path / name).exists()
    assert job["allow_failure"] == {"exit_codes": [3]}


def test_the_test_for_pytest_passes(snippets, shell, tmp_path):
    (tmp_path / "test_model.py").write_text(snippets["pytest"], encoding="utf-8")
    python = shlex.quote(sys.executable)
    line = f"{python} -m pytest -q -p pytest_rafair test_model.py"
    done = shell(line, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout + done.stderr
