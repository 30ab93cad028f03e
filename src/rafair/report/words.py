"""The findings of an audit as sentences, each with the numbers that support it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.plans.checking import READS
from rafair.plots import strongest_attack

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = [
    "access",
    "answer",
    "attribute",
    "counted",
    "dissent",
    "either",
    "ground",
    "guarding",
    "has_curve",
    "percent",
    "quality",
    "reach",
    "repaired",
    "shape",
    "strongest_attack",
    "varied",
]


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


def guarding(run: AuditResult) -> str:
    """Return a sentence on a guard: accuracy, abstentions and latency beside the bare model's."""
    (_, bare), (name, guard) = run.metrics["guard"].items()
    said = (
        f"{name.capitalize()}: accuracy {guard['accuracy']:.3f}, the bare model's "
        f"{bare['accuracy']:.3f}; {percent(guard['changed'])} of its answers are others, "
        f"{percent(guard['abstained'])} are no answer"
    )
    model = run.manifest["model"]
    if "ms_per_row" not in model:
        return f"{said}."
    times = (f"{model[key]:.3f}" for key in ("ms_per_row", "bare_ms_per_row"))
    return said + "; {} ms of processor time a row, the bare model's {}.".format(*times)


def has_curve(run: AuditResult) -> bool:
    """Tell whether a run proved anything at more than one ε."""
    return len(run.metrics.get("certificates", {}).get("curve", ())) > 1


def answer(run: AuditResult) -> list[str]:
    """Return the findings, one sentence each."""
    metrics = run.metrics
    clean, name = metrics["clean"], strongest_attack(metrics)
    sensitive = varied(run.manifest)
    found = [
        (
            f"Of {metrics['n_seeds']} people, {percent(clean['acc'])} are predicted correctly, and "
            f"{percent(clean['af'])} are predicted correctly whatever their {sensitive}."
        ),
        *_robust(run, sensitive),
        shape(metrics["attacks"][name], name, counted(run)),
        attribute(metrics),
        dissent(clean, metrics["attacks"][name], name),
    ]
    fixed = repaired(metrics)
    if fixed is not None:
        found.append(fixed)
    return found


def _robust(run: AuditResult, sensitive: str) -> list[str]:
    """Say what holds under every change, and what that rests on."""
    robust = run.metrics["robust"]
    low, high = robust["r_af"]["ci"].get("at_least"), robust["r_af"]["ci"]["at_most"]
    interval = f"95 % interval {100 * (low or high)[0]:.0f} to {100 * high[1]:.0f} %"
    shares = {name: _share(rate) for name, rate in robust.items()}
    first = (
        f"Whatever changes by at most {reach(run.manifest)}, {shares['r_af']} still are "
        f"({interval}); {shares['r_acc']} are still predicted correctly themselves, and "
        f"{shares['r_if']} are still decided alike whatever their {sensitive}."
    )
    return [first, ground(run)]


def _share(rate: dict[str, Any]) -> str:
    low, high = rate["at_least"], rate["at_most"]
    if low is None:
        return f"at most {percent(high)}"
    if high - low < 5e-4:
        return percent(low)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def ground(run: AuditResult) -> str:
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


def reach(manifest: dict[str, Any]) -> str:
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


def counted(run: AuditResult) -> str:
    """Name what the rates of an attack count."""
    is_pooled = run.manifest["plan"]["select"] == "pooled"
    return "all instances on the way" if is_pooled else "all"


def repaired(metrics: dict[str, Any]) -> str | None:
    """Say what benign perturbations bring back after the strongest attack; None without repair."""
    fixed = metrics["repairs"].get(strongest_attack(metrics))
    if fixed is None:
        return None
    return (
        "Benign perturbations, which need the true label, bring R-AF after "
        f"{strongest_attack(metrics)} back to {percent(fixed['r_af'])}."
    )


def shape(rates: dict[str, Any], name: str, counted: str) -> str:
    """Say which cell most of the broken instances of an attack are in."""
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


def attribute(metrics: dict[str, Any]) -> str:
    """Say how many decisions depend on a sensitive attribute, and on which most."""
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


def dissent(clean: dict[str, Any], attacked: dict[str, Any], name: str) -> str:
    """Say what share of a person's counterparts is decided otherwise, on average."""
    low, high = clean["ci"]["dissent"]
    return (
        f"On average {percent(clean['dissent'])} of a person's counterparts are decided otherwise "
        f"than the person (dissent; 95 % interval {100 * low:.0f} to {100 * high:.0f} %), under "
        f"{name} {percent(attacked['r_dissent'])}."
    )


def varied(manifest: dict[str, Any]) -> str:
    """Name the sensitive attributes, and how far each may differ."""
    names = either(manifest["schema"]["sensitive"])
    limits = manifest["counterparts"].get("comparable")
    return f"{names} ({'; '.join(limits)})" if limits else names


def either(names: list[str]) -> str:
    """Join names with commas and a last "or"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
