"""All methods by their class names: whatever lists them derives its list from here."""

import inspect
from importlib import import_module
from typing import Any

from torch import nn

from stexplain.errors import InputError, suggest, unknown
from stexplain.explainers.explainer import Explainer


def methods() -> dict[str, type[Explainer]]:
    """Every explainer that `stexplain.explainers` offers, by class name, sorted.

    Example:
        >>> {"STGGradCAM", "Motion"} <= set(methods())
        True
    """
    offered = vars(import_module("stexplain.explainers"))
    return {
        name: value
        for name, value in sorted(offered.items())
        if inspect.isclass(value) and issubclass(value, Explainer) and not inspect.isabstract(value)
    }


def explainer(name: str, model: nn.Module, **options: Any) -> Explainer:
    """The explainer of a class name.

    Args:
        name: such as ``"STGGradCAM"``.
        model: to be explained.
        **options: of the class. Those that are none are left out. A method that wraps another takes the other's name as
            `around`, and passes the options on that are not its own.

    Raises:
        InputError: where there is no such method or option; with the nearest that exists.

    Example:
        >>> explainer("Random", nn.Flatten(), seed=3).seed
        3
        >>> explainer("GradCam", nn.Flatten())
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown method 'GradCam'. Did you mean 'STGGradCAM'?
    """
    known = methods()
    if name not in known:
        raise unknown("method", name, known)
    given = {key: value for key, value in options.items() if value is not None}
    parameters = _parameters(known[name])
    if "model" in parameters:
        _check(name, given, parameters)
        return known[name](model, **given)
    around = str(given.pop("around", "InputGradient"))
    own = {key: value for key, value in given.items() if key in parameters}
    inner = explainer(around, model, **{key: value for key, value in given.items() if key not in parameters})
    wrapper: Any = known[name]
    wrapped: Explainer = wrapper(inner, **own)
    return wrapped


def takes(name: str, option: str) -> bool:
    """Whether a method has an option, such as ``"seed"``.

    Example:
        >>> takes("Random", "seed"), takes("Motion", "seed")
        (True, False)
    """
    return option in _parameters(methods()[name])


def _parameters(kind: type[Explainer]) -> list[str]:
    """The names of what its constructor takes, those included that it hands on as ``**options`` to its base."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base).parameters.values()
            found |= dict.fromkeys(one.name for one in parameters if one.kind is not one.VAR_KEYWORD)
            if all(one.kind is not one.VAR_KEYWORD for one in parameters):
                break
    return list(found)


def _check(name: str, given: dict[str, Any], parameters: list[str]) -> None:
    for option in given:
        if option not in parameters:
            raise InputError(f"{name} has no option {option!r}. {suggest(option, parameters[1:])}")
