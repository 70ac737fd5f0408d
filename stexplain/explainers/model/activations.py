"""What layers give in a forward pass, and the slopes of scores there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from stexplain.errors import InputError
from stexplain.explainers.model.state import first_tensor


class Activations:
    """What some layers gave in the forward pass that was listened to."""

    def __init__(self, names: Sequence[str]):
        self._calls: dict[str, list[Tensor]] = {name: [] for name in names}

    def calls(self, name: str) -> list[Tensor]:
        """The outputs of a layer, call by call.

        Raises:
            InputError: where the layer did not run.
        """
        if not self._calls[name]:
            raise InputError(f"the layer {name!r} did not run in the model's forward pass. Give one that does.")
        return self._calls[name]

    def last(self, name: str) -> Tensor:
        """The output of a layer's last call.

        Raises:
            InputError: where the layer did not run.
        """
        return self.calls(name)[-1]


@contextmanager
def capture_activations(layers: Mapping[str, nn.Module], *, gradient: bool) -> Iterator[Activations]:
    """Keeps what layers give, and with `gradient` lets the graph begin there.

    An output that depends on none kept before becomes a leaf, and the rest of the forward pass is differentiated by
    it. One that does, of a layer behind or of a later call, stays in the graph: the gradient with respect to each is
    the total derivative, through all that comes after it.

    Where a layer returns a tuple, its first tensor is meant. An operation in place after the layer changes nothing
    that is kept.

    Args:
        layers: by name, the names being for messages.
        gradient: whether scores are to be differentiated with respect to what is kept.
    """
    heard = Activations(list(layers))

    def hook_of(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            tensor = first_tensor(output, f"layer {name!r}")
            if not gradient:
                heard._calls[name].append(tensor.detach().clone())
                return None
            kept = tensor if tensor.requires_grad else tensor.detach().clone().requires_grad_()
            heard._calls[name].append(kept)
            # Neither a leaf nor what is kept may be changed in place: what goes on through the model is a copy.
            return _replaced(output, tensor, kept.clone())

        return hook

    handles = [layer.register_forward_hook(hook_of(name)) for name, layer in layers.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _replaced(output: Any, old: Tensor, new: Tensor) -> Any:
    """The output with `new` wherever `old` stands in it, in tuples of tuples too: a cell may give (h, (h, c))."""
    if output is old:
        return new
    if not isinstance(output, tuple | list):
        return output
    items = [_replaced(item, old, new) for item in output]
    return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)


def gradients(scores: Sequence[Tensor], of: Sequence[Tensor]) -> list[list[Tensor | None]]:
    """The gradients of several scores with respect to several tensors, from one forward pass.

    Samples do not mix in eval mode, so the gradient of a score's sum over the batch holds every sample's own. All
    backward passes are one where every operator behind the tensors can be batched; an `autograd.Function` of one's
    own (as a library's operators may be) cannot, and they then follow each other.

    Args:
        scores: each ``[B]``.
        of: the tensors.

    Returns:
        For each score, for each tensor, one of its shape; none where the score does not depend on it in a
        differentiable way.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> [slope.tolist() for (slope,) in gradients([x.square(), 3 * x], [x])]
        [[2.0, 4.0], [3.0, 3.0]]
    """
    found: list[list[Tensor | None]] = [[None] * len(of) for _ in scores]
    there = [number for number, score in enumerate(scores) if score.requires_grad]
    sums = [scores[number].sum() for number in there]
    if len(sums) > 1 and not _has_own_function(sums):
        every = torch.stack(sums)
        one_each = torch.eye(len(sums), dtype=every.dtype, device=every.device)
        slopes = torch.autograd.grad(every, of, one_each, is_grads_batched=True, allow_unused=True)
        for row, number in enumerate(there):
            found[number] = [None if slope is None else slope[row] for slope in slopes]
        return found
    for row, number in enumerate(there):
        again = row < len(sums) - 1
        found[number] = list(torch.autograd.grad(sums[row], of, retain_graph=again, allow_unused=True))
    return found


def _has_own_function(outputs: Sequence[Tensor]) -> bool:
    waiting = [output.grad_fn for output in outputs]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if isinstance(node, BackwardCFunction):
            return True
        seen.add(node)
        waiting += [before for before, _ in node.next_functions]
    return False
