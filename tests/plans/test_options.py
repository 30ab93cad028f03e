"""A plan names its parameters once: Python, the command line and the file take them from there."""

import inspect
from dataclasses import dataclass, fields

import pytest

import rafair
from rafair import Plan
from rafair.certificates import MAX_NODES
from rafair.checks import check_whole
from rafair.cli.app import build_app
from rafair.cli.options import PlanGroup
from rafair.plans.options import documented, option, options_of, takes_options_of

NAMES = [field.name for field in fields(Plan)]


@documented
@dataclass(frozen=True)
class Small:
    """A plan with two parameters.

    Parameters
    ----------
    **options : the fields of ``Plan``
    """

    size: int = option(
        3,
        "int",
        "How large it is.",
        help="Size",
        types=(int,),
        check=lambda name, value: check_whole(name, value, 1),
    )
    kinds: int | None = option(
        None,
        "int, optional",
        "How many kinds.",
        help="Kinds",
        types=(int,),
        check=lambda name, value: check_whole(name, value, 1),
        word=("every", None),
        by_data=True,
    )


@takes_options_of(Small)
def ask(what, size=Small.size, *, where="here", **options):
    """Ask.

    Parameters
    ----------
    **options : the fields of ``Plan``
    """
    return what, size, where, options


def test_a_function_shows_every_option_once_with_its_default():
    parameters = inspect.signature(ask).parameters
    assert list(parameters) == ["what", "size", "where", "kinds"]
    assert (parameters["size"].default, parameters["kinds"].default) == (3, None)
    assert parameters["kinds"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("documented_by", [ask, Small])
def test_function_and_plan_are_documented_by_the_options(documented_by):
    assert "    size : int\n        How large it is.\n    kinds : int, optional\n" in (
        documented_by.__doc__
    )
    assert "**options" not in documented_by.__doc__


def test_what_is_given_arrives_and_nothing_else():
    assert ask("a") == ("a", 3, "here", {})
    assert ask("a", 5, kinds=2) == ("a", 5, "here", {"kinds": 2})


def test_an_unknown_keyword_is_an_error_of_the_call():
    with pytest.raises(TypeError, match="unexpected keyword argument 'kind'"):
        ask("a", kind=2)


def test_an_audit_takes_every_parameter_of_a_plan():
    signature = inspect.signature(rafair.audit)
    assert [name for name in NAMES if name not in signature.parameters] == []
    defaults = {name: signature.parameters[name].default for name in NAMES}
    assert defaults == {
        name: None if known.by_data else getattr(Plan(), name)
        for name, known in options_of(Plan).items()
    }
    assert [name for name in NAMES if f"    {name} : " not in rafair.audit.__doc__] == []


def test_an_audit_refuses_a_misspelt_parameter(credit, credit_model):
    with pytest.raises(TypeError, match="'step'"):
        rafair.audit(credit_model, credit, step=3)


def test_the_command_line_takes_every_parameter_of_a_plan():
    (audit,) = (c for c in build_app().registered_commands if c.name == "audit")
    parameters = inspect.signature(audit.callback).parameters
    assert [name for name in NAMES if name not in parameters] == []


def test_a_group_hands_over_what_was_given_alone():
    group = PlanGroup("n_seeds", "steps", "batch_size", "certify")
    names = [parameter.name for parameter in group.parameters()]
    assert names == ["n_seeds", "steps", "batch_size", "certify"]
    nothing = {"n_seeds": None, "steps": None, "batch_size": None, "certify": None}
    assert group.value(nothing) == {}
    assert group.value({**nothing, "steps": 0}) == {"steps": 0}
    given = {"n_seeds": "all", "steps": None, "batch_size": "auto", "certify": True}
    assert group.value(given) == {"n_seeds": None, "batch_size": "auto", "certify": True}
    assert group.value({**nothing, "certify": False}) == {"certify": False}
    assert group.value({**nothing, "n_seeds": "7"}) == {"n_seeds": 7}
    with pytest.raises(rafair.InvalidInput, match="--n-seeds takes a whole number or 'all'"):
        group.value({**nothing, "n_seeds": "some"})


def test_a_plan_has_the_certificates_own_budget():
    assert Plan().max_nodes == MAX_NODES


def test_what_decides_no_result_is_no_part_of_a_plans_identity():
    plan = Plan(batch_size=7, certify=True, curve=True, max_seconds=3.0, max_nodes=3)
    assert plan.identity() == Plan().identity()
    without = {"batch_size", "certify", "curve", "max_seconds", "max_nodes"}
    assert set(NAMES) - set(plan.identity()) == without
