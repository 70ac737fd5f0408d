"""Capturing what layers return, and what enters them, in a forward pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.model.layer_names import check_captured, named_tensor
from stexplain.explainers.outputs.nested import mapped


class Activations:
    """The outputs of some layers in a captured forward pass."""

    def __init__(self, names: Sequence[str]):
        self._calls: dict[str, list[Tensor]] = {name: [] for name in names}

    def calls(self, name: str) -> list[Tensor]:
        """The outputs of a layer, call by call.

        Raises:
            InputError: where the layer did not run.
        """
        if not self._calls[name]:
            raise InputError(f"layer {name!r} did not run in the model's forward pass. Give one that does.")
        return self._calls[name]

    def last(self, name: str) -> Tensor:
        """The output of a layer's last call.

        Raises:
            InputError: where the layer did not run.
        """
        return self.calls(name)[-1]


@contextmanager
def capture_activations(layers: Mapping[str, nn.Module], *, gradient: bool) -> Iterator[Activations]:
    """Captures the outputs of layers; with `gradient` the graph begins at them.

    An output that depends on none captured before becomes a leaf, and the rest of the forward pass is differentiated
    with respect to it. One that does, of a later layer or call, stays in the graph: the gradient with respect to each
    is the total derivative, through all that comes after it.

    Where a layer returns a tuple or a dict, its first tensor is captured, or the one that the name says, as in
    ``"encoder[1]"``. An operation in place after the layer does not change what is captured.

    Args:
        layers: by name.
        gradient: whether scores are to be differentiated with respect to the activations.
    """
    activations = Activations(list(layers))

    def hook_of(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            path, tensor = named_tensor(output, name)
            if not gradient:
                activations._calls[name].append(tensor.detach().clone())
                return None
            # Parameters are frozen: only an output behind a captured one requires a gradient.
            captured = tensor if tensor.requires_grad else tensor.detach().clone().requires_grad_()
            activations._calls[name].append(captured)
            # A copy goes on through the model: neither a leaf nor a captured tensor may be changed in place.
            return mapped(output, lambda at, other: captured.clone() if other is tensor or at == path else other)

        return hook

    for name, layer in layers.items():
        check_captured(name, layer)
    # Forward hooks, not full backward hooks: those raise before an operation in place, such as an in-place ReLU.
    handles = [layer.register_forward_hook(hook_of(name)) for name, layer in layers.items()]
    try:
        yield activations
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def capture_inputs(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Captures the first argument of layers, call by call, without a gradient.

    Args:
        layers: by name.
    """
    inputs: dict[str, list[Tensor]] = {name: [] for name in layers}
    # Copies, as the layer or what follows may work in place. `name=name` binds the name of this layer, not the last.
    handles = [
        layer.register_forward_pre_hook(
            lambda _, arguments, name=name: inputs[name].append(arguments[0].detach().clone())
        )
        for name, layer in layers.items()
    ]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()
