"""Compares the identities of two runs: everything that their results depend on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_same_run", "digest_of"]

# Parts of an identity of which only the name is reported, in the order of the report.
NAMED = {
    "data": "the data",
    "columns": "what the columns mean (kinds, domains, ε, relations)",
    "model": "the model",
    "seeds": "the seeds",
    "shards": "the size of the shards",
}
KINDS = {"audit": "an audit", "certificates": "certificates", "regions": "regions"}


def digest_of(identity: Mapping[str, Any]) -> bytes:
    """Return a SHA-256 of an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).digest()


def check_same_run(place: str, begun: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to continue a run that was started with another identity.

    Parameters
    ----------
    place : str
        The directory of the run.
    begun, asked : mapping
        The identity that the run was started with, and the one it would continue with.

    Raises
    ------
    InvalidInput
        The text says what differs.
    """
    if begun == asked:
        return
    if not begun:
        raise InvalidInput(
            f"{place} holds a run that does not say what it was begun with; name another directory"
        )
    found = "; ".join(_differences(begun, asked)) or "what it says of itself"
    raise InvalidInput(
        f"{place} holds another run; what differs: {found}; name another directory, or ask for "
        "what it was begun with"
    )


def _differences(begun: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    if begun.get("kind") != asked["kind"]:
        yield f"it holds {KINDS.get(str(begun.get('kind')), 'something else')}"
        return
    for library in ("rafair", "torch"):
        if begun.get(library) != asked[library]:
            yield f"written with {library} {begun.get(library)}, this is {asked[library]}"
    if begun.get("device") != asked["device"]:
        yield f"written on {begun.get('device')}, this is {asked['device']}"
    before, now = (part.get("sensitive") for part in (begun, asked))
    if before != now:
        yield f"the sensitive columns: {', '.join(before or ())}, not {', '.join(now or ())}"
    changed = [name for name in NAMED if begun.get(name) != asked[name]]
    # Other sensitive columns also change the columns; other data or another plan change the seeds.
    follow = {"columns": before != now, "shards": True, "seeds": True}
    told = [name for name in changed if not follow.get(name, False)]
    yield from (NAMED[name] for name in told)
    inner = [*_inner("plan", begun, asked), *_inner("certified", begun, asked)]
    yield from inner
    if not told and not inner and before == now:
        yield from (NAMED[name] for name in changed)


def _inner(part: str, begun: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """Name what differs inside the plan, or inside the certificates."""
    before, now = (identity.get(part) for identity in (begun, asked))
    if before == now:
        return
    what = {"plan": "the plan", "certified": "the certificates"}[part]
    if not isinstance(before, dict) or not isinstance(now, dict):
        yield f"{what}: {'none' if not before else 'some'}, not {'none' if not now else 'some'}"
        return
    for key in dict.fromkeys([*before, *now]):
        if before.get(key) != now.get(key):
            yield f"{what}: {key} {_shown(before.get(key))}, not {_shown(now.get(key))}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
