"""Check the archive of an exported program, and write a new one that cannot run code.

``torch.export.load`` unpickles sample inputs, weights of an older format, and the tensors and
objects that the file marks as pickled; it evaluates symbolic sizes with sympy and guards with
Python; it calls any function under ``torch``, including those of ``torch.os``; and the file's
description of the inputs can import any module. Therefore every member and every string is checked
against a list of what a plain network needs, and torch loads a new archive that contains only the
checked members and no pickle.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.formats.operators import ATEN, OPERATOR

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["harmless_archive"]

MODEL = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
SAMPLES = "data/sample_inputs/model.pt"
KEPT = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/\w+|\.format_version|"
    r"data/weights/weight_\d+|data/constants/tensor_\d+",
    re.ASCII,
)
PAYLOAD = re.compile(r"(weight|tensor)_\d+", re.ASCII)
NAME = re.compile(r"[\w.]{0,300}", re.ASCII)
VERSION = re.compile(r"[\w.+<=]{0,60}", re.ASCII)
# Symbols, whole numbers, sums and products in sympy's syntax. Powers are refused, because their
# evaluation may never end. Any text except the name of a symbol is refused too.
SIZE = re.compile(
    r"(?!.*\*\s*\*)"
    r"(?:Symbol\('\w{1,60}'(?:, [a-z]{1,20}=(?:True|False))*\)"
    r"|Integer|Add|Mul|Max|Min|FloorDiv|Mod|[su]\d+|\d{1,18}|[-+*(), ]){1,200}",
    re.ASCII,
)
TARGET = re.compile(r"torch\.ops\.aten\.(\w+)\.\w+|_operator\.(\w+)", re.ASCII)
FOREIGN = frozenset({"as_custom_obj", "custom_obj", "as_graph"})
CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def harmless_archive(path: Path) -> bytes:
    """Return the bytes of an archive with the program and its weights, which cannot run code.

    Raises
    ------
    InvalidInput
        If the file is no exported program, or contains anything that a plain network does not need.
    """
    members = _members(path)
    if MODEL not in members:
        raise InvalidInput(
            "no exported program; write it with torch.export.save of torch 2.8 or later"
        )
    kept = {name: data for name, data in members.items() if KEPT.fullmatch(name)}
    for name in CONFIGS:
        if name in members:
            kept[name] = _config(members[name], kept, name.rpartition("/")[0])
    kept[MODEL] = _program(members[MODEL])
    # torch reads an empty member as no sample inputs.
    kept[SAMPLES] = b""
    rest = [n for n in members if n not in kept and not n.startswith("extra/") and n[-1:] != "/"]
    if rest:
        raise _refusal(f"the member {rest[0][:100]}")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, data in kept.items():
            archive.writestr(f"model/{name}", data)
    return written.getvalue()


def _members(path: Path) -> dict[str, bytes]:
    """Return the members by name, without the first folder of the names; skip folder ``extra``."""
    with zipfile.ZipFile(path) as archive:
        return {
            name.partition("/")[2] or name: archive.read(name)
            for name in archive.namelist()
            if "/extra/" not in name
        }


def _config(data: bytes, members: dict[str, bytes], folder: str) -> bytes:
    """Check a table of weights: each must be a plain tensor in a member that exists."""
    config = json.loads(data)
    _check(config, "")
    for name, about in config["config"].items():
        place = about["path_name"]
        if about["use_pickle"] is not False or not PAYLOAD.fullmatch(place):
            raise _refusal(f"the pickle {place} for {name}")
        sizes = [size["as_int"] for size in about["tensor_meta"]["sizes"]]
        if 0 not in sizes and not members.get(f"{folder}/{place}"):
            raise InvalidInput(f"the weights {name} are missing; save the program again")
    return data


def _program(data: bytes) -> bytes:
    """Check a program and remove what torch would evaluate and what only serves debugging."""
    program = json.loads(data)
    inner = program["graph_module"]
    program["guards_code"], inner["metadata"], inner["treespec_namedtuple_fields"] = [], {}, {}
    for node in inner["graph"]["nodes"]:
        node["metadata"] = {}
    _check(program, "")
    return json.dumps(program).encode()


def _check(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, inside in value.items():
            # torch writes null for a field that is not used.
            if not NAME.fullmatch(name) or (name in FOREIGN and inside is not None):
                raise _refusal(f"a field {name[:100]!r}")
            _check(inside, name)
    elif isinstance(value, list):
        for inside in value:
            _check(inside, key)
    elif isinstance(value, str):
        _check_text(value, key)


def _check_text(text: str, key: str) -> None:
    if key in ("target", "as_operator"):
        _check_target(text)
    elif key in ("in_spec", "out_spec"):
        _check_spec(text and json.loads(text))
    else:
        pattern = {"expr_str": SIZE, "torch_version": VERSION}.get(key, NAME)
        if not pattern.fullmatch(text):
            raise _refusal(f"{key or 'text'} {text[:100]!r}")


def _check_target(target: str) -> None:
    found = TARGET.fullmatch(target)
    if found is None or not (found[1] in ATEN or found[2] in OPERATOR):
        raise _refusal(f"the operator {target[:100]!r}")


def _check_spec(spec: Any) -> None:
    """Allow tuples, lists and dictionaries with text keys; other containers can import modules."""
    if isinstance(spec, list):
        for part in spec:
            _check_spec(part)
    elif isinstance(spec, dict):
        context = json.loads(spec["context"]) if isinstance(spec["context"], str) else None
        keys = [] if context is None else context
        plain = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        if spec["type"] not in CONTAINERS or not plain:
            raise _refusal(f"inputs of the type {str(spec['type'])[:100]!r}")
        _check_spec(spec["children_spec"])


def _refusal(what: str) -> InvalidInput:
    return InvalidInput(
        f"holds {what}, which could run code; export a plain network, "
        "or add --unsafe-pickle if you made the file yourself"
    )
