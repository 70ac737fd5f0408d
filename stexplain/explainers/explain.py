"""One call from a model and samples to an explanation."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, overload

import numpy as np
from torch import nn

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.by_name import check_default_options, method_class, of_class, takes
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.model.layer_names import last_block
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.results.notes import chosen
from stexplain.explainers.target import TargetLike

_Result = Explanation | list[Explanation] | dict[str, Explanation] | list[dict[str, Explanation]]
_LAST = "The layer is the last that keeps samples, nodes and frames, and through which all of the output goes"


@overload
def explain(
    model: nn.Module,
    x: Signals,
    *,
    target: TargetLike | None = None,
    method: str | type[Explainer] | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> Explanation: ...
@overload
def explain(
    model: nn.Module,
    x: Signals,
    *,
    target: Sequence[TargetLike],
    method: str | type[Explainer] | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> list[Explanation]: ...
@overload
def explain(
    model: nn.Module,
    x: Streams,
    *,
    target: TargetLike | None = None,
    method: str | type[Explainer] | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> dict[str, Explanation]: ...
@overload
def explain(
    model: nn.Module,
    x: Streams,
    *,
    target: Sequence[TargetLike],
    method: str | type[Explainer] | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> list[dict[str, Explanation]]: ...
@checked
def explain(
    model: nn.Module,
    x: Signals | Streams,
    *,
    target: TargetLike | Sequence[TargetLike] | None = None,
    method: str | type[Explainer] | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> _Result:
    """Explains samples by any method.

    It builds the method's explainer, calls it on the samples, and leaves the model as it was. To explain many batches,
    build the explainer once, and call it inside of a ``with`` block.

    Args:
        model: any module; see `STGGradCAM`.
        x: a `Sample`, a `Batch`, a tensor in the model's own layout, or a dict of tensors; see `Explainer.__call__`.
            Samples of a dataset bring graph and names of classes for a model that has none.
        target: what is explained, such as a class by index or name, or ``Forecast("s7", horizon=3)``, or a list of
            targets; default: the predicted class. See `Explainer.__call__`.
        method: the name of an explainer class of `stexplain.explainers`, or a custom class. Default:
            `ExpectedFall`, some 33 inferences of a sample; `STGGradCAM` where an option says anything of a layer,
            or the input has no gradient; `InputGradient` where samples do not change over time.
            `Explanation.notes` say which it was and why.
        valid: the padding mask, ``[B, M, T]``, or ``[B, T]`` of one instance; default: that of the samples, else all
            frames.
        observed: of a tensor, its missing-value mask: which observations are there, ``[B, M, T, N]``, bool, or
            ``[B, T, N]`` of one instance. A sensor that was missing has no map, and masks leave it alone. NaN there are
            given to the model as zero. Samples of a dataset bring their own.
        shared: further arguments of the model's forward by name, the same for all samples.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.
        ids: a name or number of each sample, B different ones.
        **options: of the method's class, such as `layer`, `inputs`, `graph` or `chunk`. A method that wraps another,
            such as `GraphAblated`, takes the other's name as `around`, and passes on the options that are not its own.

    Returns:
        An explanation with `values` ``[B, M, T, N]``; for a list of targets one for each. Where x is a dict, a dict of
        explanations by the same names.

    Raises:
        InputError: where there is no such method or option, with the nearest that exists; and as the method does.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> x = torch.randn(5, 2, 8, 6)
        >>> e = explain(model, x, inputs="b c t n")
        >>> e.values.shape, e.method
        ((5, 1, 8, 6), 'expected fall')
        >>> explain(model, x, layer="0", inputs="b c t n").method
        'STG-Grad-CAM'
        >>> explain(model, x, target=[Class(0), Class(1)], method="InputGradient", inputs="b c t n")[1].target
        'class 1'
        >>> explain(model, x, method="IntegratedGradient", inputs="b c t n")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown method 'IntegratedGradient'. Did you mean 'IntegratedGradients'?
    """
    arguments: dict[str, Any] = {
        "target": target,
        "valid": valid,
        "observed": observed,
        "shared": shared,
        "per_sample": per_sample,
        "ids": ids,
    }
    if method is None:
        return _by_default(model, x, arguments, options)
    # A class, not an instance: an instance has a model already, which may be another one.
    if isinstance(method, str):
        kind = method_class(method)
    elif isinstance(method, type) and issubclass(method, Explainer):
        kind = method
    else:
        raise InputError(
            f"method: got {method!r}; expected the name of an explainer class, such as 'STGGradCAM', or the class. "
            "An explainer that is built already is called itself: explainer(x, target=...)."
        )
    return _called(of_class(kind, model, **options), x, arguments)


def _called(explainer: Explainer, x: Signals | Streams, arguments: dict[str, Any]) -> _Result:
    # Without a `with` block: the call freezes the model by itself, and restores it.
    result: _Result = explainer(x, **arguments)
    return result


def _by_default(model: nn.Module, x: Signals | Streams, arguments: dict[str, Any], options: dict[str, Any]) -> _Result:
    """The explanation by the method that suits the model, which its notes name."""
    check_default_options(("ExpectedFall", "STGGradCAM"), options, model)
    # Whoever says anything of a layer means one.
    if not all(takes("ExpectedFall", option) for option in options):
        cam = _called(of_class(STGGradCAM, model, **options), x, arguments)
        if options.get("layer") is not None:
            return cam
        return _noted(cam, "The layer is the last of the model's blocks" if last_block(model) else _LAST)
    # Outside of the attempt: a value that an option cannot have is the caller's error.
    best = of_class(ExpectedFall, model, **options)
    plain = {name: value for name, value in options.items() if name in CallOptions.__annotations__}
    result: _Result | None = None
    why = ""
    try:
        result = _called(best, x, arguments)
    except InputError as error:
        why = f"Expected fall could not be computed ({str(error).splitlines()[0].rstrip('.')})"
    # Outside of the handlers: where another method fails too, its error is the only one that is printed.
    if result is None and not isinstance(x, Mapping):
        # The input may have no gradient where a layer has one. Where the cause is another, the gradient says it best.
        with suppress(InputError):
            result = _called(of_class(STGGradCAM, model, **plain), x, arguments)
    if result is None:
        result = _called(of_class(InputGradient, model, **plain), x, arguments)
    if why:
        return _noted(result, why)
    if _is_empty(result):
        result = _called(of_class(InputGradient, model, **plain), x, arguments)
        return _noted(result, "Some samples do not change over time, so that how far observations vary is not known")
    return _noted(result, "")


def _is_empty(result: _Result) -> bool:
    """Whether some sample's map is zero everywhere, in all of its streams."""
    for each in result if isinstance(result, list) else [result]:
        parts = [each] if isinstance(each, Explanation) else list(each.values())
        empty = [~part.values.any((1, 2, 3)) & part.present.any((1, 2, 3)) for part in parts]
        if np.logical_and.reduce(empty).any():
            return True
    return False


def _noted(result: _Result, why: str) -> _Result:
    """The result with a note of which method was chosen, and why where it is not the default."""

    def each(part: Any) -> Any:
        if not isinstance(part, Explanation):
            return {name: each(one) for name, one in part.items()}
        return replace(part, notes=(chosen(why, part.method, part.layer), *part.notes))

    noted: _Result = [each(one) for one in result] if isinstance(result, list) else each(result)
    return noted
