"""Hugging Face: the results of a run for the card of a model on the Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.bridges.section import TITLE, section
from rafair.models.extras import need

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["card", "evaluation_results"]

EXTRA = "hugging-face"
TASK = "tabular-classification"
NAMES = {
    "acc": "Accuracy",
    "if": "Individual fairness",
    "af": "Accurate fairness",
    "r_acc": "Robust accuracy",
    "r_if": "Robust individual fairness",
    "r_af": "Robust accurate fairness",
}
BOUNDS = {"at_least": "proved to be at least", "at_most": "at most"}


def evaluation_results(run: AuditResult) -> list[Any]:
    """Return the clean and the robust rates as the Hub lists them.

    Returns
    -------
    list of huggingface_hub.EvalResult
        A robust rate has a result for what is proved, where anything is, and one for what nothing
        breaks; the truth lies between.

    Raises
    ------
    InvalidInput
        If ``huggingface_hub`` is not installed.
    """
    hub = need("huggingface_hub", EXTRA)
    shown = run.to_frame().query(
        "varied.isna() and stage in ('clean', 'robust') and rate in @NAMES"
    )
    return [_result(hub, run, row) for row in shown.to_dict("records")]


def _result(hub: Any, run: AuditResult, row: dict[Any, Any]) -> Any:
    rate, bound = row["rate"], row["bound"]
    return hub.EvalResult(
        task_type=TASK,
        dataset_type=run.metrics["dataset"],
        dataset_name=run.metrics["dataset"],
        dataset_revision=run.manifest["dataset"]["sha256"],
        metric_type=rate if bound is None else f"{rate}.{bound}",
        metric_name=NAMES[rate] if bound is None else f"{NAMES[rate]} {BOUNDS[bound]}",
        metric_value=row["value"],
        metric_args={"epsilon": run.manifest["plan"]["epsilon"], "ci": [row["low"], row["high"]]},
    )


def card(run: AuditResult, model_name: str) -> str:
    """Return a card: metadata with the results between two lines of dashes, then the section.

    Parameters
    ----------
    run : AuditResult
    model_name : str

    Raises
    ------
    InvalidInput
        See ``evaluation_results``.
    """
    hub = need("huggingface_hub", EXTRA)
    results = evaluation_results(run)
    data = hub.ModelCardData(
        model_name=model_name, eval_results=results, tags=["fairness", "rafair"]
    )
    return f"---\n{data.to_yaml()}\n---\n\n## {TITLE}\n\n{section(run)}\n"
