"""The attack by one who knows the defence: it misses nothing that its parts find."""

import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import rafair
from brief import brief
from rafair.attacks import Adaptive, Boxes, Ensemble, Square
from rafair.fairness import judge
from rafair.guarding import GuardedClassifier
from rafair.plans import Plan


@pytest.fixture(scope="module", autouse=True)
def _brief():
    with brief():
        yield


@pytest.mark.parametrize("rule", ["mean", "own-or-abstain"])
def test_a_guard_is_attacked_through_it_and_by_transfer(problem, rule):
    guard = GuardedClassifier(problem.model, problem.counterparts, rule)
    asked = problem.but(model=guard)
    attack = Adaptive(random_state=3)
    result = attack.run(*asked.arguments)
    through = [Ensemble(random_state=state).run(*asked.arguments).x_adv for state in (3, 4)]
    known = attack.transferred(*problem.arguments)
    assert attack.through(*asked.arguments).equal(torch.stack(through))
    assert known.equal(attack.transferred(problem.model, *asked.arguments[1:]))
    assert known[0].equal(problem.x)
    assert len(known) == 4
    cells = [
        judge(guard, points, problem.y, problem.counterparts).cells for points in (*known, *through)
    ]
    found = judge(guard, result.x_adv, problem.y, problem.counterparts).cells
    assert found.equal(torch.stack(cells).amax(dim=0))
    assert result.n_gradients > 0


def test_a_model_that_is_no_guard_is_attacked_with_restarts_alone(problem):
    found = Adaptive().run(*problem.arguments)
    ends = Adaptive().through(*problem.arguments)
    assert found.trajectory.points[1:-1].equal(ends)


@pytest.mark.parametrize(("read", "kind"), [(True, Boxes), (False, Square)])
def test_a_model_without_gradients_is_searched(own_data, read, kind):
    rows, labels = own_data.train.x.numpy(), own_data.train.y.numpy()
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(rows, labels)
    asked = forest if read else lambda x: forest.predict_proba(x)
    model = rafair.wrap(asked, own_data.schema, inputs="unit", output="probabilities")
    problem = (own_data.test.x[:6], own_data.test.y[:6])
    problem += (rafair.Counterparts.of(own_data.schema),)
    problem += (rafair.PerturbationSpace.of(own_data.schema, 0.1),)
    ends = Adaptive(queries=40).through(model, *problem)
    expected = [kind(40, random_state=state).run(model, *problem).x_adv for state in (0, 1)]
    assert ends.equal(torch.stack(expected))


def test_every_guard_is_attacked_by_it(own_data):
    assert Plan.of(own_data, "gradient", is_guard=True).attacks == ("rafair", "adaptive")
    assert Plan.of(own_data, "scores", is_guard=True).attacks == ("square", "adaptive")
    named = ["adaptive", "pgd"]
    assert Plan.of(own_data, "gradient", is_guard=True, attacks=named).attacks == tuple(named)
    assert Plan.of(own_data, "gradient", is_guard=True, attacks="pgd").attacks[1] == "adaptive"
    assert Plan.of(own_data, "gradient").attacks == ("rafair",)
