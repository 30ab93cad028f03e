"""docs/python.md, run from the top to the end in an empty directory."""

import re
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        for text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            exec(compile(text, str(PAGE), "exec"), names)
    assert Path("report.html").is_file()
    assert names["out"].metrics["n_seeds"] == 50
    assert (names["proof"].status != 0).any()
    assert (names["tf"], names["tb"], names["ff"], names["fb"]) == (1, 1, 1, 0)
