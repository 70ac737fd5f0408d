"""Whose code raised an error: the caller's, which this package called, or another."""

import functools
import sysconfig
import traceback
from typing import Any

from stexplain.checking.notices import PACKAGE

_OF_NOBODY = ("<frozen", "<string>", "<__array_function__")
"""Code that is made while a program runs, such as of a dataclass."""

_COMPILED = (".pyx", ".pxd", ".pxi")
"""Code of a library that was compiled, whose lines are known and whose place is not."""


def raised_by_caller(error: BaseException, entrance: Any) -> bool:
    """Whether an error went through code that is neither this package's nor an installed library's.

    Such is a model, a function or a data set of the caller, which this package called. A module of torch that another
    library wrote counts too.

    Args:
        error: that was raised in the entrance.
        entrance: the function of this package that was called. Its own file is not the caller's.

    Example:
        >>> def entrance(function):
        ...     try:
        ...         return function()
        ...     except Exception as error:
        ...         return raised_by_caller(error, entrance)
        >>> entrance(lambda: 1 / 0), entrance(3)
        (True, False)
    """
    own = getattr(getattr(entrance, "__code__", None), "co_filename", "")
    for frame, _ in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file.startswith((PACKAGE, *_OF_NOBODY)) or file == own or file.endswith(_COMPILED):
            continue
        if not file.startswith(_installed()):
            return True
        if frame.f_code.co_name == "_call_impl" and _is_foreign(frame.f_locals.get("self")):
            return True
    return False


@functools.cache
def _installed() -> tuple[str, ...]:
    """Where Python and the libraries are."""
    paths = sysconfig.get_paths()
    return tuple({paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _is_foreign(module: Any) -> bool:
    return type(module).__module__.partition(".")[0] not in ("torch", PACKAGE.rpartition("/")[2])
