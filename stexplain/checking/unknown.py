"""What to say of a call that does not fit its function: an argument of another name, or one too many by place."""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from stexplain.errors import suggest


def unfit_call(
    error: TypeError, function: Callable[..., Any], named: Iterable[str], owner: type | None = None
) -> TypeError:
    """Python's own error of a call, with the arguments that the function takes.

    Args:
        error: of the call, before the function began.
        function: that was called.
        named: the names of the arguments that were given by name.
        owner: of a constructor or a method, the class that was called, which may be a subclass of the function's.

    Example:
        >>> def mean(values, *, digits=2): ...
        >>> unfit_call(TypeError("mean() got an unexpected keyword argument 'digit'"), mean, ["digit"]).args[0]
        "mean() got an unexpected keyword argument 'digit'. Did you mean 'digits'?"
        >>> unfit_call(TypeError("mean() got an unexpected keyword argument 'axis'"), mean, ["axis"]).args[0]
        "mean() got an unexpected keyword argument 'axis'. It takes values, digits."
        >>> unfit_call(TypeError("mean() takes 1 positional argument but 2 were given"), mean, []).args[0]
        'mean() takes 1 positional argument but 2 were given. By name alone: digits=.'
    """
    parameters = _parameters(function)
    if owner is not None and function.__name__ == "__init__":
        # Of a base class, to which a class passes on what is not its own.
        parameters = {
            name: parameter
            for base in owner.__mro__
            if "__init__" in vars(base) and base is not object
            for name, parameter in _parameters(vars(base)["__init__"]).items()
        }
        error = TypeError(re.sub(r"^[\w.<>]*__init__\(\)", f"{owner.__name__}()", str(error)))
    # What explains a model passes on what else its forward takes, under one name.
    beside = " What else the model takes: shared={'name': ...}." if "shared" in parameters else ""
    if unknown := [name for name in named if name not in parameters]:
        near = suggest(unknown[0], parameters)
        made = {} if owner is None or function.__name__ != "__call__" else _parameters(owner)
        if (of_class := suggest(unknown[0], made)).startswith("Did"):
            name = of_class.split("'")[1]
            assert owner is not None
            return TypeError(f"{error}. It is given to {owner.__name__}(model, {name}=...), not to the call.")
        takes = f"It takes {', '.join(parameters)}." if parameters else "It takes none."
        return TypeError(f"{error}. {near if near.startswith('Did') else takes + beside}")
    alone = [f"{name}=" for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if "positional" in str(error) and "given" in str(error) and alone:
        return TypeError(f"{error}. By name alone: {', '.join(alone)}.{beside}")
    return error


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments that a function names, without those of any name."""
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls") and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
