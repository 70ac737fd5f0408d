"""Which channels of the input are signals, and which are indices: a time of day, a day of the week, a node's number.

An index selects an entry of a table. Half of an index is another index, not half of what it stands for, so nothing that
perturbs signals or scales them to a baseline may touch it. Channels are named by the option `signals`; where it is not
given, two measurements tell an index, which together cost a forward and a backward pass, and for each channel that the
second suspects one more of both:

- The model turns the channel into whole numbers by itself, with no other operation on the way than arithmetic and
  reshaping: ``(x[..., 1] * 288).long()``.
- The gradient of the output with respect to the channel is exactly zero at every observation, while the output changes
  when the channel's values are exchanged among the observations. No value is made up: a table has no entry for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stexplain.errors import InputError, StexplainError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inputs.lengths import known_at
from stexplain.explainers.model.model_input import ModelInput, channel_index
from stexplain.explainers.outputs.nested import tensors_in

# Functions that make whole numbers of real ones. Not those that compare values with each other, such as argmax.
_ROUNDING = {"long", "int", "short", "to", "type", "type_as", "bucketize", "searchsorted"}
# Backward nodes of arithmetic with constants and of reshaping, which keep one entry of x behind one of theirs.
_ELEMENTWISE = re.compile(
    "(Accumulate|Add|Sub|Rsub|Mul|Div|Neg|Clamp|ClampMin|ClampMax|Floor|Round|Trunc|Ceil|Remainder|Fmod|Select|Slice|"
    "Index|IndexSelect|Unbind|Split|Chunk|Squeeze|Unsqueeze|View|UnsafeView|ReshapeAlias|Reshape|Permute|Transpose|T|"
    "Expand|Repeat|Clone|Copy|CopySlices|ToCopy|Alias|Detach|Cat|Stack|Unfold|AsStrided)"
    r"(Grad|Backward\w*|Backwards|)"
)


def signal_mask(caller: ModelCaller, model_input: ModelInput, *, find: bool = True) -> Tensor | None:
    """Which channels are signals, ``[C]``, bool; none: all are.

    Args:
        caller: of the model; its `signals` go before what is measured. What is found is noted in the result.
        model_input: the samples.
        find: whether to measure where `signals` are not given: once per caller and kind of input, and not where there
            is one channel.

    Raises:
        InputError: where `signals` names a channel that does not exist.
    """
    channels = model_input.sizes["c"]
    if caller.signals is not None:
        signals = [channel_index(which, model_input) for which in caller.signals]
        if not signals:
            raise InputError("signals: got none; expected at least one channel, or leave it out for all.")
        indices = set(range(channels)) - set(signals)
    elif find and channels > 1 and caller.model is not None:
        indices = set(_found(caller, model_input))
        if indices:
            caller._note(_sentence(sorted(indices), model_input.channel_names))
    else:
        indices = set()
    in_turn = None if caller._streams is None else caller._streams.mask()
    if not indices and in_turn is None:
        return None
    mask = torch.ones(channels, dtype=torch.bool, device=model_input.x.device)
    mask[sorted(indices)] = False
    return mask if in_turn is None else mask & in_turn.to(mask.device)


def _sentence(indices: Sequence[int], names: Sequence[str]) -> str:
    listed = [f"{index} ({names[index]})" if names else str(index) for index in indices]
    if len(listed) == 1:
        return (
            f"Channel {listed[0]} of the input is an index that the model looks up: it is not perturbed, and its map "
            "is zero. Give `signals` where that is not so."
        )
    return (
        f"Channels {', '.join(listed)} of the input are indices that the model looks up: they are not perturbed, and "
        "their maps are zero. Give `signals` where that is not so."
    )


def _found(caller: ModelCaller, model_input: ModelInput) -> tuple[int, ...]:
    """Channels that are indices, as measured once per kind of input, at two lengths at most."""
    sizes, frames = tuple(model_input.sizes[axis] for axis in "mnc"), model_input.sizes["t"]
    kind = (sizes, model_input.x.dtype, *sorted(model_input.shared), *sorted(model_input.per_sample))
    if known := known_at(caller._index_channels, kind, frames):
        return known[0]
    with torch.inference_mode(False), torch.enable_grad():
        found = caller._index_channels[kind, frames] = _measured(caller, model_input)
    return found


def _measured(caller: ModelCaller, model_input: ModelInput) -> tuple[int, ...]:
    # All at once may be more than memory holds.
    model_input = caller._rows(model_input, slice(0, caller._at_once(model_input, watched=True)))
    x = caller.inputs.to_batch(model_input.x.detach(), **model_input.sizes).clone()
    present = model_input.observed_positions

    def run(x: Tensor) -> "tuple[list[Tensor], Tensor, Tensor]":
        """The floating outputs, the channels with a gradient, and those turned into whole numbers."""
        leaf = x.clone().requires_grad_()
        with _Rounded() as rounded:
            outputs = _floating(caller._forward(model_input, caller.inputs.from_batch(leaf.clone())))
        # A weighted sum, as a plain one can cancel: the gradient of a softmax's sum is zero. Weights of their own
        # generator: the global one stays as it is.
        generator = torch.Generator().manual_seed(0)
        summands = [
            (
                output * torch.randn(output.shape, generator=generator, dtype=torch.float32, device="cpu").to(output)
            ).sum()
            for output in outputs
            if output.requires_grad
        ]
        scores = [torch.stack(summands).sum()] if summands else []
        return outputs, _touched(scores, leaf, present), _touched(rounded.arguments, leaf, present)

    try:
        outputs, smooth, indices = run(x)
        # Where no channel has a gradient the model has none, and that tells nothing of channels.
        for channel in (~smooth & ~indices).nonzero()[:, 0].tolist() if bool(smooth.any()) else []:
            exchanged = _exchanged(x, channel, present)
            others, still_smooth, _ = run(exchanged)
            # Flat at both: what is behind a unit that is at rest for these samples alone is not yet an index.
            if not still_smooth[channel] and _differ(outputs, others):
                indices[channel] = True
    # A model may fail where gradients are on, such as one that goes through numpy; if it fails without too, the call
    # itself says why.
    except (StexplainError, RuntimeError):
        caller._note(
            "Channels that are indices could not be looked for, as the model does not run with gradients: all channels "
            "are perturbed. Where some are indices, name the others: signals=[...]."
        )
        return ()
    # Where every channel is one, there is no signal beside them to explain.
    return () if bool(indices.all()) else tuple(indices.nonzero()[:, 0].tolist())


class _Rounded(TorchFunctionMode):
    """Keeps the arguments that are turned into whole numbers straight from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in _ROUNDING and isinstance(result, Tensor):
            whole = not result.is_floating_point() and result.dtype != torch.bool
            sources = [each for each in args if isinstance(each, Tensor) and each.requires_grad] if whole else []
            self.arguments += [source for source in sources if _elementwise(source)]
        return result


