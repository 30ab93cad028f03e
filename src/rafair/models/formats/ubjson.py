"""Parse the part of Universal Binary JSON that XGBoost writes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from rafair.errors import InvalidInput

__all__ = ["parse_ubjson"]

NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
CONSTANTS = {"Z": None, "N": None, "T": True, "F": False}
DEEPEST = 64


def parse_ubjson(data: bytes) -> Any:
    """Return the value in a file.

    Raises
    ------
    InvalidInput
        If the file ends too soon, holds more than one value, or is of another format.
    """
    reader = _Reader(data)
    value = reader.value(reader.mark(), 0)
    if reader.place != len(data):
        raise InvalidInput("no UBJSON, or a damaged one; save the model again")
    return value


class _Reader:
    """Reads the bytes of a file in order; ``place`` is the next byte."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, n: int) -> bytes:
        taken = self.data[self.place : self.place + n]
        if n < 0 or len(taken) < n:
            raise InvalidInput("no UBJSON, or one that ends too soon; save the model again")
        self.place += n
        return taken

    def mark(self) -> str:
        return self.take(1).decode("latin-1")

    def peek(self, mark: str) -> bool:
        """Tell whether the next byte is this mark; if so, skip it."""
        found = self.data[self.place : self.place + 1] == mark.encode()
        self.place += found
        return found

    def count(self) -> int:
        count = self.value(self.mark(), DEEPEST)
        if type(count) is not int or count < 0:
            raise InvalidInput("UBJSON of a negative length; save the model again")
        return count

    def text(self) -> str:
        return self.take(self.count()).decode()

    def value(self, mark: str, depth: int) -> Any:
        if mark in CONSTANTS:
            return CONSTANTS[mark]
        if mark in NUMBERS:
            kind = np.dtype(NUMBERS[mark])
            return np.frombuffer(self.take(kind.itemsize), kind)[0].item()
        if mark == "C":
            return struct.unpack("c", self.take(1))[0].decode("latin-1")
        if mark == "S":
            return self.text()
        if mark in "[{" and depth < DEEPEST:
            return self.array(depth + 1) if mark == "[" else self.object(depth + 1)
        raise InvalidInput("no UBJSON, or a damaged one; save the model again")

    def array(self, depth: int) -> list[Any]:
        kind = self.mark() if self.peek("$") else ""
        if not self.peek("#"):
            values = []
            while not self.peek("]"):
                values.append(self.value(self.mark(), depth))
            return values
        count = self.count()
        if kind in NUMBERS:
            read = np.dtype(NUMBERS[kind])
            found: list[Any] = np.frombuffer(self.take(count * read.itemsize), read).tolist()
            return found
        if count > len(self.data):
            raise InvalidInput("UBJSON longer than its file; save the model again")
        return [self.value(kind or self.mark(), depth) for _ in range(count)]

    def object(self, depth: int) -> dict[str, Any]:
        found = {}
        while not self.peek("}"):
            name = self.text()
            found[name] = self.value(self.mark(), depth)
        return found
