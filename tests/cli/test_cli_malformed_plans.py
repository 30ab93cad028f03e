"""Plans that are wrong: one line that names the file, the place and the reason; nothing written."""

import itertools
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import plan_texts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_texts import check_refused, listing, plan

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A directory with the good plan, its table and its model."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "people.csv").write_text(plan_texts.csv())
    (folder / "plan.toml").write_text(plan())
    model = folder / "model.safetensors"
    done = plan_texts.run(
        "train", folder / "plan.toml", "--epochs", "40", "--quiet", "--out", model
    )
    assert (done.code, done.err) == (0, "")
    return folder


@pytest.fixture
def refused(rafair, good, tmp_path):
    """Run a verb on a plan that is refused; return the line without what every one begins with."""

    def try_(verb, content, *expected, late=False):
        for name in ("people.csv", "model.safetensors"):
            (tmp_path / name).symlink_to(good / name)
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / "plan.toml").write_bytes(content)
        before = listing(tmp_path)
        done = rafair(verb, "plan.toml")
        if late and verb == "check":  # what is known of the table is shown before its model
            done = replace(done, out="")
        line = done.complaint
        for words in expected:
            assert words in line
        assert len(line) < 500
        assert listing(tmp_path) == before
        return line

    return try_


@pytest.mark.parametrize("verb", ["check", "audit"])
def test_the_plan_that_all_others_are_made_of_is_good(rafair, good, tmp_path, verb):
    for path in good.iterdir():
        shutil.copy(path, tmp_path)
    done = rafair(verb, "plan.toml")
    assert (done.code, done.err) == (0, "")


