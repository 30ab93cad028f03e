"""``rafair.reproduce``: choose parts, compute their cells, write the page."""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
from dataclasses import asdict, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rafair.reproduce.parts
from rafair.engine import silent
from rafair.errors import InvalidInput
from rafair.reproduce.document import Picture, Section, html, markdown
from rafair.reproduce.result_cache import ResultCache
from rafair.reproduce.study import Study
from rafair.runs.files import replace_file, reporting_os_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.engine import Engine, Progress
    from rafair.reproduce.part import Part

__all__ = ["all_parts", "choose_parts", "reproduce"]

PAGE, NOTES, DATA = "reproduction.html", "reproduction.md", "reproduction.json"
OTHER_TITLE = "Beyond the paper: measurements of rafair"
TITLE = "The double-edged sword of input perturbations, reproduced"
EVERYTHING = "all"


@cache
def all_parts() -> dict[str, Part]:
    """Return all parts, name → part, in the order of the page."""
    package = rafair.reproduce.parts
    found: list[Part] = []
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        found += importlib.import_module(info.name).PARTS
    return {part.name: part for part in sorted(found, key=lambda part: part.place)}


def choose_parts(names: Sequence[str], study: Study) -> list[Part]:
    """Return the parts with these names, each once, in the order of the page.

    ``"all"`` means every part of the paper's evaluation whose dataset is in the study.

    Raises
    ------
    InvalidInput
        If no name is given, a name is unknown, or a part needs a dataset that is not in the study.
    """
    known = all_parts()
    for name in names:
        if name != EVERYTHING and name not in known:
            raise InvalidInput(f"unknown part {name!r}; use all or some of {', '.join(known)}")
    chosen = []
    for name, part in known.items():
        possible = part.dataset is None or part.dataset in study.datasets
        if name in names and not possible:
            raise InvalidInput(f"{name} is about {part.dataset}; add it to the datasets")
        if name in names or (EVERYTHING in names and possible and part.of_paper):
            chosen.append(part)
    if not chosen:
        raise InvalidInput(f"no part given; use all or some of {', '.join(known)}")
    return chosen


def reproduce(
    names: str | Sequence[str],
    out: str | Path,
    study: Study | None = None,
    *,
    engine: Engine | None = None,
    on_progress: Progress = silent,
) -> dict[str, Section]:
    """Compute some of the paper's tables and figures and write one page with them.

    Parameters
    ----------
    names : str or sequence of str
        Parts to compute: ``"all"``, ``"table3"``, ``"figure2"``, …
    out : str or Path
        Directory for ``reproduction.html``, ``.md`` and ``.json``, ``figures/`` and ``cells/``.
        ``cells/`` keeps finished results, so that the same call continues after an interruption.
    study : Study, optional
        Parameters; by default the paper's.
    engine : Engine, optional
        Where cells are computed; by default in this process. The results do not depend on it.
    on_progress : callable
        Called with the name of the current work, the amount done and the total amount.

    Returns
    -------
    dict of str to Section
        Name of each part → its section.

    Raises
    ------
    InvalidInput
        If a part or dataset is unknown, a test split has fewer rows than the seeds to choose, a
        file cannot be written, or the engine's workers cannot compute.
    """
    study, out = study or Study(), Path(out)
    parts = choose_parts([names] if isinstance(names, str) else names, study)
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"output path {out} is a file; name a directory")
    cache = ResultCache(study, out / "cells", on_progress)
    work = [(part.name, cell) for part in parts for cell in part.cells(study)]
    cache.check(work)
    with reporting_os_errors(out):
        (out / "figures").mkdir(parents=True, exist_ok=True)
    cache.run(work, engine)
    sections = {part.name: part.write(cache) for part in parts}
    _write(out, sections, study, is_paper=any(part.of_paper for part in parts))
    return sections


def _write(out: Path, sections: dict[str, Section], study: Study, *, is_paper: bool) -> None:
    for section in sections.values():
        for block in section.blocks:
            if isinstance(block, Picture):
                replace_file(out / "figures" / f"{block.name}.svg", block.svg)
    named = [(_command(name, study), section) for name, section in sections.items()]
    title, lead = (
        (TITLE, _lead(study)) if is_paper else (OTHER_TITLE, [_seeds(study), _made_with()])
    )
    replace_file(out / NOTES, markdown(title, lead, named))
    replace_file(out / PAGE, html(title, lead, named))
    content: dict[str, Any] = {name: section.data for name, section in sections.items()}
    content["about"] = {"study": asdict(study), "versions": _versions()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    replace_file(out / DATA, text.encode())


def _seeds(study: Study) -> str:
    return (
        f"{', '.join(study.datasets).capitalize()}: {study.n_seeds} k-means seeds each, random "
        f"state {study.random_state}. Each section names the command that makes it."
    )


def _made_with() -> str:
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    return f"Made with {versions}."


def _lead(study: Study) -> list[str]:
    return [
        (
            "The evaluation of Li et al., “The Double-Edged Sword of Input Perturbations to Robust "
            "Accurate Fairness” (arXiv:2404.01356v1), run anew on "
            f"{', '.join(study.datasets)}: {study.n_seeds} k-means seeds each, {study.steps} "
            f"iterations of {study.step_size:g}, random state {study.random_state}. Each section "
            "names the command that makes it."
        ),
        (
            "The paper's numbers, in lines marked “paper”, are averages over its own four models "
            "and splits. Its text leaves open which instances a table counts and how many "
            "counterparts there are; beside the published figures stand two readings, “pooled” "
            "(every iterate, 12 sampled counterparts) and “last” (the last iterate, every "
            "combination of observed sensitive values). The models are not the paper's."
        ),
        _made_with(),
    ]


def _versions() -> dict[str, str]:
    return {
        "rafair": version("rafair"),
        "torch": version("torch"),
        "python": platform.python_version(),
    }


def _command(name: str, study: Study) -> str:
    words = ["rafair", "reproduce", name]
    usual = Study()
    if study.datasets != usual.datasets:
        words += [word for dataset in study.datasets for word in ("--dataset", dataset)]
    for field in fields(Study):
        value = getattr(study, field.name)
        if field.name in OPTIONS and value != getattr(usual, field.name):
            words += [OPTIONS[field.name], str(value)]
    return " ".join(words)


# Parameters of a study → their options on the command line.
OPTIONS = {
    "n_seeds": "--n-seeds",
    "random_state": "--random-state",
    "steps": "--steps",
    "step_size": "--step-size",
    "trend_seeds": "--trend-seeds",
    "trend_steps": "--trend-steps",
    "trainings": "--trainings",
}
