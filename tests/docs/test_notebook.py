"""docs/notebook.ipynb, run from the top to the end in a kernel of its own."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PAGE = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
MOST_LINES = 40


def lines_of(output):
    """Return the lines that a reader sees of an output, as text and as a table."""
    if output.output_type == "stream":
        return [len(output.text.splitlines())]
    html = output.data.get("text/html", "")
    return [len(output.data["text/plain"].splitlines()), html.count("<tr"), html.count("<p>")]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The cells of code with their outputs."""
    home = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(PAGE, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
            patch.setenv(name, str(home / name))
        resources = {"metadata": {"path": str(home)}}
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_no_output_is_longer_than_a_page_and_no_library_warns(cells):
    for cell in cells:
        for output in cell.outputs:
            assert output.get("name") != "stderr", output.text
            assert max(lines_of(output)) <= MOST_LINES, cell.source


def test_results_are_shown_as_tables(cells):
    shown = [
        output.data.get("text/html", "")
        for cell in cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    for caption in ("AuditResult of table: 50 seeds", "Dataset(", "Verdict: 250 instances"):
        assert any(f"<caption>{caption}" in html for html in shown)
    assert not any("style=" in html for html in shown if "<caption>" in html)