# What a file holds → what the line says beside the file's name.
GOOD = plan()
TEXTS = {
    "an open string": ('relations = ["age', "not TOML"),
    "an open list": ("relations = [1, 2", "not TOML"),
    "an open section": ("[data\nlabel = 1", "not TOML"),
    "an open multi-line string": ('a = """\nb\n', "not TOML"),
    "an open inline table": ("data = { table = 'a'", "not TOML"),
    "a key without a value": ("[data]\ntable =\n", "not TOML"),
    "a value without a key": ("= 3", "not TOML"),
    "a word": ("plan", "not TOML"),
    "a bare word as a value": ("[data]\nlabel = paid", "not TOML"),
    "Python's True": ("a = True", "not TOML"),
    "null": ("a = null", "not TOML"),
    "a key twice": (GOOD.replace("[data]", '[data]\nlabel = "paid"'), "not TOML"),
    "a section twice": (GOOD + "\n[data]\n", "not TOML"),
    "a feature twice": (GOOD + "\n[features.age]\n", "not TOML"),
    "features as a value": ("features = 3\n" + GOOD, "not TOML"),
    "an unknown escape": (r'a = "\q"', "not TOML"),
    "half an escape": (r'a = "\u12"', "not TOML"),
    "a surrogate": (r'a = "\ud800"', "not TOML"),
    "a control character": ('a = "\x01"', "not TOML"),
    "a line break in a string": ('a = "b\nc"', "not TOML"),
    "a leading zero": ("a = 012", "not TOML"),
    "two points": ("a = 1.2.3", "not TOML"),
    "a number ending in a point": ("a = 1.", "not TOML"),
    "a day that is none": ("a = 2024-02-31", "not TOML"),
    "two values on a line": ("a = 1 b = 2", "not TOML"),
    "a key with a blank": ("my key = 1", "not TOML"),
    "a semicolon comment": ("; comment\n" + GOOD, "not TOML"),
    "JSON": ('{"data": {"label": "paid"}}', "not TOML"),
    "YAML": ("data:\n  label: paid\n", "not TOML"),
    "a table": (plan_texts.csv(), "not TOML"),
    "HTML": ("<!doctype html>", "not TOML"),
    "a NUL byte": (b"a = 1\x00", "not TOML"),
    "NUL bytes only": (bytes(64), "not TOML"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), "not TOML"),
    "many brackets": ("a = " + "[" * 5_000, "not TOML"),
    "many tables": ("a = " + "{a=" * 5_000, "not TOML"),
    "UTF-16": (GOOD.encode("utf-16"), "not a text in UTF-8"),
    "UTF-32": (GOOD.encode("utf-32-le"), "not TOML"),
    "Latin-1": ("# für alle\n".encode("latin-1") + GOOD.encode(), "not a text in UTF-8"),
    "bytes": (bytes(range(128, 256)), "not a text in UTF-8"),
    "11 MB": (b"#" * (11 * 2**20), "larger than 10 MB"),
    "a number of 5000 digits": (f"a = {'9' * 5_000}", ""),
    "a hexadecimal number of 5000 digits": (plan(f"[data] label = 0x{'f' * 5_000}"), "label"),
    "a level of 5000 digits": (plan(f"[features.job] levels = [0x{'f' * 5_000}]"), "levels"),
    "a feature of 5000 digits": (plan("no [features.sex]", f"[features] sex = 0x{'f' * 5_000}"),
                                 "features.sex"),
    "nothing": ("", "data is missing"),
    "a comment alone": ("# nothing yet\n", "data is missing"),
    "blanks": ("  \n\t\n", "data is missing"),
    "a list of data": ("[[data]]\nlabel = 'paid'", "data must be a section"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_plan_is_refused(refused, name):
    content, words = TEXTS[name]
    refused("check", content, "plan.toml", words)


# Values of every type of TOML.
VALUES = {
    "text": '"x"',
    "whole": "3",
    "number": "0.5",
    "truth": "true",
    "list": "[[]]",
    "section": "{ a = 1 }",
    "day": "1979-05-27",
    "nan": "nan",
    "inf": "-inf",
    "1e400": "1e400",
    "large": "1" + "0" * 301,
}
NUMBERS = {"whole", "number"}
BROKEN = {"nan", "inf", "1e400", "large"}
SIZE = NUMBERS | {"text"}
TAKES = {
    "": {"relations": set()},
    "data": {
        "table": {"text"},
        "label": {"text"},
        "positive": {"text", "truth"} | NUMBERS,
        "ignore": set(),
        "test_share": NUMBERS,
        "random_state": {"whole"},
    },
    "model": {key: {"text"} for key in ("path", "inputs", "output")} | {"trust": set()},
    "audit": {
        **{key: {"whole"} for key in ("steps", "random_state", "queries", "max_nodes")},
        **dict.fromkeys(("step_size", "epsilon"), NUMBERS),
        **{key: {"text"} for key in ("loss", "setting", "select")},
        "attacks": set(),
        "certify": {"truth"},
        # A text is read too, but only the word "all" is right.
        **{key: {"whole"} for key in ("n_seeds", "counterparts")},
        "fail_under": {"section"},
    },
    "audit.fail_under": {"r_af": NUMBERS},
    "features.age": {
        "kind": {"text"},
        "unit": {"text"},
        **{key: set() for key in ("range", "levels", "columns", "bins")},
        **{key: {"truth"} for key in ("sensitive", "perturbable", "switch")},
        "missing": {"text"},
        "fill": {"text", "truth"} | NUMBERS,
        **dict.fromkeys(("epsilon", "step"), SIZE),
    },
}
TYPES = [
    (f"[{section}] {key} = {VALUES[value]}", f"[{section}] {key}" if section else key)
    for section, keys in TAKES.items()
    for key, right in keys.items()
    for value in VALUES
    if value not in right and (right & NUMBERS or value not in BROKEN)
]
TYPES += [
    (f"[features] strange = {VALUES[value]}", "[features.strange] must be a section")
    for value in ("text", "whole", "truth", "list", "day")
]


@pytest.mark.parametrize(("edit", "place"), TYPES)
def test_every_key_refuses_values_of_other_types(refused, edit, place):
    edits = ["no [audit.fail_under]"] if "] fail_under" in edit else []
    line = refused("check", plan(*edits, edit), "plan.toml", place)
    assert " must be " in line


LISTS = [
    ("[] relations = [1]", "relations must be a list of texts"),
    ("[data] ignore = ['id', 3]", "[data] ignore must be a list of texts"),
    ("[model] trust = [true]", "[model] trust must be a list of texts"),
    ("[audit] attacks = [['pgd']]", "[audit] attacks must be a list of texts"),
    ("[features.age] range = [18]", "[features.age] range must be a list of 2 numbers"),
    ("[features.age] range = [18, 40, 70]", "[features.age] range must be a list of 2 numbers"),
    ("[features.age] range = ['18', '70']", "[features.age] range must be a list of numbers"),
    ("[features.age] range = [false, true]", "[features.age] range must be a list of numbers"),
    ("[features.age] range = [nan, 70]", "[features.age] range must be a list of numbers"),
    ("[features.age] range = [18, inf]", "[features.age] range must be a list of numbers"),
    ("[features.age] range = [18, 1e400]", "[features.age] range must be a list of numbers"),
    (f"[features.age] range = [18, 1{'0' * 320}]", "[features.age] range must be a list of num"),
    ("[features.age] bins = [18, 'x', 70]", "[features.age] bins must be a list of numbers"),
    ("[features.age] bins = [18, nan, 70]", "[features.age] bins must be a list of numbers"),
    ("[features.size] levels = ['small', 2]", "[features.size] levels must be a list of texts"),
    ("[features.size] levels = [1, true]", "[features.size] levels must be a list of texts"),
    ("[features.size] levels = [1, 1.5]", "[features.size] levels must be a list of texts"),
    ("[features.size] levels = [nan]", "[features.size] levels must be a list of texts"),
    ("[features.size] levels = [1979-05-27]", "[features.size] levels must be a list of texts"),
    ("[features.race] columns = [1, 2, 3]", "[features.race] columns must be a list of texts"),
    ("[audit] n_seeds = 'many'", "[audit] n_seeds must be a whole number or 'all'"),
    ("[audit] counterparts = ''", "[audit] counterparts must be a whole number or 'all'"),
]
UNKNOWN = [
    ("[] relation = []", "'relation' is unknown; did you mean 'relations'?"),
    ("[] version = 3", "'version' is unknown; use relations, data, features, model, audit"),
    ("[Data] label = 3", "'Data' is unknown; did you mean 'data'?"),
    ("[feature.age] kind = 'integer'", "'feature' is unknown; did you mean 'features'?"),
    ("[models] path = 'a'", "'models' is unknown; did you mean 'model'?"),
    ("[data] lable = 'paid'", "[data] 'lable' is unknown; did you mean"),
    ("[data] relations = []", "[data] 'relations' is unknown"),
    ("[features.age] sensitve = true", "[features.age] 'sensitve' is unknown; did you mean 'sens"),
    ("[features.age] eps = 3", "[features.age] 'eps' is unknown"),
    ("[features.age.deep] kind = 'x'", "[features.age] 'deep' is unknown"),
    ("[model] file = 'x'", "[model] 'file' is unknown; use path, inputs, output, trust"),
    ("[model] unsafe_pickle = true", "[model] 'unsafe_pickle' is unknown"),
    ("[audit] step = 3", "[audit] 'step' is unknown; did you mean 'steps'?"),
    ("[audit] device = 'cpu'", "[audit] 'device' is unknown"),
    ("[audit] seeds = 3", "[audit] 'seeds' is unknown; did you mean 'n_seeds'?"),
    (f'[data] "{HOSTILE}" = 1', "is unknown"),
    ('[data] "" = 1', "[data] '' is unknown"),
    ('[data] "a\\nb" = 1', r"[data] 'a\nb' is unknown"),
]
MISSING = [
    ("no [data]", "data is missing"),
    ("[data] table", "[data] table is missing"),
    ("[data] label", "[data] label is missing"),
    ("[model] path", "[model] path is missing"),
    ("[features.age] kind = 'number'", "kind must be one of numeric, integer, ordinal, categ"),
    ("[features.age] kind = ''", "[features.age] kind must be one of"),
    ("[features.age] kind = 'Integer'", "[features.age] kind must be one of"),
    ("[features.income] missing = 'zero'", "[features.income] unknown rule 'zero' for empty cells"),
    ("[features.income] missing = ''", "[features.income] unknown rule ''"),
    ("[features.income] fill = 3", "[features.income] missing must be beside fill; keep one"),
]
LABEL = "[data] ignore = ['id', 'paid']|[data] positive|[data] label"
RACE = "[data] ignore = ['id', 'race_c']|[features.race] columns"
SEX = "[data] ignore = ['id', 'sex']|[features.sex] columns"
COLUMNS = [
    # ranges
    ("[features.age] range = [70, 18]", "age", "low <= high"),
    ("[features.age] range = [18, 60]", "age", "lies outside 18..60"),
    ("[features.age] range = [30, 70]", "age", "lies outside 30..70"),
    ("[features.age] range = [-1e300, 1e300]", "age", ""),
    ("[features.age] range = [0, 1e17]", "age", "2^53"),
    ("[features.income] range = [0, 100]", "income", "lies outside 0..100"),
    ("[features.income] range = [9000, 0]", "income", "low <= high"),
    ("[features.size] range = [0, 1]", "size", "range"),
    ("[features.race] range = [0, 1]", "race", "range"),
    # levels
    ("[features.size] levels = ['small', 'large']", "size", "is not one of its levels"),
    ("[features.size] levels = ['small', 'medium', 'large', 'small']", "size", "occurs twice"),
    ("[features.size] levels = [1, 2, 3]", "size", "is not one of its levels"),
    ("[features.job] levels = ['cook']", "job", "is not one of its levels"),
    ("[features.age] levels = [18, 70]", "age", "levels"),
    ("[features.income] levels = ['low', 'high']", "income", "levels"),
    # kinds
    ("[features.sex] kind = 'numeric'", "sex", "is not a finite number"),
    ("[features.size] levels|[features.size] kind = 'integer'", "size", "is not a finite number"),
    ("[features.income] kind = 'integer'", "income", "is not a whole number"),
    ("[features.income] kind = 'categorical'", "income", ""),
    ("[features.age] kind = 'ordinal'", "age", "range"),
    ("[features.race] kind = 'numeric'", "race", ""),
    # one-hot groups
    (
        "[features.race] columns = ['race_a', 'race_b', 'race_d']|[data] ignore = ['id', 'race_c']",
        "race_d",
        "has no column",
    ),
    (
        f"{RACE} = ['race_a', 'race_a', 'race_b']",
        "race",
        "occurs twice",
    ),
    (
        f"{RACE} = ['race_a', 'race_b', 'years']",
        "race",
        "one-hot columns",
    ),
    ("[features.race] levels = ['a', 'b']", "race", "one-hot columns need"),
    ("[features.race] levels = ['a', 'b', 'c', 'd', 'e']", "race", "one-hot columns need"),
    ("[features.race] levels = ['a', 'b', 'b']", "race", "occurs twice"),
    (
        f"{RACE} = ['race_a', 'race_b', 'sex']",
        "race",
        "one-hot columns",
    ),
    (
        f"{SEX} = ['race_a', 'race_b', 'race_c']",
        "race_a",
        "more than once",
    ),
    ("[features.race_a] kind = 'integer'", "race_a", "more than once"),
    # bins
    ("[features.age] bins = [70, 50, 18]", "age", "growing edges"),
    ("[features.age] bins = [18, 30, 30, 70]", "age", "growing edges"),
    ("[features.age] bins = [18]", "age", "two or more growing edges"),
    ("[features.age] bins = [18, 30]", "age", "the bins from 18 to 30"),
    ("[features.age] bins = [20, 70]", "age", "the bins from 20 to 70"),
    ("[features.size] bins = [0, 1]", "size", "bins"),
    ("[features.race] bins = [0, 1]", "race", "bins"),
    # ε and steps
    ("[features.years] epsilon = 'far'", "years", "epsilon 'far' is neither a number"),
    ("[features.years] epsilon = ''", "years", "epsilon '' is neither a number"),
    ("[features.years] epsilon = '%'", "years", "epsilon '%' is neither"),
    ("[features.years] epsilon = '.%'", "years", "epsilon '.%' is neither"),
    ("[features.years] epsilon = '1.2.3%'", "years", "is neither"),
    ("[features.years] epsilon = '-5%'", "years", "is neither"),
    ("[features.years] epsilon = '5'", "years", "is neither"),
    ("[features.years] epsilon = '5%%'", "years", "is neither"),
    ("[features.years] epsilon = '1e3%'", "years", "is neither"),
    ("[features.years] epsilon = '٥%'", "years", "is neither"),
    (f"[features.years] epsilon = '{'9' * 400}%'", "years", "finite"),
    ("[features.years] epsilon = -1", "years", "finite and not negative"),
    ("[features.years] epsilon = -0.001", "years", "finite and not negative"),
    ("[features.years] step = 'half'", "years", "step 'half' is neither"),
    ("[features.years] step = -3", "years", "step must be finite and not negative"),
    ("[features.sex] epsilon = '5%'", "sex", "epsilon, but it is sensitive"),
    ("[features.age] step = 1", "age", "step, but it is sensitive"),
    ("[features.years] perturbable = false", "years", "has epsilon, but it is not perturbable"),
    ("[features.race] epsilon = 1", "race", "epsilon, but it is sensitive"),
    # switches
    ("[features.years] switch = true", "years", "switch is for categorical"),
    ("[features.size] switch = true", "size", "switch is for categorical"),
    ("[features.sex] switch = true", "sex", "switch"),
    ("[features.job] perturbable = false", "job", "switch"),
    # empty cells
    ("[features.income] missing", "income", "the cell is empty (NaN)"),
    ("[features.income] missing = 'refuse'", "income", "row 5: the cell is empty (NaN)"),
    # other columns
    ("[data] ignore = []", "id", "not described"),
    ("no [features.job]", "job", "not described"),
    ("[data] ignore = ['id', 'job2']", "job2", "ignore names"),
    ("[data] ignore = ['id', '']", "''", "ignore names"),
    ("[features.wealth] kind = 'numeric'", "wealth", "has no column"),
    ('[features.""] kind = "numeric"', "''", "has no column"),
    ('[features."it\'s \\"it\\""] kind = "numeric"', "it", "has no column"),
    ('[features."a\\nb"] kind = "numeric"', r"a\nb", "has no column"),
    ('[features."a\\u0000"] kind = "numeric"', r"a\x00", "has no column"),
    (f'[features."{HOSTILE}"] kind = "numeric"', HOSTILE, "has no column"),
    (f'[features.{"a" * 300}] kind = "numeric"', "aaaa", "has no column"),
    # the label
    (
        f"{LABEL} = 'salary'",
        "salary",
        "no label column",
    ),
    (f"{LABEL} = ''", "''", "no label column"),
    (
        f"{LABEL} = 'income'",
        "income",
        "",
    ),
    ("[data] ignore = ['paid']|[data] positive|[data] label = 'id'", "id", ""),
    (f"{LABEL} = 'sex'", "sex", ""),
    ("[features.paid] kind = 'categorical'", "paid", "more than once"),
    ("[data] positive = 'maybe'", "paid", "never has the positive value 'maybe'"),
    ("[data] positive = 1", "paid", "never has the positive value 1"),
    ("[data] positive = true", "paid", "never has the positive value True"),
    ("[data] test_share = 0", "test_share", "between 0 and 1"),
    ("[data] test_share = 1", "test_share", "between 0 and 1"),
    ("[data] test_share = -0.2", "test_share", "between 0 and 1"),
    ("[data] test_share = 30", "test_share", "between 0 and 1"),
    ("[data] test_share = 0.001", "paid", "cannot be split in two"),
    ("[data] test_share = 0.9999", "paid", "cannot be split in two"),
    ("[data] random_state = -1", "random_state", ""),
    # the table
    ("[data] table = 'nowhere.csv'", "nowhere.csv", "no such file"),
    ("[data] table = ''", "table", ""),
    ("[data] table = '.'", "table", ""),
    ("[data] table = 'people'", "people", "use .csv or .parquet"),
    ("[data] table = 'people.xlsx'", "people.xlsx", "use .csv or .parquet"),
    ("[data] table = 'plan.toml'", "plan.toml", "use .csv or .parquet"),
    ('[data] table = "a\\u0000.csv"', "csv", "no such file"),
    ("[data] table = '/nowhere/people.csv'", "/nowhere/people.csv", "no such file"),
    (f"[data] table = '{'a' * 300}.csv'", "aaa"),
    ("[data] table = 'model.safetensors'", "model.safetensors", "use .csv or .parquet"),
]
RELATIONS = [
    ("", "must be a text"),
    ("age >=", "not an expression"),
    ("(age >= 18", "not an expression"),
    ("age >= 18; years = 3", "not an expression"),
    ("age = 18", "not an expression"),
    ("age >= 18\nyears >= 0", "not an expression"),
    ("age", "it must compare something"),
    ("1", "it must compare something"),
    ("age + 1", "it must compare something"),
    ("[age >= 18]", "it must compare something"),
    ("lambda: age >= 18", "it must compare something"),
    ("age >= 18 if sex == 'm' else True", "it must compare something"),
    ("1 < 2", "speaks of no column"),
    ("'a' == 'a'", "can be used"),
    ("agee >= 18", "there is no feature 'agee'"),
    ("`agee` >= 18", "there is no feature 'agee'"),
    ("paid == 'yes'", "there is no feature 'paid'"),
    ("id > 3", "there is no feature 'id'"),
    ("race_a == 1", "there is no feature 'race_a'"),
    ("age >= True", ""),
    ("age >= 'old'", "can be used"),
    ("age ** 2 > 3", "can be used"),
    ("age % 2 == 0", "can be used"),
    ("age >= eval('18')", "can be used"),
    ("__import__('os').system('x') == 0", "can be used"),
    ("age.real >= 18", "can be used"),
    ("age[0] >= 18", "can be used"),
    ("age is 18", "use one of"),
    ("age in 18", "comes a list"),
    ("age in []", "comes a list"),
    ("age in years", "comes a list"),
    ("job > 'cook'", "have no order"),
    ("job == 'Cook'", "'Cook' is no level of 'job'"),
    ("size >= 'huge'", "'huge' is no level of 'size'"),
    ("job + 1 > 3", "holds text"),
    ("job == 3", "is no level"),
    ("job == size", ""),
    ("age >= 1e999", "too large"),
    ("age >= " + "9" * 400, "too large"),
    ("age >= " + "9" * 5000, ""),
    ("age >= " + "(" * 300 + "1" + ")" * 300, ""),
    ("not " * 400 + "age >= 1", ""),
    ("age >= 18 " * 200, ""),
    ("age >= 100", "Nobody is left"),
    ("age < years", "Nobody is left"),
    ("age / 0 < 0", "Nobody is left"),
    ("age >= 18\x00", "not an expression"),
    ("age >= 1j", "can be used"),
]
COLUMNS += [
    (f"[] relations = [{plans_value}]", "relation", words)
    for plans_value, words in (
        ('"' + "".join(f"\\u{ord(c):04x}" for c in text) + '"', words) for text, words in RELATIONS
    )
]
OPTIONS = [
    ("[audit] attacks = ['deepfool']", "unknown attack 'deepfool'"),
    ("[audit] attacks = ['']", "unknown attack ''"),
    ("[audit] attacks = ['pgd', 'rafair-xx']", "unknown attack 'rafair-xx'"),
    ("[audit] attacks = ['dice']", "'dice' has no parameter 'loss'"),
    ("[audit] n_seeds = 0", "seeds must be a whole number, 1 or more"),
    ("[audit] n_seeds = -3", "seeds must be a whole number, 1 or more"),
    ("[audit] n_seeds = 100000", "seeds"),
    ("[audit] random_state = -1", "random_state must be a whole number, 0 or more"),
    ("[audit] random_state = 4294967296", "random_state must be at most"),
    ("[audit] steps = -1", "steps must be a whole number, 0 or more"),
    ("[audit] step_size = -0.1", "step_size must be finite and not negative"),
    ("[audit] epsilon = -0.1", "epsilon must be finite and not negative"),
    ("[audit] loss = 'hinge'", "unknown loss 'hinge'"),
    ("[audit] loss = ''", "unknown loss ''"),
    ("[audit] setting = 'possible'", "unknown setting 'possible'"),
    ("[audit] select = 'best'", "unknown select 'best'"),
    ("[audit] counterparts = 0", "counterparts must be a whole number, 1 or more"),
    ("[audit] queries = 0", "queries must be a whole number, 1 or more"),
    ("[audit] max_nodes = 0", "max_nodes must be a whole number, 1 or more"),
    ("[audit.fail_under] r_af = 1.5", "the bound must lie in [0, 1]"),
    ("[audit.fail_under] r_af = -0.1", "the bound must lie in [0, 1]"),
    ("[audit.fail_under] beauty = 0.5", "unknown rate 'beauty'"),
    ("[audit.fail_under] R_AF = 0.5", "unknown rate 'R_AF'"),
    ('[audit.fail_under] "" = 0.5', "unknown rate ''"),
    ('[audit.fail_under] "r_af=0.1" = 0.5', "r_af=0.1"),
]
MODELS = [
    ("[model] path = 'nowhere.skops'", "nowhere.skops: no such model file"),
    ("[model] path = '/nowhere/model.onnx'", "/nowhere/model.onnx: no such model file"),
    ("[model] path = 'model.exe'", "model.exe: no known kind of model file"),
    ("[model] path = 'people.csv'", "people.csv: no known kind of model file"),
    ("[model] path = ''", "model file"),
    ("[model] path = '.'", "model file"),
    ('[model] path = "a\\u0000.onnx"', ".onnx"),
    ('[model] path = "a\\nb.onnx"', "no such model file"),
    (f"[model] path = '{'a' * 300}.onnx'", "aaa"),
    ("[model] inputs = 'matrix'", "'matrix'"),
    ("[model] output = 'votes'", "'votes'"),
]
GENERAL = [
    (
        "[features.age] bins|"
        + "|".join(f"[features.{name}] sensitive = false" for name in ("age", "race", "sex")),
        "no sensitive column",
    ),
    (
        "[features.age] bins|"
        + "|".join(f"[features.{name}] sensitive" for name in ("age", "race", "sex")),
        "no sensitive column",
    ),
    ("[data] label = 'sex'|no [features.sex]|[data] ignore = ['id']", "'paid' is not described"),
    ("[features.years] epsilon|[features.years] step = 'x'", "years"),
    ("[features.job] switch|[features.job] epsilon = '5%'", "job"),
    ("[features.income] missing|[features.income] fill = 'much'", "income"),
    ("[features.income] missing|[features.income] fill = 10000", "lies outside 0..9000"),
    (
        "[features.race] columns = ['race_a', 'race_b']|[features.race] levels = ['a', 'b']",
        "not described",
    ),
    (
        f"{RACE} = ['race_a', 'race_b']|[features.race] levels = ['a', 'b']",
        "race",
    ),
    ("[] relations = ['age >= 18', 'age < 18']", "Nobody is left"),
    # What would have no effect is said to have none.
    ("[data] ignore = ['id', 'age']", "age"),
    ("[features.race] missing = 'median'", "race"),
    ("[features.race] fill = 'a'", "race"),
    ("[features.age] range = []", "range"),
]


def places(table):
    return [(edit, *words) for edit, *words in table]


EVERY = [
    *(("plan.toml", *case) for case in itertools.chain(LISTS, UNKNOWN, MISSING)),
    *(("", *case) for case in itertools.chain(places(COLUMNS), GENERAL, MODELS)),
]


@pytest.mark.parametrize("case", EVERY, ids=lambda case: ascii(case[1])[1:90])
def test_a_plan_that_cannot_be_is_refused(refused, case):
    file, edits, *words = case
    line = refused("check", plan(*edits.split("|")), file, *words, late="[model]" in edits)
    # The rest names the file that is wrong, be it plan, table or model.
    assert any(name in line for name in ("plan.toml", "people.csv", *words))


@pytest.mark.parametrize("verb", ["check", "audit"])
@pytest.mark.parametrize(("edit", "words"), OPTIONS)
def test_an_option_that_cannot_be_is_refused_with_the_plan_and_the_key(refused, verb, edit, words):
    line = refused(verb, plan(edit), words, late="dice" in edit)
    assert "plan.toml" in line


AUDITED = [case for place, case in enumerate(EVERY) if place % 6 == 0]


@pytest.mark.parametrize("case", AUDITED, ids=lambda case: ascii(case[1])[1:90])
def test_an_audit_refuses_what_a_check_refuses(refused, case):
    file, edits, *words = case
    refused("audit", plan(*edits.split("|")), file, *words)


@pytest.mark.parametrize("verb", ["train", "certify"])
@pytest.mark.parametrize("content", ["", "a = [", plan("[features.age] range = [70, 18]")])
def test_other_verbs_refuse_it_too(refused, verb, content):
    refused(verb, content, "plan.toml" if len(content) < 9 else "people.csv")


@pytest.mark.parametrize(
    "relation", ["paid_twice > 1", "income >= 0 or `wealth` > 0", "job != 'cook' or age > old"]
)
def test_what_is_wrong_in_a_relation_names_the_table_or_the_plan(refused, relation):
    line = refused("check", plan(f'[] relations = ["{relation}"]'), "there is no feature")
    assert "plan.toml" in line or "people.csv" in line


def test_a_relation_that_leaves_one_class_is_refused(refused):
    # The table is written by hand: all who are paid have been employed for some time.
    frame = plan_texts.people().copy()
    frame["years"] = frame["years"].where(frame["paid"] == "yes", 0)
    frame.loc[frame["paid"] == "yes", "age"] = 70
    frame.loc[frame["paid"] == "yes", "years"] += 1
    content = plan("[] relations = ['years >= 1']", "[data] table = 'other.csv'")
    Path("other.csv").write_text(frame.to_csv(index=False))
    refused("check", content, "other.csv", "'no'")


class StuckError(Exception):
    """A command that waits for what never comes."""


def stop(_signal, _frame):
    raise StuckError


def test_a_plan_that_is_a_pipe_is_refused_and_nobody_waits_for_it(rafair, tmp_path):
    os.mkfifo(tmp_path / "plan.toml")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        assert "plan.toml" in rafair("check", "plan.toml").complaint
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("verb", ["check", "audit", "certify", "train"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.toml", "nowhere.toml: no such plan"),
        ("folder.toml", "folder.toml: no such plan"),
        ("nowhere/plan.toml", "nowhere/plan.toml: no such plan"),
        ("loop.toml", "loop.toml: no such plan"),
        ("dangling.toml", "dangling.toml: no such plan"),
        ("plan.toml/", "unknown dataset|no such plan|plan.toml"),
        ("plan.TOML", "plan.TOML"),
        (".toml", ".toml"),
        ("", "unknown dataset ''"),
        ("people.csv", "people.csv"),
        ("a" * 300 + ".toml", "aaaa"),
        ("folder.toml/plan.toml", "folder.toml/plan.toml: no such plan"),
    ],
)
def test_what_is_no_file_is_refused(rafair, tmp_path, verb, name, words):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    (tmp_path / "dangling.toml").symlink_to(tmp_path / "gone")
    before = sorted(path.name for path in tmp_path.iterdir())
    line = rafair(verb, name).complaint
    assert any(part in line for part in words.split("|"))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_plan_that_may_not_be_read_is_refused(rafair, tmp_path):
    (tmp_path / "plan.toml").write_text(plan())
    (tmp_path / "plan.toml").chmod(0)
    assert "plan.toml: Permission denied" in rafair("check", "plan.toml").complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        (["people.txt"], "people.txt: unknown kind of table"),
        (["people.csv", "--label", "nope"], "no label column 'nope'"),
        (["people.csv", "--sensitive", "nope"], "sensitive column 'nope' is not a feature"),
        (["people.csv", "--sensitive", "paid"], "sensitive column 'paid' is not a feature"),
        (["people.csv", "--sensitive", ""], "--sensitive takes names"),
        (["people.csv", "--sensitive", "sex,,age"], "--sensitive takes names"),
        (["people.csv", "--positive", "maybe"], "never has the positive value 'maybe'"),
        (["people.csv", "extra"], "unexpected extra argument"),
        ([], "Missing argument"),
    ],
)
def test_init_refuses_what_it_cannot_describe(rafair, tmp_path, arguments, words):
    (tmp_path / "people.csv").write_text(plan_texts.csv())
    given_ = list(arguments)
    for option, value in (("--label", "paid"), ("--sensitive", "sex")):
        given_ += [] if option in given_ else [option, value]
    assert words in rafair("init", *given_).complaint
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]


def check_done_or_refused(finished):
    if finished.code == 0:
        assert finished.err == ""
        assert finished.out
    else:
        check_refused(finished)


PIECES = [
    b"\x00",
    b"\xff",
    b"\n",
    b'"',
    b"[",
    b"]",
    b"=",
    b"nan",
    b"-",
    b"1e309",
    b"{",
    b"true",
    b"'",
]


@st.composite
def mutations(draw, content):
    """A text with some bytes replaced, put in, or taken out."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3))
        taken = draw(st.sampled_from([0, 1, 1, 2, 5, 40]))
        content[at : at + taken] = piece
    return bytes(content)


@given(content=mutations(plan().encode()))
@settings(max_examples=40, deadline=None)
def test_a_plan_with_a_few_other_bytes_is_checked_or_refused(good, content):
    path = good / "mutated.toml"
    path.write_bytes(content)
    check_done_or_refused(plan_texts.run("check", path))


WORDS = ["[data]", "[features.age]", "kind", "=", '"integer"', "\n", "[", "]", "3", "table", ","]


@given(text=st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join) | st.text(max_size=80))
@settings(max_examples=40, deadline=None)
def test_a_plan_of_random_words_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "random.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert "random.toml" in check_refused(plan_texts.run("check", path))
