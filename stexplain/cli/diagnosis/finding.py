"""The finding of a check of the installation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: of what was checked.
        value: what was found, in words.
        ok: false where something is broken.
        remedy: what to do about it; empty where all is well.
    """

    name: str
    value: str
    ok: bool = True
    remedy: str = ""


def error_text(error: BaseException) -> str:
    """An error on one line, with its type."""
    return " ".join(f"{type(error).__name__}: {error}".split())
