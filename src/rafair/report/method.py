"""How a run was made: its attacks, budgets, access, guarantees, hashes, versions and command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rafair.plans.options import options_of
from rafair.plans.plan import Plan
from rafair.report.words import access, counted, guarding, quality

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["LIMITS", "command_of", "facts"]

LIMITS = (
    "An attack shows what breaks. What no attack broke and no certificate proves may still break.",
    "The label is assumed to hold for every small change, and to be right in the first place.",
    (
        "Counterparts differ in the sensitive attributes alone. A feature that stands in for one "
        "of them, such as an occupation that few women have, stays as it is: the page does not see "
        "discrimination through it."
    ),
    (
        "The people are a sample of the test split; the intervals are for drawing them, not for a "
        "population that differs from it. The page looks at many groups, and one of twenty "
        "intervals misses its share."
    ),
    (
        "The page says nothing about whether decisions are lawful, whether a model should make "
        "them, or why this one decides as it does."
    ),
)

PROVED = (
    "“Proved” holds for every change within Δ and every checked combination of sensitive values, "
    "with the rounding errors of the model's own arithmetic accounted for; the model that is meant "
    "is the one whose SHA-256 stands here. “Broken” always comes with an example, which the model "
    "itself decided."
)


def facts(run: AuditResult) -> list[tuple[str, str]]:
    """Return what a reader needs to judge and to repeat the run, as names and sentences."""
    manifest = run.manifest
    model, data, versions = manifest["model"], manifest["dataset"], manifest["versions"]
    return [
        ("Model", f"{access(manifest)} {quality(manifest)}"),
        *([("Guard", guarding(run))] if "guard" in run.metrics else []),
        ("Data", f"{data['provenance']} {data['n_train']:,} training rows, {_people(run)}"),
        ("Counterparts", _counterparts(manifest)),
        ("Changes Δ", _changes(manifest)),
        ("Attacks", _attacks(run)),
        ("Certificates", _certificates(manifest)),
        ("Model SHA-256", model["sha256"]),
        ("Data SHA-256", data["sha256"]),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]


def _people(run: AuditResult) -> str:
    return (
        f"{run.metrics['n_seeds']:,} seeds from {run.manifest['dataset']['n_test']:,} test rows; "
        f"random state {run.manifest['plan']['random_state']}."
    )


def _counterparts(manifest: dict[str, Any]) -> str:
    found = manifest["counterparts"]
    text = f"{found['checked']:,} of {found['of']:,} combinations of sensitive values each"
    if found["comparable"]:
        each = " to ".join(str(size) for size in dict.fromkeys(found["each"]))
        text += (
            f"; comparable are only people with {' and '.join(found['comparable'])}, which leaves "
            f"{each} combinations"
        )
    relations = manifest["schema"]["relations"]
    return f"{text}." + (f" Every person meets: {'; '.join(relations)}." if relations else "")


def _changes(manifest: dict[str, Any]) -> str:
    plan = manifest["plan"]
    own = [
        f"{f['name']} ε = {f['epsilon']:g}"
        for f in manifest["schema"]["features"]
        if f.get("epsilon") is not None
    ]
    switched = [f["name"] for f in manifest["schema"]["features"] if f.get("switch")]
    text = f"ε = {plan['epsilon']:g} of each feature's range, setting {plan['setting']}."
    text += f" Of their own: {', '.join(own)}." if own else ""
    return text + (f" Any level of: {', '.join(switched)}." if switched else "")


def _attacks(run: AuditResult) -> str:
    plan, model = run.manifest["plan"], run.manifest["model"]
    own = "each attack's own"
    judged = {"pooled": "every iterate", "worst": "the worst iterate", "last": "the last iterate"}
    budget = f"{plan['queries']:,} queries a seed"
    if model["access"] == "gradient":
        budget = f"{plan['steps']} steps of {plan['step_size']}"
    return (
        f"{', '.join(plan['attacks'])} with {budget}, loss {plan['loss'] or own}; "
        f"{judged[plan['select']]} judged; the rates of an attack count {counted(run)}."
    )


def _certificates(manifest: dict[str, Any]) -> str:
    proofs = manifest["proofs"]
    if proofs["why_not"] is not None:
        return f"None: {proofs['why_not']}."
    seconds = "" if proofs["max_seconds"] is None else f" and {proofs['max_seconds']:g} s in all"
    stop = ", which ran out" if proofs["stopped"] else ""
    return f"At most {proofs['max_nodes']:,} boxes a claim{seconds}{stop}. {PROVED}"


def command_of(manifest: dict[str, Any]) -> str:
    """Return the command that the manifest keeps, or the call in Python that repeats the run."""
    if "command" in manifest:
        return shlex.join(["rafair", *manifest["command"]])
    plan = manifest["plan"]
    usual = options_of(Plan)
    given = [f"{name}={plan[name]!r}" for name in usual if plan.get(name) is not None]
    return f"rafair.audit(model, data, {', '.join(given)})"
