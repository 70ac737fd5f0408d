"""What to say of a call that does not fit its function: an argument of another name, or one too many by place."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from stexplain.errors import suggest


def unfit_call(error: TypeError, function: Callable[..., Any], named: Iterable[str]) -> TypeError:
    """Python's own error of a call, with the arguments that the function takes.

    Args:
        error: of the call, before the function began.
        function: that was called.
        named: the names of the arguments that were given by name.

    Example:
        >>> def mean(values, *, digits=2): ...
        >>> unfit_call(TypeError("mean() got an unexpected keyword argument 'digit'"), mean, ["digit"]).args[0]
        "mean() got an unexpected keyword argument 'digit'. Did you mean 'digits'?"
        >>> unfit_call(TypeError("mean() got an unexpected keyword argument 'axis'"), mean, ["axis"]).args[0]
        "mean() got an unexpected keyword argument 'axis'. It takes values, digits."
        >>> unfit_call(TypeError("mean() takes 1 positional argument but 2 were given"), mean, []).args[0]
        'mean() takes 1 positional argument but 2 were given. By name alone: digits=.'
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls") and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    # What explains a model passes on what else its forward takes, under one name.
    beside = " What else the model takes: shared={'name': ...}." if "shared" in parameters else ""
    if unknown := [name for name in named if name not in parameters]:
        near = suggest(unknown[0], parameters)
        takes = f"It takes {', '.join(parameters)}." if parameters else "It takes none."
        return TypeError(f"{error}. {near if near.startswith('Did') else takes + beside}")
    alone = [f"{name}=" for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if "positional" in str(error) and "given" in str(error) and alone:
        return TypeError(f"{error}. By name alone: {', '.join(alone)}.{beside}")
    return error
