"""The gradients of several scores with respect to several tensors, from one forward pass."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from stexplain.errors import InputError
from stexplain.explainers.model.running.finite import NotFiniteError, problem_of
from stexplain.explainers.outputs.precision import full_precision

PERTURB_INSTEAD = "A perturbation method, such as Occlusion or ShapleyValueSampling, needs no gradient."


def gradients(scores: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[list[Tensor | None]]:
    """The gradients of several scores with respect to several tensors.

    Samples do not mix in eval mode, so the gradient of a score's sum over the batch holds every sample's own. All
    backward passes are one where every operator behind the tensors can be batched. Custom functions (as a library's
    operators may be), sparse products and some others cannot, and they then follow each other.

    Args:
        scores: each ``[B]``.
        tensors: which the scores were computed from.

    Returns:
        For each score, for each tensor, a gradient of the tensor's shape; none where the score does not depend on it
        in a differentiable way.

    Raises:
        InputError: where an operator leaves gradients out.
        NotFiniteError: where a gradient holds NaN or infinity.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> [gradient.tolist() for (gradient,) in gradients([x.square(), 3 * x], [x])]
        [[2.0, 4.0], [3.0, 3.0]]
    """
    with warnings.catch_warnings():
        # Of a quantised operator, torch warns that the gradient behind it is left out.
        warnings.filterwarnings("error", message=".*autograd kernel was not registered")
        try:
            return _gradients(scores, tensors)
        except UserWarning as warning:
            if "autograd kernel" not in str(warning):
                raise
            raise not_differentiable("the input or the layer") from warning


def _gradients(scores: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[list[Tensor | None]]:
    by_score: list[list[Tensor | None]] = [[None] * len(tensors) for _ in scores]
    numbers = [number for number, score in enumerate(scores) if score.requires_grad]
    sums = [scores[number].sum() for number in numbers]
    if len(sums) > 1 and not _has_custom_function(sums) and (batched := _batched(sums, tensors)) is not None:
        for row, number in enumerate(numbers):
            by_score[number] = [_checked(None if gradient is None else gradient[row]) for gradient in batched]
        return by_score
    for row, number in enumerate(numbers):
        # The graph is needed again for every score but the last.
        retain = row < len(sums) - 1
        found = torch.autograd.grad(sums[row], tensors, retain_graph=retain, allow_unused=True)
        by_score[number] = [_checked(gradient) for gradient in found]
    return by_score


def not_differentiable(what: str, remedy: str = "") -> InputError:
    """The error where no gradient comes back from the target.

    Args:
        what: the target should depend on it.
        remedy: a sentence that goes before the general one.

    Example:
        >>> str(not_differentiable("the input")).split(":")[0]
        'the target does not depend on the input in a differentiable way'
    """
    return InputError(
        f"the target does not depend on {what} in a differentiable way: nothing does, or what depends on it goes "
        f"through numpy, .detach(), whole numbers or another step without a gradient. {remedy}{PERTURB_INSTEAD}"
    )


def gradient_of(total: Tensor, leaf: Tensor) -> Tensor:
    """The gradient of a number with respect to the signals, which it must depend on.

    Raises:
        InputError: where no gradient comes back, as behind a layer that computes in integers.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> gradient_of((x**2).sum(), x)
        tensor([2., 2.])
    """
    (gradient,) = torch.autograd.grad(total, leaf, allow_unused=True)
    if gradient is None:
        raise not_differentiable("the input")
    return gradient


def leaves_torch(error: Exception) -> bool:
    """Whether a forward pass failed because it takes a tensor that is to be differentiated to numpy."""
    return "on Tensor that requires grad" in str(error)


def _checked(gradient: Tensor | None) -> Tensor | None:
    """A gradient in float32 at least, refused where it is not finite."""
    if gradient is not None and (problem := problem_of(gradient)):
        raise NotFiniteError(f"the gradient of the score holds {problem}")
    return None if gradient is None else full_precision(gradient)


def _batched(sums: Sequence[Tensor], tensors: Sequence[Tensor]) -> Sequence[Tensor | None] | None:
    """The gradients of all sums, stacked, from one backward pass; none where an operator cannot be batched."""
    stacked = torch.stack(list(sums))
    # Row i of the identity picks score i: one batched backward pass in place of as many as there are scores.
    one_hot = torch.eye(len(sums), dtype=stacked.dtype, device=stacked.device)
    with warnings.catch_warnings():
        # An operator without a rule of its own would be looped over, with a warning; passes one by one are as fast.
        warnings.filterwarnings("error", message="There is a performance drop")
        try:
            # The graph stays: it is needed again where this fails half-way.
            return torch.autograd.grad(
                stacked, tensors, one_hot, is_grads_batched=True, allow_unused=True, retain_graph=True
            )
        except (RuntimeError, NotImplementedError, UserWarning):
            # Which operators cannot be batched is not known beforehand, and errors have no type of their own. An
            # error that has another cause comes again, one by one.
            return None


def depends_on(output: Tensor, x: Tensor) -> bool:
    """Whether a gradient comes back from an output to a tensor that it may have been computed from.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> depends_on(x.sum(), x), depends_on(torch.ones(2, requires_grad=True).sum(), x)
        (True, False)
    """
    if output is x:
        return x.requires_grad
    # A leaf is reached by the node that gathers its gradient.
    return any(node is x.grad_fn if x.grad_fn else getattr(node, "variable", None) is x for node in _nodes([output]))


def _has_custom_function(outputs: Sequence[Tensor]) -> bool:
    """Whether the graph behind the outputs holds a custom `autograd.Function`, which vmap cannot batch."""
    return any(isinstance(node, BackwardCFunction) for node in _nodes(outputs))


def _nodes(outputs: Sequence[Tensor]) -> Iterator[Any]:
    """The nodes of the graph behind some outputs, each once, but for those behind operators without a derivative."""
    waiting: list[Any] = [output.grad_fn for output in outputs]
    visited = set()
    # A walk by a list, not by recursion: a recurrent network's graph is deeper than Python's stack.
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        yield node
        visited.add(node)
        if "NotImplemented" not in node.name():
            waiting += [before for before, _ in node.next_functions]
