"""A lock on a file that ends with its process, however that ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rafair.errors import InvalidInput

__all__ = ["take_lock"]


def take_lock(path: Path) -> sqlite3.Connection:
    """Lock a file, which is made for it; closing what is returned ends the lock.

    Raises
    ------
    InvalidInput
        If another process, or this one, has locked it.
    """
    try:
        # SQLite locks a file on every system alike, and the system itself lifts that lock when the
        # process ends: nothing stale is left by one that was killed.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise InvalidInput(f"cannot write {path}: {error}; name another place") from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        # Some network disks know no locks; there everybody is let in.
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            connection.close()
            raise InvalidInput(
                f"another process is at work in {path.parent.parent}; wait for it, or name another "
                "directory"
            ) from None
    return connection