def _elementwise(tensor: Tensor) -> bool:
    """Whether every entry of the tensor is made of single entries of the leaves behind it."""
    waiting, visited = [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        # Names of nodes in C++ have their namespace before them.
        if not _ELEMENTWISE.fullmatch(node.name().rsplit("::")[-1]):
            return False
        visited.add(node)
        waiting += [before for before, _ in node.next_functions]
    return True


def _touched(tensors: Sequence[Tensor], leaf: Tensor, present: Tensor) -> Tensor:
    """The channels of observations on which any of the tensors depends in a differentiable way, ``[C]``, bool."""
    touched = torch.zeros(leaf.shape[-1], dtype=torch.bool, device=leaf.device)
    for tensor in tensors:
        (gradient,) = torch.autograd.grad(tensor.sum(), leaf, retain_graph=True, allow_unused=True)
        if gradient is not None:
            touched |= ((gradient != 0) & present[..., None]).flatten(0, -2).any(0)
    return touched.cpu()


def _exchanged(x: Tensor, channel: int, present: Tensor) -> Tensor:
    """The samples with a channel's values exchanged among the observations."""
    exchanged = x.clone()
    values = x[..., channel][present]
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(0), device="cpu").to(x.device)
    exchanged[..., channel][present] = values[order]
    return exchanged


def _differ(outputs: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(outputs, others, strict=True))


def _floating(output: Any) -> list[Tensor]:
    """The floating tensors in what a model returned, however nested."""
    return [tensor for tensor in tensors_in(output).values() if tensor.is_floating_point()]
