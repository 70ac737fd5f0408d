"""One call from a model and samples to an explanation."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.by_name import method_class, of_class
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Predicted


@overload
def explain(
    model: nn.Module,
    x: Signals,
    *,
    target: TargetLike | None = None,
    method: str | type[Explainer] = "STGGradCAM",
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Any,
) -> Explanation: ...
@overload
def explain(
    model: nn.Module,
    x: Signals,
    *,
    target: Sequence[TargetLike],
    method: str | type[Explainer] = "STGGradCAM",
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Explanation]: ...
def explain(
    model: nn.Module,
    x: Signals,
    *,
    target: TargetLike | Sequence[TargetLike] | None = None,
    method: str | type[Explainer] = "STGGradCAM",
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Any,
) -> Explanation | list[Explanation]:
    """Explains samples by any method.

    It builds the method's explainer, calls it on the samples, and leaves the model as it was. To explain many batches,
    build the explainer once, and call it inside of a ``with`` block.

    Args:
        model: any module; see `STGGradCAM`.
        x: a `Sample`, a `Batch`, or a tensor in the model's own layout; see `Explainer.__call__`.
        target: what is explained, such as ``Class(3)`` or ``Forecast("s7", horizon=3)``, or a list of targets; default:
            the predicted class, `Predicted()`.
        method: the name of an explainer class of `stexplain.explainers`, or a custom class.
        valid: the padding mask, ``[B, M, T]``; default: that of the samples, else all frames.
        shared: further arguments of the model's forward by name, the same for all samples.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.
        **options: of the method's class, such as `layer`, `inputs`, `graph` or `chunk`. A method that wraps another,
            such as `GraphAblated`, takes the other's name as `around`, and passes on the options that are not its own.

    Returns:
        An explanation with `values` ``[B, M, T, N]``; for a list of targets one for each.

    Raises:
        InputError: where there is no such method or option, with the nearest that exists; and as the method does.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        >>> x = torch.randn(5, 2, 8, 6)
        >>> explain(model, x, inputs="b c t n", layer="0", layout="b c t n").values.shape
        (5, 1, 8, 6)
        >>> explain(model, x, target=[Class(0), Class(1)], method="InputGradient", inputs="b c t n")[1].target
        'class 1'
        >>> explain(model, x, method="IntegratedGradient", inputs="b c t n")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown method 'IntegratedGradient'. Did you mean 'IntegratedGradients'?
    """
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
    # Without a `with` block: the call freezes the model by itself, and restores it.
    return of_class(kind, model, **options)(
        x, target=Predicted() if target is None else target, valid=valid, shared=shared, per_sample=per_sample
    )
