"""What a damaged input may do: be read, or end with an error that names the file, in at most a screen of text."""

import dataclasses
import datetime
import hashlib
import traceback
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stexplain.errors import StexplainError

SCREEN_LINES, SCREEN_LETTERS = 50, 4000
"""At most so much text is a screen."""


def fault(error: BaseException | None, case: Path, names: set[str]) -> str:
    """What was wrong with how a case ended, in one line; empty where it was allowed.

    Args:
        error: that was raised, or none.
        case: the folder of the damaged input.
        names: of its files: one of them, or the folder, should be in the message.
    """
    if error is None:
        return ""
    if isinstance(error, MemoryError) or _ran_out_of_memory(error):
        return f"memory: {_place(error)}"
    if not isinstance(error, StexplainError):
        return f"{type(error).__name__}: {_place(error)}"
    text = str(error)
    if len(text) > SCREEN_LETTERS or text.count("\n") > SCREEN_LINES:
        return f"long message: {_place(error)}"
    if not any(name in text for name in (str(case), *names)):
        return f"names no file: {_place(error)}: {text[:100]!r}"
    return ""


def summary(result: object) -> str:
    """What was read, in letters that are the same for the same numbers and names, wherever the files lay."""
    if isinstance(result, str | int | float | datetime.date | type(None)):
        return str(result)
    if isinstance(result, np.ndarray) and result.dtype.kind == "O":
        return f"{result.shape}{summary(result.ravel().tolist())}"
    if isinstance(result, np.ndarray):
        return f"{result.dtype}{result.shape}{hashlib.sha256(np.ascontiguousarray(result).tobytes()).hexdigest()}"
    if isinstance(result, Mapping):
        return "{" + ", ".join(f"{key}: {summary(value)}" for key, value in result.items()) + "}"
    if isinstance(result, list | tuple | set | frozenset):
        return "[" + ", ".join(summary(one) for one in result) + "]"
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        # A checksum of the file is another, and a path too.
        fields = [field.name for field in dataclasses.fields(result) if "path" not in field.name]
        return "(" + ", ".join(f"{name}={summary(getattr(result, name, None))}" for name in fields) + ")"
    if hasattr(result, "detach") or hasattr(result, "to_numpy"):
        return summary(np.asarray(result))
    if hasattr(result, "nodes") and hasattr(result, "edges"):
        return summary([list(result.nodes), result.edges, result.weight, result.positions])
    return type(result).__name__


def _ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of the package only passes on that memory ran out."""
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(cause, MemoryError):
            return True
        error = cause
    return False


def _place(error: BaseException) -> str:
    """Where in the package an error was raised: the innermost lines of the package and of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/stexplain/" in frame.filename]
    shown = [*ours[-2:], *frames[-1:]]
    lines = [f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno}" for frame in shown]
    return " > ".join(dict.fromkeys(lines))
