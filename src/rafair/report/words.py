"""The findings of an audit as sentences, each with the numbers that support it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.auditing.controls import changed_by_family
from rafair.plans.checking import READS

if TYPE_CHECKING:
    from rafair.runs import AuditResult

# Warn if at least this share of the seeds has only gradients that are exactly zero.
MASKED = 0.05

__all__ = ["access", "answer", "has_curve", "percent", "quality", "strongest_attack", "warnings"]


def percent(share: float) -> str:
    """Return a rounded percentage; only 0 becomes 0 %, and only 1 becomes 100 %."""
    value = 100 * share
    if 0 < value <= 0.5:
        return "under 1 %"
    if 99.5 <= value < 100:
        return "over 99 %"
    return f"{value:.0f} %"


def quality(manifest: dict[str, Any]) -> str:
    """Return the model's accuracy together with that of a constant model, the majority share."""
    model = manifest["model"]
    return (
        f"On the whole test split: accuracy {model['accuracy']:.3f}, majority share "
        f"{model['majority_share']:.3f}, balanced accuracy {model['balanced_accuracy']:.3f}."
    )


def access(manifest: dict[str, Any]) -> str:
    """Describe the model, the rows that it reads, and the outputs that attacks could use."""
    model = manifest["model"]
    ways = {
        "gradient": "its gradients were used",
        "scores": "it was asked for scores, without gradients",
        "labels": "it was asked for decisions alone, without scores or gradients",
    }
    kind, because, reason = model.get("kind", "torch module").partition(", because ")
    return (
        f"The model: {kind}, which reads {READS[model.get('reads', 'unit')]}; "
        f"{ways[model['access']]}{because}{reason}."
    )


def strongest_attack(metrics: dict[str, Any]) -> str:
    """Return the attack with the lowest R-AF; among equals the last.

    A family follows its variants in the metrics, so a family wins over its equal variants.
    """
    attacks: dict[str, Any] = metrics["attacks"]
    # min returns the first of equal elements, so the order is reversed.
    return min(reversed(list(attacks)), key=lambda name: float(attacks[name]["r_af"]))


def has_curve(run: AuditResult) -> bool:
    """Tell whether a run proved anything at more than one ε."""
    return len(run.metrics.get("certificates", {}).get("curve", ())) > 1


def answer(run: AuditResult) -> list[str]:
    """Return the findings, one sentence each."""
    metrics = run.metrics
    clean, name = metrics["clean"], strongest_attack(metrics)
    sensitive = _varied(run.manifest)
    found = [
        (
            f"Of {metrics['n_seeds']} people, {percent(clean['acc'])} are predicted correctly, and "
            f"{percent(clean['af'])} are predicted correctly whatever their {sensitive}."
        ),
        *_robust(run, sensitive),
        _shape(metrics["attacks"][name], name, _counted(run)),
        _attribute(metrics),
        _dissent(clean, metrics["attacks"][name], name),
    ]
    fixed = metrics["repairs"].get(name)
    if fixed is not None:
        found.append(
            f"Benign perturbations, which need the true label, bring the share back to "
            f"{percent(fixed['r_af'])}."
        )
    return found


def _robust(run: AuditResult, sensitive: str) -> list[str]:
    """Say what holds under every change, and what that rests on."""
    robust = run.metrics["robust"]
    low, high = robust["r_af"]["ci"].get("at_least"), robust["r_af"]["ci"]["at_most"]
    interval = f"95 % interval {100 * (low or high)[0]:.0f} to {100 * high[1]:.0f} %"
    shares = {name: _share(rate) for name, rate in robust.items()}
    first = (
        f"Whatever changes by at most {_reach(run.manifest)}, {shares['r_af']} still are "
        f"({interval}); {shares['r_acc']} are still predicted correctly themselves, and "
        f"{shares['r_if']} are still decided alike whatever their {sensitive}."
    )
    return [first, _ground(run)]


def _share(rate: dict[str, Any]) -> str:
    low, high = rate["at_least"], rate["at_most"]
    if low is None:
        return f"at most {percent(high)}"
    if high - low < 5e-4:
        return percent(low)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _ground(run: AuditResult) -> str:
    """Say whether these shares are proved or found by attacks alone."""
    proofs, robust = run.manifest["proofs"], run.metrics["robust"]
    if proofs["why_not"] is not None:
        return (
            f"These shares are upper bounds, the least that any attack left unbroken: nothing is "
            f"proved, because {proofs['why_not']}."
        )
    if all(rate["at_most"] - rate["at_least"] < 5e-4 for rate in robust.values()):
        return "That is proved: for everybody else an example shows that it is not so."
    stop = ""
    if proofs["stopped"]:
        stop = f" The proofs stopped after {proofs['max_seconds']:g} s (--max-seconds)."
    return (
        "The lower figures are proved. The upper ones leave out everybody whom an example breaks; "
        f"the people in between are undecided.{stop}"
    )


