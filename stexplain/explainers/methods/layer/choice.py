"""Which layer is explained where none is named: the last one through which all that is explained goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.layer_names import find_layer, named_tensor, split_name
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.rows import LayerAxes
from stexplain.explainers.outputs.nested import chosen, mapped, tensors_in


class NoLayerError(InputError):
    """A model has no layer that could be explained without naming it."""


@dataclass(frozen=True)
class Flow:
    """How the model's output depends on a layer.

    Attributes:
        through: it depends on the layer, in a differentiable way, and is not the layer's own output.
        around: with the layer held fixed, it still depends on the input.
    """

    through: bool
    around: bool


def keeps_all(measured: LayerAxes, sizes: dict[str, int]) -> bool:
    """Whether a layer keeps samples, nodes and frames, at known places in time.

    Args:
        measured: the layer.
        sizes: of the input's axes: one node, or one frame, is kept by any layer.
    """
    return measured.known and (measured.nodes or sizes["n"] == 1) and (measured.frames or sizes["t"] == 1)


def default_layer(
    measured: Sequence[LayerAxes],
    sizes: dict[str, int],
    flow: Callable[[str], Flow] = lambda _: Flow(through=True, around=False),
) -> tuple[LayerAxes, tuple[str, ...]]:
    """The last layer that keeps samples, nodes and frames, and through which all of the output goes.

    Where no layer is passed by all, the last one that the output depends on is taken, and a note says what its map
    leaves out.

    Args:
        measured: all layers, in the order in which they finish.
        sizes: of the input's axes.
        flow: how the output depends on a layer, by its name; the last one comes first.

    Returns:
        The layer, and what there is to know.

    Raises:
        NoLayerError: where there is none.
    """
    partial: LayerAxes | None = None
    for one in reversed(measured):
        # Further tensors of a tuple are mostly states that the next call takes.
        if not keeps_all(one, sizes) or split_name(one.name)[1]:
            continue
        found = flow(one.name)
        if found.through and not found.around:
            return one, ()
        partial = partial or (one if found.through else None)
    if partial is None:
        raise NoLayerError(
            "no layer of the model was found that keeps samples, nodes and frames. Give `layer`, with `layout`, "
            "`stride` and `offset` where they cannot be measured (stexplain.layers(model, x) shows why), or explain "
            "the input: InputGradient, IntegratedGradients, Occlusion."
        )
    return partial, (
        f"Part of the output goes around layer {partial.name!r}: its map explains the rest alone. Name another "
        "`layer`, or explain the input.",
    )


def flow_of(caller: ModelCaller, model_input: ModelInput, name: str) -> Flow:
    """How the model's output depends on a layer: one forward and one backward pass.

    Args:
        caller: of the model.
        model_input: some samples.
        name: of the layer.
    """
    assert caller.model is not None
    leaf = model_input.x.detach().clone().requires_grad_()
    held: list[Tensor] = []

    def hold(_: nn.Module, __: Any, output: Any) -> Any:
        path, _tensor = named_tensor(output, name)

        def fixed(at: Any, tensor: Tensor) -> Tensor:
            constant = tensor.detach().clone()
            if at != path:
                return constant
            held.append(constant.requires_grad_())
            # A copy goes on: the leaf may not be changed in place.
            return held[-1].clone()

        return mapped(output, fixed)

    _, layer = find_layer(caller.model, name)
    handle = layer.register_forward_hook(hold)
    try:
        output = caller._forward(model_input, leaf)
    finally:
        handle.remove()
    explained = _explained(output, caller.output)
    if held and any(_same_values(one.detach(), held[-1].detach()) for one in explained):
        # A map of the output itself would say what it is, not why.
        return Flow(through=False, around=False)
    # Weights of their own generator, as a plain sum can cancel: that of a softmax has no gradient.
    generator = torch.Generator().manual_seed(0)
    summands = [
        (one * torch.randn(one.shape, generator=generator, dtype=torch.float32, device="cpu").to(one)).sum().float()
        for one in explained
        if one.requires_grad
    ]
    if not summands:
        return Flow(through=False, around=False)
    gradients = torch.autograd.grad(torch.stack(summands).sum(), [*held, leaf], allow_unused=True)
    around = gradients[-1] is not None and bool(gradients[-1].any())
    return Flow(any(one is not None for one in gradients[:-1]), around)


def _explained(output: Any, which: "str | int | None") -> list[Tensor]:
    """The tensor of an output that targets read; where that cannot be determined, all of them."""
    try:
        return [chosen(output, which)[1]]
    except InputError:
        # Several, of which a function target makes its own choice.
        return [tensor for tensor in tensors_in(output).values() if tensor.is_floating_point()]


def _same_values(one: Tensor, other: Tensor) -> bool:
    """Whether tensors hold the same values, in whatever order of their axes."""
    if one.numel() != other.numel() or one.dtype != other.dtype:
        return False
    return torch.equal(one.flatten().sort().values, other.flatten().sort().values)
