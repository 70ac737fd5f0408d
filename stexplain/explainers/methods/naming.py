"""What a method with settings of one's own is called: maps that are made in different ways must not share a name."""

import inspect
from numbers import Real
from typing import Any

from stexplain.data.baselines import HistoryOr
from stexplain.errors import InputError


def named(kind: type, method: str, *shown: str, **settings: Any) -> str:
    """A method's name, and in one bracket each setting that differs from its default.

    A calibration (`Explanation.select`) and joined explanations go by the name. So every setting belongs here that
    says *what* is computed. Three kinds do not: how finely one quantity is estimated (`seed`, `draws`, `orders`,
    `steps` of an integral) or how much memory that takes (`copies`, `chunk`), unless something was measured of one such
    setting; how the model is called and its layer read, which belongs to the model; and how a map is reduced over
    channels, which `Explanation.reduce` says.

    Args:
        kind: the class, whose constructor has the defaults.
        method: its name.
        *shown: what stands in the bracket in any case.
        **settings: by argument, as given. Numbers and names are shown; two mappings, tensors or functions are not
            distinguished from each other, only from the default.

    Example:
        >>> class Ours:
        ...     def __init__(self, window=8, baseline="zero", per_channel=False): ...
        >>> named(Ours, "ours", window=8, baseline="zero", per_channel=False)
        'ours'
        >>> named(Ours, "ours", window=4, baseline=abs, per_channel=True)
        'ours (window 4, another baseline, per channel)'
    """
    differing = [_words(name, value) for name, value in settings.items() if not _same(value, _default(kind, name))]
    return f"{method} ({', '.join([*shown, *differing])})" if shown or differing else method


def base_name(method: str) -> str:
    """The name without its settings.

    Example:
        >>> base_name("occlusion (window 4)"), base_name("occlusion (window 4), without the graph")
        ('occlusion', 'occlusion (window 4), without the graph')
    """
    name, bracket, rest = method.partition(" (")
    return name if bracket and rest.endswith(")") and "(" not in rest else method


def _default(kind: type, name: str) -> Any:
    for base in kind.__mro__:
        parameters = inspect.signature(base).parameters if "__init__" in vars(base) else {}
        if name in parameters:
            return parameters[name].default
    raise TypeError(f"{kind.__name__} has no argument {name!r}")


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(_same, value, default))
    # Arrays and tensors compare by element: they are the default only as the very object.
    plain = (str, Real, HistoryOr)
    return value is default or (isinstance(value, plain) and isinstance(default, plain) and bool(value == default))


def _words(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"no {words}"
    if value is None:
        return f"no {words}"
    if isinstance(value, list | tuple) and any(_text(one) for one in value):
        return f"{words} {' and '.join(_text(one) or 'another' for one in value)}"
    text = _text(value)
    return f"{words} {text}" if text else f"{'other' if words.endswith('s') else 'another'} {words}"


def _text(value: Any) -> str:
    if isinstance(value, HistoryOr):
        return f"historical average or {value.otherwise}"
    if isinstance(value, Real) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 10**300:
            raise InputError("baseline: got an integer of more than 300 digits; expected a number of ordinary size.")
        # As short as tells it from every other number.
        return f"{value:g}" if float(f"{value:g}") == value else repr(float(value))
    return value if isinstance(value, str) else ""
