"""What a data set, a schema, a verdict and a result look like at a prompt and in a notebook."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair.auditing import certify_seeds
from rafair.display import Table, as_html, as_text, count, listed
from rafair.fairness import Verdict
from rafair.runs.summary import MEASURES
from rafair.schema.summary import SHOWN

# A display is a few lines of at most this many characters.
WIDEST, MOST_LINES = 200, 12
HOSTILE = "<script>alert('x')</script>\x1b[31m\n\"&"


@pytest.fixture(scope="session")
def proofs(credit, credit_model):
    plan = rafair.Plan.of(credit, "gradient", n_seeds=6, epsilon=0.05, max_nodes=100)
    return certify_seeds(credit_model, credit, plan, ("accurate",), cells=("TB",))


@pytest.fixture(scope="session")
def shown(credit, credit_model, certified_run, credit_run, proofs):
    people = rafair.Counterparts.of(credit.schema)
    verdict = rafair.judge(credit_model, credit.test.x, credit.test.y, people)
    return [certified_run, credit_run, proofs, verdict, credit, credit.test, credit.schema]


class _Texts(HTMLParser):
    """Collects the tags and texts, and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.open = set(), [], []

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(html):
    parser = _Texts()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert parser.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    return parser.texts


def test_every_repr_is_short_and_names_its_type(shown):
    for each in shown:
        lines = repr(each).splitlines()
        assert type(each).__name__ in lines[0]
        assert len(lines) <= MOST_LINES
        assert max(map(len, lines)) <= WIDEST
        assert "tensor(" not in repr(each)


def test_notebooks_get_tables_without_styles_that_say_the_same(shown):
    for each in shown:
        if hasattr(each, "_repr_html_"):
            texts = read(each._repr_html_())
            assert type(each).__name__ in texts[0]
            assert "\n" not in each._repr_html_()


def test_a_result_shows_the_figures_of_its_metrics(certified_run, credit_run):
    for run in (certified_run, credit_run):
        for text in (repr(run), " ".join(read(run._repr_html_()))):
            numbers = re.findall(r"\d\.\d{3}", text)
            ends = [run.metrics["robust"][f"r_{name}"]["at_least"] for name in MEASURES]
            assert [f"{end:.3f}" for end in ends] == numbers[4:8]
            for place, rates in ((0, run.metrics["clean"]), (-4, run.metrics["constant"])):
                shown = numbers[place : place + 4 or None]
                assert [f"{rates[name]:.3f}" for name in MEASURES] == shown


def test_a_result_without_proofs_says_why(credit_run):
    manifest = {**credit_run.manifest, "proofs": {"why_not": "<b>it is a tree"}}
    unproved = replace(credit_run, manifest={**manifest, "inconclusive": True})
    assert "Nothing is proved: <b>it is a tree.\nInconclusive: no attack" in repr(unproved)
    assert "Nothing is proved: <b>it is a tree." in read(unproved._repr_html_())
    assert "Nothing" not in repr(credit_run)


def test_certificates_show_claims_and_cells(proofs):
    assert "R-ACC  0.05" in repr(proofs)
    assert "TB  0.05" in repr(proofs)
    assert len(re.findall("CertifiedResult of credit: 6 people", repr(proofs))) == 2


def test_a_verdict_counts_its_cells():
    accurate = torch.tensor([[True, False], [True, True], [False, True]])
    fair = torch.tensor([[True, True], [False, True], [False, True]])
    pooled = Verdict.of(accurate, fair)
    assert repr(pooled) == "Verdict(2 instances of each of 3 seeds: TF 3, TB 1, FF 1, FB 1)"
    one = pooled.take(torch.tensor([0]))
    assert repr(Verdict.of(accurate[0], fair[0])) == "Verdict(2 instances: TF 1, TB 0, FF 1, FB 0)"
    assert repr(one) == "Verdict(2 instances of each of 1 seed: TF 1, TB 0, FF 1, FB 0)"
    assert read(pooled._repr_html_())[1:] == ["fair", "biased", "true", "3", "1", "false", "1", "1"]


def test_hostile_names_are_escaped_and_cannot_control_a_terminal():
    n = 30
    frame = pd.DataFrame({HOSTILE: np.arange(n) % 7, "sex": ["f", HOSTILE] * (n // 2)})
    frame["<i>label"] = ["<u>yes", "no", "no"] * (n // 3)
    schema = rafair.Schema.infer(frame, label="<i>label", sensitive=["sex"])
    data = rafair.read_table(frame, schema=schema, name=HOSTILE)
    run = rafair.audit(rafair.train_fcnn(data, epochs=1), data, n_seeds=2, steps=1)
    for each in (schema, data, run):
        assert "\x1b" not in repr(each) + each._repr_html_()
        assert len(repr(each).splitlines()) < MOST_LINES
        assert any("<script>" in text for text in read(each._repr_html_()))


def test_a_wide_schema_is_cut_and_says_so():
    frame = pd.DataFrame({f"f{i}": np.arange(20) % (i + 2) for i in range(SHOWN + 5)})
    frame["paid"] = ["yes", "no"] * 10
    schema = rafair.Schema.infer(frame, label="paid", sensitive=[f"f{i}" for i in range(10)])
    assert repr(schema) == (
        "Schema(30 features, label paid (no, yes), sensitive: f0, f1, f2, f3, f4, f5, f6, f7, "
        "… 2 more)"
    )
    texts = read(schema._repr_html_())
    assert "… 5 more" in texts
    assert f"f{SHOWN - 1}" in texts
    assert f"f{SHOWN}" not in texts


def test_doubts_and_notes_stand_below_the_table(credit):
    doubtful = replace(credit.schema, doubts=("age: <is> it?",))
    assert read(doubtful._repr_html_())[-1] == "age: <is> it?"
    noted = replace(credit, notes=("3 cells & more were filled.",))
    assert read(noted._repr_html_())[-1] == "3 cells & more were filled."


def test_displays_leave_equality_as_it_was(credit):
    again = replace(credit.schema, doubts=("none",))
    assert again == credit.schema
    assert hash(again) == hash(credit.schema)
    assert replace(credit.schema, label="other") != credit.schema


def test_columns_of_text_are_aligned_whatever_their_script():
    table = Table("t", ("", "a", "bb"), [("年齢", "1", "2"), ("é", "10", "")])
    assert as_text(table).splitlines() == ["t", "       a  bb", "年齢   1   2", "é     10"]
    assert read(as_html(table, ["below"]))[-1] == "below"


def test_counts_and_lists_of_names():
    assert [count(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert listed([]) == ""
    assert listed(list(range(9))) == "0, 1, 2, 3, 4, 5, 6, 7, … 1 more"
    assert listed(["x" * 50]) == "x" * 39 + "…"
