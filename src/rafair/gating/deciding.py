"""``rafair.gate``: is a run good enough? Decided on intervals and proofs, not on a bare share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rafair.errors import InvalidInput
from rafair.gating.limits import CELL_RATES, CLEAN_RATES, ROBUST_RATES, check_limits
from rafair.gating.measuring import measure
from rafair.gating.verdict import GateCheck, GateVerdict, status_of, worst_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rafair.gating.measuring import Measure
    from rafair.gating.verdict import Kind
    from rafair.runs import AuditResult

    Run: TypeAlias = AuditResult | str | Path

__all__ = ["DROPPING", "assert_robustly_fair", "gate"]

# Rates that should not drop; of the others a drop is good.
DROPPING = (*CLEAN_RATES, *ROBUST_RATES)
UNPROVED = "nothing is proved, and a proof is required"
NO_EFFECT = "no attack had any effect on this model"


def gate(
    run: Run,
    *,
    min: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    max: Mapping[str, float] | None = None,  # noqa: A002
    baseline: Run | None = None,
    max_drop: Mapping[str, float] | None = None,
    require_proof: bool = False,
) -> GateVerdict:
    """Decide whether a run keeps limits.

    A check passes where the whole interval of its rate keeps the limit, the limit itself included,
    and fails where none of it does; otherwise it is inconclusive. The interval of R-ACC, R-IF and
    R-AF reaches from the lower end of the 95 % interval of what is proved to the upper end of that
    of what nothing breaks; every other rate has its own 95 % interval.

    Parameters
    ----------
    run : AuditResult or path of a run directory
    min, max : mapping of str to float, optional
        Limits by rate: ``acc``, ``if``, ``af``, ``dissent`` (of the people as they are), ``r_acc``,
        ``r_if``, ``r_af`` or ``tfr`` (under every change), ``tbr``, ``ffr``, ``fbr``, ``r_dissent``
        (under the attack that makes them largest).
    baseline : AuditResult or path, optional
        An earlier run on the same people, with the same Δ.
    max_drop : mapping of str to float, optional
        How much a rate may be lower than in the baseline; decided on the interval of the
        difference, which is paired by person (``rafair.compare``).
    require_proof : bool
        Let no limit of R-ACC, R-IF or R-AF pass without a proof. Otherwise, where nothing is
        proved, what no attack broke counts, and the verdict says so.

    Returns
    -------
    GateVerdict

    Raises
    ------
    InvalidInput
        If there is no limit, a rate is unknown, a limit does not lie in [0, 1], or the baseline is
        missing or cannot be compared.
    """
    limits: dict[Kind, dict[str, float]] = {
        "min": check_limits("min", min),
        "max": check_limits("max", max),
    }
    drops = check_limits("max_drop", max_drop, DROPPING)
    _check_asked(limits, drops, baseline)
    result = _loaded(run)
    measures = [
        (kind, limit, measure(result.metrics, rate))
        for kind, several in limits.items()
        for rate, limit in several.items()
    ]
    if baseline is not None:
        measures += [
            ("max_drop", drops[found.rate], found) for found in _drops(run, baseline, drops)
        ]
    checks = tuple(_check(result, require_proof, *each) for each in measures)
    return GateVerdict(worst_of(checks), checks, tuple(_facts(result, baseline)))


def assert_robustly_fair(run: Run, **limits: Any) -> GateVerdict:
    """Raise an ``AssertionError`` unless a run passes a gate; for tests.

    Parameters
    ----------
    run, **limits : see ``rafair.gate``

    Returns
    -------
    GateVerdict

    Raises
    ------
    AssertionError
        If a check fails or is inconclusive. The text has a line for every check.
    InvalidInput
        See ``rafair.gate``.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    verdict = gate(run, **limits)
    if not verdict.passed:
        raise AssertionError(repr(verdict))
    return verdict


def _check_asked(
    limits: Mapping[Kind, Mapping[str, float]], drops: Mapping[str, float], baseline: Run | None
) -> None:
    if not drops and not any(limits.values()):
        raise InvalidInput("a gate needs a limit; give min, max or max_drop, as min r_af=0.5")
    if bool(drops) != (baseline is not None):
        lost = "a baseline" if drops else "max_drop"
        raise InvalidInput(f"max_drop and a baseline belong together; {lost} is missing")


def _loaded(run: Run) -> AuditResult:
    from rafair.runs import load_run

    return load_run(run) if isinstance(run, str | Path) else run


def _drops(run: Run, baseline: Run, rates: Mapping[str, float]) -> Iterator[Measure]:
    """Yield how much each rate dropped from the baseline to the run."""
    from rafair.comparing import compare
    from rafair.gating.measuring import Measure

    compared = compare(baseline, run)
    for rate in rates:
        change = compared.find("r_af" if rate == "tfr" else rate)
        ground = "drop" if change.difference[0] == change.difference[1] else "drop at most"
        low, high = (-end for end in reversed(change.ci))
        yield Measure(rate, 0.0 - change.difference[0], low, high, ground)


def _check(
    result: AuditResult, require_proof: bool, kind: Kind, limit: float, found: Measure
) -> GateCheck:
    status, why = status_of(kind, limit, found.low, found.high), ""
    if status == "pass":
        why = _doubt(result, found.rate, require_proof)
        status = "inconclusive" if why else "pass"
    return GateCheck(
        found.rate, kind, limit, found.value, found.low, found.high, found.ground, status, why
    )


def _doubt(result: AuditResult, rate: str, require_proof: bool) -> str:
    """Say why a rate may not pass although its numbers would; empty if it may."""
    is_robust = rate in ROBUST_RATES
    if is_robust and require_proof and result.manifest["proofs"]["why_not"] is not None:
        return UNPROVED
    if (is_robust or rate in CELL_RATES) and result.manifest["inconclusive"]:
        return NO_EFFECT
    return ""


def _facts(result: AuditResult, baseline: Run | None) -> Iterator[tuple[str, str]]:
    manifest, metrics = result.manifest, result.metrics
    yield "dataset", str(metrics["dataset"])
    yield "people", f"{metrics['n_seeds']}"
    yield "epsilon", f"{manifest['plan']['epsilon']:g}"
    yield "data sha256", str(manifest["dataset"]["sha256"])
    yield "model sha256", str(manifest["model"]["sha256"])
    yield "rafair", str(manifest["versions"]["rafair"])
    if baseline is not None:
        is_path = isinstance(baseline, str | Path)
        yield "baseline", str(baseline) if is_path else "an earlier result"
