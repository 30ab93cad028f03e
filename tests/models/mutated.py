"""Damages files at random, and the members and numbers of those that hold some."""

import io
import random
import re
import zipfile

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
NUMBERS = (
    *(b"-1", b"0", b"1", b"255", b"65536", b"2147483647", b"-2147483648", b"4294967296"),
    *(b"9223372036854775807", b"1e308", b"-1e308", b"1e999", b"NaN", b"null", b'"x"', b"[]"),
)
WORDS = (b"\xff" * 4, b"\x7f" + b"\xff" * 3, b"\x00" * 4, b"\xff" * 8, b"\x00" * 7 + b"\x10")


def mutated(data, draw):
    """Return the bytes of a file with one to three changes; ``draw`` is a ``random.Random``."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        data = _once(data, draw)
    return data


def _once(data, draw):
    if zipfile.is_zipfile(io.BytesIO(data)) and draw.random() < 0.8:
        return _with_member(data, draw)
    if draw.random() < 0.5 and NUMBER.search(data):
        return _with_number(data, draw)
    return _with_bytes(data, draw)


def _with_member(data, draw):
    """Change what an archive holds, with checksums that are right, unless it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 - whatever zipfile raises for an archive damaged before
        members = {}
    if not members:
        return _with_bytes(data, draw)
    chosen = draw.choice(list(members))
    if draw.random() < 0.05:
        del members[chosen]
    else:
        members[chosen] = _once(members[chosen], draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _with_number(data, draw):
    """Replace a number that is written out."""
    found = [match.span() for match in NUMBER.finditer(data)]
    start, end = draw.choice(found)
    return data[:start] + draw.choice(NUMBERS) + data[end:]


def _with_bytes(data, draw):
    if not data:
        return bytes(draw.randrange(256) for _ in range(8))
    at, n = draw.randrange(len(data)), draw.choice((1, 1, 4, 16, 200))
    kind = draw.randrange(6)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + bytes(draw.randrange(256) for _ in range(n)) + data[at + n :]
    if kind == 2:
        word = draw.choice(WORDS)
        return data[:at] + word + data[at + len(word) :]
    if kind == 3:
        return data[:at] + data[at + n :]
    if kind == 4:
        return data[:at] + data[at : at + n] * draw.choice((2, 50)) + data[at + n :]
    return data[:at]


def damaged(data, name, number):
    """Return the damaged file of this number; the same one every time."""
    return mutated(data, random.Random(f"{name} {number}"))
