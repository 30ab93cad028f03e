"""Every error a user can cause, each with one line that says what, where and what to do."""

__all__ = ["Interrupted", "InvalidInput", "RafairError"]


class RafairError(Exception):
    """Base of all errors that rafair raises on purpose; its text is one line."""


class InvalidInput(RafairError, ValueError):  # noqa: N818 - named after the user's side of it
    """What the user gave cannot be used: the text names it, the place and the remedy."""


class Interrupted(RafairError):  # noqa: N818 - not the user's mistake
    """The user stopped a run; the text says what is left of it."""
