"""All methods by their class names. Every list of methods, on the command line too, is made from this one."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from stexplain.checking.elsewhere import suggest_method
from stexplain.errors import InputError, suggest
from stexplain.explainers import methods as exported
from stexplain.explainers.arguments import refuse_of_forward
from stexplain.explainers.explainer import Explainer


def methods() -> dict[str, type[Explainer]]:
    """Every explainer of the package, by class name, sorted.

    Example:
        >>> {"STGGradCAM", "Motion"} <= set(methods())
        True
    """
    return {
        name: value
        for name, value in sorted(vars(exported).items())
        if inspect.isclass(value) and issubclass(value, Explainer) and not inspect.isabstract(value)
    }


def method_class(name: str) -> type[Explainer]:
    """The explainer class of a name.

    Raises:
        InputError: where there is none; with the nearest name that exists.

    Example:
        >>> method_class("GradCam")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown method 'GradCam'. Did you mean 'STGGradCAM'?
    """
    known = methods()
    if name in known:
        return known[name]
    if inspect.isclass(getattr(exported, name, None)):
        raise InputError(f"method is {name!r}, whose result is not an Explanation. Use it by itself: {name}(model).")
    raise InputError(f"unknown method {name!r}. {suggest_method(name, known)}")


def explainer(name: str, model: nn.Module, **options: Any) -> Explainer:
    """The explainer of a class name.

    Args:
        name: such as ``"STGGradCAM"``.
        model: to be explained.
        **options: of the class, see `of_class`. Those that are none are left out.

    Raises:
        InputError: where there is no such method or option; with the nearest that exists.

    Example:
        >>> explainer("Random", nn.Flatten(), seed=3).seed
        3
    """
    return of_class(method_class(name), model, **{key: value for key, value in options.items() if value is not None})


def of_class(kind: type[Explainer], model: nn.Module, **options: Any) -> Explainer:
    """The explainer of a class, of the package or custom.

    Args:
        kind: a class of explainers.
        model: to be explained.
        **options: of the class. A class that wraps another explainer takes the other's name as `around`, and passes on
            the options that are not its own.

    Raises:
        InputError: where there is no such option; with the nearest that exists.

    Example:
        >>> of_class(methods()["Random"], nn.Flatten(), sede=3)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: Random has no option 'sede'. Did you mean 'seed'?
    """
    parameters = _parameters(kind)
    if "model" in parameters:
        _check_options(kind.__name__, options, [name for name in parameters if name != "model"], model)
        return kind(model, **options)
    # A wrapper, such as GraphAblated, takes an explainer in place of the model.
    inner = method_class(str(options.pop("around", "InputGradient")))
    own = {key: value for key, value in options.items() if key in parameters}
    inner_options = {key: value for key, value in options.items() if key not in parameters}
    if "model" in _parameters(inner):
        # Checked here, for a message that suggests the options of both.
        both = {*parameters, *_parameters(inner)} - {"model", "explainer"}
        _check_options(kind.__name__, options, [*sorted(both), "around"], model)
    wrapper: Any = kind
    wrapping: Explainer = wrapper(of_class(inner, model, **inner_options), **own)
    return wrapping


def takes(method: str | type[Explainer], option: str) -> bool:
    """Whether a method, by name or its class, has an option, such as ``"seed"``.

    Example:
        >>> takes("Random", "seed"), takes("Motion", "seed")
        (True, False)
    """
    return option in _parameters(methods()[method] if isinstance(method, str) else method)


def option_names(name: str) -> list[str]:
    """The options of a method, in order; of one that wraps another, its own.

    Example:
        >>> option_names("Random")[:2], "chunk" in option_names("InputGradient")
        (['seed', 'inputs'], True)
    """
    return [option for option in _parameters(methods()[name]) if option not in ("model", "explainer")]


def check_default_options(defaults: Sequence[str], options: Iterable[str], model: nn.Module) -> None:
    """Refuses options of a call without a method that none of the default methods has.

    Args:
        defaults: names of the methods, of which the options choose one.
        options: names of those that were given.
        model: to be explained.

    Raises:
        InputError: naming the methods that have the option, or the nearest option that exists.

    Example:
        >>> check_default_options(("Random",), ["steps"], nn.Flatten())
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: steps: got an option of 'ExpectedGradients' or 'IntegratedGradients' ...
    """
    known = sorted({name for method in defaults for name in option_names(method)})
    for option in options:
        if option in known:
            continue
        refuse_of_forward(model, [option])
        having = [name for name in methods() if option in option_names(name)]
        if having:
            names = " or ".join(map(repr, having[:3]))
            raise InputError(f"{option}: got an option of {names}, but no method. Give method={having[0]!r} with it.")
        raise InputError(f"explain has no option {option!r}. {suggest(option, known)}")


def _parameters(kind: type[Explainer]) -> list[str]:
    """The names of the constructor's parameters, with those that it passes on as ``**options`` to its base."""
    names: dict[str, None] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base).parameters.values()
            names |= dict.fromkeys(one.name for one in parameters if one.kind is not one.VAR_KEYWORD)
            # A constructor without **options passes nothing on.
            if all(one.kind is not one.VAR_KEYWORD for one in parameters):
                break
    return list(names)


def _check_options(name: str, given: dict[str, Any], parameters: list[str], model: nn.Module) -> None:
    for option in given:
        if option not in parameters:
            refuse_of_forward(model, [option])
            raise InputError(f"{name} has no option {option!r}. {suggest(option, parameters)}")
