"""An explainer in words, as it would be built."""

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stexplain.explainers.model.options import CallOptions

if TYPE_CHECKING:
    from stexplain.explainers.model.caller import ModelCaller

_LONGEST = 60


def described(explainer: "ModelCaller") -> str:
    """Its class, its model's class, and each argument that differs from its default, where it is kept by that name.

    Example:
        >>> from stexplain import Occlusion
        >>> Occlusion(nn.Identity(), window=3, inputs="b c t n")
        Occlusion(Identity, window=3, inputs='b c t n')
    """
    if not hasattr(explainer, "_layouts"):
        # A debugger asks also while one is built.
        return f"<{type(explainer).__name__}, not built>"
    given: dict[str, Any] = {}
    for name, parameter in _parameters(type(explainer)).items():
        value = getattr(explainer, name, parameter.default)
        if name == "layer":
            # Its name once it is known, also where a module was given, or none.
            value = getattr(explainer, "layer_name", "") or value
        plain = parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        if name not in ("model", *CallOptions.__annotations__) and plain and not _same(value, parameter.default):
            given[name] = value
    given |= {name: value for name, value in explainer.options.items() if value is not None and value != ()}
    model = "" if explainer.model is None else type(explainer.model).__name__
    words = [model, *(f"{name}={_short(value)}" for name, value in given.items())]
    return f"{type(explainer).__name__}({', '.join(word for word in words if word)})"


def _parameters(kind: type) -> dict[str, Parameter]:
    """The arguments of a class and, where it passes options on, of those that it is derived from."""
    found: dict[str, Parameter] = {}
    for each in kind.__mro__:
        if "__init__" in vars(each):
            found = {**signature(each).parameters, **found}
    return found


def _same(value: Any, default: Any) -> bool:
    # Arrays have no single truth: one that was given differs from any default.
    nothing = default is None and isinstance(value, list) and not value
    return nothing or value is default or (isinstance(value, str | int | float | tuple | list) and value == default)


def _short(value: Any) -> str:
    if isinstance(value, nn.Module):
        return type(value).__name__
    if isinstance(value, Tensor) or hasattr(value, "shape"):
        return f"<{type(value).__name__} {tuple(value.shape)}>"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ...{text[-1]}"