def _reach(manifest: dict[str, Any]) -> str:
    """Describe the size of Δ."""
    plan, features = manifest["plan"], manifest["schema"]["features"]
    shared = f"{plan['epsilon']:g} of each feature's range"
    own = [f["name"] for f in features if f.get("epsilon") is not None]
    switched = [f["name"] for f in features if f.get("switch")]
    if plan["setting"] == "paper" or not (own or switched):
        return shared
    parts = [f"limits of their own for {', '.join(own)}"] if own else []
    parts += [f"any level of {', '.join(switched)}"] if switched else []
    return f"{shared} ({'; '.join(parts)})"


def _counted(run: AuditResult) -> str:
    """Name what the rates of an attack count."""
    is_pooled = run.manifest["plan"]["select"] == "pooled"
    return "all instances on the way" if is_pooled else "all"


def _shape(rates: dict[str, Any], name: str, counted: str) -> str:
    kinds = {
        "tbr": "right for them but different for someone like them (true biased)",
        "ffr": "wrong for them and for everyone like them (false fair)",
        "fbr": "wrong for them but different for someone like them (false biased)",
    }
    worst = max(kinds, key=lambda key: rates[key])
    if rates[worst] == 0:
        return f"No instance broke under {name}."
    share = f"{percent(rates[worst])} of {counted}"
    return f"What breaks most often is a decision {kinds[worst]}: {share}."


def _attribute(metrics: dict[str, Any]) -> str:
    alone = {name: rates["clean"]["if"] for name, rates in metrics["by_sensitive"].items()}
    lowest = min(alone, key=lambda name: alone[name])
    jointly = metrics["clean"]["if"]
    if jointly == 1:
        return "Before any attack no sensitive attribute changes a decision."
    text = (
        f"Before any attack {percent(1 - jointly)} of the decisions depend on a sensitive attribute"
    )
    if len(alone) == 1:
        return f"{text}, {lowest}."
    if alone[lowest] == 1:
        return f"{text}, though on none of them alone."
    most = ", more than any other" if list(alone.values()).count(alone[lowest]) == 1 else ""
    return f"{text}; {lowest} alone changes {percent(1 - alone[lowest])}{most}."


def _dissent(clean: dict[str, Any], attacked: dict[str, Any], name: str) -> str:
    low, high = clean["ci"]["dissent"]
    return (
        f"On average {percent(clean['dissent'])} of a person's counterparts are decided otherwise "
        f"than the person (dissent; 95 % interval {100 * low:.0f} to {100 * high:.0f} %), under "
        f"{name} {percent(attacked['r_dissent'])}."
    )


def _varied(manifest: dict[str, Any]) -> str:
    """Name the sensitive attributes, and how far each may differ."""
    names = _listed(manifest["schema"]["sensitive"])
    limits = manifest["counterparts"].get("comparable")
    return f"{names} ({'; '.join(limits)})" if limits else names


def warnings(run: AuditResult) -> list[str]:
    """Return the reasons for which a reader should trust the numbers less, one sentence each."""
    model, counted = run.manifest["model"], run.manifest["counterparts"]
    found = []
    if model["accuracy"] <= model["majority_share"] + 0.01:
        found.append(
            f"The model's accuracy ({model['accuracy']:.3f}) is that of always predicting the most "
            f"frequent class ({model['majority_share']:.3f}): robustness says little here."
        )
    if model.get("predicted_classes") == 1:
        found.append(
            "The model predicts one class for everybody in the test split: it is robust and fair "
            "because it decides nothing."
        )
    if (run.manifest.get("zero_gradients") or 0) >= MASKED:
        is_proved = run.manifest["proofs"]["why_not"] is None
        hint = " Proofs need no gradient." if is_proved else " Use --attack ensemble."
        found.append(
            f"At {percent(run.manifest['zero_gradients'])} of the seeds every gradient is exactly "
            "zero: attacks that follow gradients are blind there, and what they do not break may "
            f"not be robust.{hint}"
        )
    found += [_control(family, changed) for family, changed in _controls(run.manifest).items()]
    found += run.manifest["dataset"].get("notes", [])
    if run.metrics.get("certificates", {}).get("conflicts"):
        found.append(
            f"{run.metrics['certificates']['conflicts']} seeds are proved and were broken all the "
            "same: a certificate is wrong. Please report this."
        )
    if counted["checked"] < counted["of"]:
        found.append(
            f"Only {counted['checked']} of {counted['of']} combinations of sensitive values were "
            "checked; fairness can only be lower than shown."
        )
    if run.manifest["plan"]["setting"] == "paper":
        found.append(
            "Setting paper: codes of categories move by fractions, so a perturbed instance is not "
            "always a possible person; values are shown rounded to the nearest possible one."
        )
    return found


def _controls(manifest: dict[str, Any]) -> dict[str, int | None]:
    """Return the families that changed no cell → cells that their control changed.

    The value is None if no control was run.
    """
    if manifest["plan"]["epsilon"] == 0:
        return {}
    controls = manifest.get("controls", {})
    changed = changed_by_family(manifest["cost"])
    return {family: controls.get(family) for family, count in changed.items() if count == 0}


def _control(family: str, changed: int | None) -> str:
    if changed:
        return (
            f"{family} changed no seed's cell. With all of the domain within reach it changes "
            f"{changed}: the attack works, and the model holds against it here."
        )
    return f"{family} changed no seed's cell: it shows nothing about the model." + (
        "" if changed is None else " Nor does it with all of the domain within reach."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
