"""Check a model file before it is read: its kind, its size, and its members if it is an archive."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path, PurePosixPath

from rafair.errors import InvalidInput

__all__ = ["check_file", "check_zip", "first_line"]

GIB = 2**30
LARGEST = 2 * GIB
LARGEST_UNPACKED = 4 * GIB
MOST_MEMBERS = 10_000
# Compression makes weights only a little smaller. A large member that shrinks by more than this
# ratio was made to fill the memory.
RATIO, RATIO_FROM = 200, 100 * 2**20
# Files with these suffixes must be zip archives; files of older torch versions are not.
ARCHIVES = (".keras", ".skops", ".pt2")
LONGEST = 200
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def first_line(text: object) -> str:
    """Return the first line of a library's message that is not blank, at most 200 characters."""
    lines = (" ".join(line.split()) for line in COLOUR.sub("", str(text)).splitlines())
    return next((line for line in lines if line), "")[:LONGEST]


def check_file(path: Path) -> None:
    """Refuse a path that is no regular file, and a file that is empty, too large or harmful.

    Raises
    ------
    InvalidInput
        If the file is refused; the message gives the reason.
    """
    try:
        about = path.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "no such model file" if missing else f"cannot be opened: {error.strerror}"
        raise InvalidInput(f"{reason}; check the path") from error
    except ValueError as error:  # the path contains a null byte
        raise InvalidInput("no such model file; check the path") from error
    if not stat.S_ISREG(about.st_mode):
        kind = "a directory" if stat.S_ISDIR(about.st_mode) else "no regular file"
        raise InvalidInput(f"{kind}, where a model file is needed; give the file itself")
    if about.st_size == 0:
        raise InvalidInput("an empty file; save the model again")
    if about.st_size > LARGEST:
        raise InvalidInput("larger than 2 GiB; a model of tabular data is not, check the path")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}; check its permissions") from error
    if path.suffix.lower() in ARCHIVES or zipfile.is_zipfile(path):
        check_zip(path)


def check_zip(path: Path) -> None:
    """Refuse an archive that is damaged, unpacks to too much, or has members outside itself.

    Raises
    ------
    InvalidInput
        If the archive is refused; the message gives the reason.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise InvalidInput(
            f"no archive, or a damaged one ({first_line(error)}); save the model again"
        ) from error
    if len(members) > MOST_MEMBERS:
        raise InvalidInput(f"an archive of {len(members):,} members; a model has fewer")
    if sum(member.file_size for member in members) > LARGEST_UNPACKED:
        raise InvalidInput("an archive that unpacks to more than 4 GiB; it is not opened")
    if len({member.filename for member in members}) < len(members):
        raise InvalidInput("an archive in which a name occurs twice; save the model again")
    for member in members:
        _check_member(member)


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    if PurePosixPath(name).is_absolute() or ".." in name.split("/") or name[1:2] == ":":
        raise InvalidInput(
            f"an archive with a member outside it ({first_line(name)}); it is not opened"
        )
    if member.file_size > RATIO_FROM and member.file_size > RATIO * member.compress_size:
        raise InvalidInput(
            f"an archive whose member {first_line(name)} unpacks to {member.file_size:,} bytes "
            f"from {member.compress_size:,}; it is not opened"
        )
