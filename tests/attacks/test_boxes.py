"""Boxes: seeds that the search of boxes leaves open."""

import pytest
from sklearn.ensemble import RandomForestClassifier

import rafair
from everybody import ordinal, people_table, schema_of
from rafair.attacks import boxes
from rafair.models.queried import QueriedClassifier
from rafair.trees import tree_ensemble

PEOPLE = 20


@pytest.fixture
def asked(monkeypatch):
    """The numbers of rows of all calls of a model."""
    found, told = [], QueriedClassifier._told

    def counted(self, x):
        found.append(len(x))
        return told(self, x)

    monkeypatch.setattr(QueriedClassifier, "_told", counted)
    return found


def test_open_seeds_are_attacked_in_the_trees_as_they_are_read(monkeypatch, asked):
    monkeypatch.setattr(boxes, "MAX_NODES", 1)
    frame = people_table()
    schema = schema_of(frame)
    fitted = ordinal(RandomForestClassifier(8, random_state=0))
    model = rafair.wrap(fitted.fit(frame[list(schema.columns)], frame["label"]), schema)
    x, y = schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE]
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.3, "feasible")
    tree_ensemble(model)
    asked.clear()
    result = boxes.Boxes(queries=500).run(model, x, y, counterparts, space)
    assert sum(asked) < result.n_forwards / 10
    verdict = rafair.judge(model, result.x_adv, y, counterparts)
    proved = rafair.certify(model, x, y, counterparts, space)
    assert int(verdict.breaks("accurate_fair").sum()) > 0.8 * int((proved.status == -1).sum()) > 0
