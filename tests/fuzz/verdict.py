"""What a damaged input may do: be read, or end with an error that names the file, in at most a screen of text."""

import traceback
from pathlib import Path

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
