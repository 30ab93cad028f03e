"""``rafair certify --region`` and ``--partition``: certificates of regions instead of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rafair.cli.sources import ModelChoice, Source
    from rafair.engine import Engine
    from rafair.runs import RegionResult, RunDirectory

__all__ = ["certify_regions", "check_for_regions"]

# Parameters of ``certify`` that are about seeds or claims, with their flags.
OTHERS = {
    "n_seeds": "--seeds", "claim": "--claim", "cell": "--cell", "K": "--K", "D": "--D", "d": "--d",
}  # fmt: skip
SHARED = ("setting", "counterparts", "max_nodes", "random_state")


def check_for_regions(given: Mapping[str, Any], epsilon: list[float] | None) -> None:
    """Refuse options that a region has no use for.

    Raises
    ------
    InvalidInput
    """
    for name, flag in OTHERS.items():
        if given.get(name):
            raise InvalidInput(f"{flag} is about seeds; leave it out with --region and --partition")
    if given.get("setting") and not epsilon:
        raise InvalidInput("--setting says what changes; with --region it needs --epsilon")
    if epsilon is not None and len(epsilon) > 1:
        raise InvalidInput("a region is certified at one --epsilon")


def certify_regions(
    source: Source,
    model: ModelChoice,
    options: Mapping[str, Any],
    asked: tuple[list[str] | None, int | None, list[float] | None, float | None],
    engine: Engine,
    directory: RunDirectory,
    *,
    quiet: bool,
) -> None:
    """Certify regions, write what is found, and print it.

    Parameters
    ----------
    options : mapping
        Parameters of the plan.
    asked : tuple
        The values of ``--region``, ``--partition``, ``--epsilon`` and ``--max-seconds``.
    """
    from rafair.auditing import certify_region
    from rafair.cli.terminal import progress
    from rafair.report.region_figures import draw_regions
    from rafair.runs import write_regions

    regions, partition, epsilon, max_seconds = asked
    classifier, data, _ = source.model(model, "cpu")
    schema = data.schema
    with progress(quiet=quiet, unit="boxes") as on_progress:
        found = certify_region(
            classifier,
            schema,
            regions[0] if regions and len(regions) == 1 else regions,
            data=data,
            partition=1 if partition is None else partition,
            epsilon=epsilon[0] if epsilon else 0.0,
            max_seconds=max_seconds,
            **{name: options[name] for name in SHARED if name in options},
            engine=engine,
            store=directory,
            on_progress=on_progress,
        )
    write_regions(found, directory, draw_regions(found, schema))
    if not quiet:
        _show(found, directory.path, max_seconds)


def _show(found: RegionResult, path: Path, max_seconds: float | None) -> None:
    from rafair.cli.terminal import console, show_table
    from rafair.runs.regions import regions_table, witness_table

    show_table(regions_table(found.metrics))
    witness = witness_table(found.boxes)
    if witness is not None:
        console().print()
        show_table(witness)
    if found.manifest["stopped"]:
        console().print(
            f"\nStopped after {max_seconds:g} s; what was left is undecided. --resume goes on."
        )
    console().print(f"\nBoxes: {path / 'regions.parquet'}", soft_wrap=True)
