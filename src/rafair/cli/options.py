"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "Address",
    "EngineName",
    "Inputs",
    "Jobs",
    "Model",
    "ModelOutput",
    "Quiet",
    "Sensitive",
    "Subject",
    "Trust",
    "UnsafePickle",
]

Subject: TypeAlias = Annotated[
    str, typer.Argument(help="adult, bank, compas or credit, or a plan (plan.toml).")
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Model file: .safetensors .onnx .keras .h5 .pt .pt2 .skops .ubj .json .txt"),
]
Inputs: TypeAlias = Annotated[
    str | None,
    typer.Option(help="What the model reads: unit, original or frame [default: auto]."),
]
ModelOutput: TypeAlias = Annotated[
    str | None,
    typer.Option(help="What the model returns: logits or probabilities [default: auto]."),
]
Trust: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="Trust this type inside a .skops file; repeatable."),
]
UnsafePickle: TypeAlias = Annotated[
    bool,
    typer.Option("--unsafe-pickle", help="Load a pickle, which may run any code it holds."),
]
Sensitive: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B", help="Sensitive columns [default: the data's].")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Jobs: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="N|all", help="Workers at once [default: 1; all with --engine ray]."),
]
EngineName: TypeAlias = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="What workers are: processes or ray.")
]
Address: TypeAlias = Annotated[
    str | None,
    typer.Option(help="A Ray cluster: auto, HOST:PORT or ray://HOST:PORT [default: one here]."),
]
