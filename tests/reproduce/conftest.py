"""Small finished reproductions, each run once."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from rafair import audit, baseline, load_dataset, train_fcnn
from rafair.attacks.registry import attack_classes
from rafair.reproduce import Study, reproduce

# ε = 0.1 is one of those that the part "epsilon" tries.
STUDY = Study(
    datasets=("credit", "adult"), n_seeds=8, steps=2, step_size=0.05, trend_seeds=4, trend_steps=5,
    trainings=1,
)  # fmt: skip
TINY = Study(
    datasets=("credit",), n_seeds=5, steps=1, step_size=0.1, trend_seeds=3, trend_steps=3,
    trainings=2,
)  # fmt: skip
PUBLISHED = tuple(
    name for name, attack in attack_classes().items() if attack.gradients and attack.year <= 2024
)


@dataclass(frozen=True)
class Reproduction:
    """What is in a directory that ``rafair.reproduce.reproduce`` wrote."""

    path: Path
    study: Study
    sections: dict

    @functools.cached_property
    def data(self):
        return json.loads((self.path / "reproduction.json").read_text())

    @functools.cached_property
    def page(self):
        return (self.path / "reproduction.html").read_text()

    @functools.cached_property
    def notes(self):
        return (self.path / "reproduction.md").read_text()

    @property
    def figures(self):
        return {path.stem: path.read_bytes() for path in (self.path / "figures").iterdir()}

    @property
    def cells(self):
        return {path.name: path.read_bytes() for path in (self.path / "cells").iterdir()}

    @property
    def written(self):
        """Everything but the cells, by name."""
        pages = {p.name: p.read_bytes() for p in self.path.iterdir() if p.is_file()}
        return pages | {f"figures/{name}.svg": drawn for name, drawn in self.figures.items()}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Every part that credit and adult allow; what is trained is trained briefly."""
    path = tmp_path_factory.mktemp("reproductions") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        brief = functools.partial(train_fcnn, epochs=1)
        patch.setattr("rafair.reproduce.cell.train_fcnn", brief)
        sections = reproduce(["all"], path, STUDY)
    return Reproduction(path, STUDY, sections)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Every part that credit alone allows; tests that change it copy it first."""
    path = tmp_path_factory.mktemp("reproductions") / "tiny"
    sections = reproduce(["all"], path, TINY)
    return Reproduction(path, TINY, sections)


@pytest.fixture(scope="session")
def audited():
    """Audits with the parameters of ``finished``, by dataset and options."""

    @functools.cache
    def run(dataset, **options):
        return audit(
            baseline(dataset),
            load_dataset(dataset),
            attacks=PUBLISHED if "loss" not in options else "rafair",
            certify=False,
            n_seeds=STUDY.n_seeds,
            steps=STUDY.steps,
            **{"step_size": STUDY.step_size, **options},
        )

    return run
