"""What the modules of a model return in a forward pass, call by call."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stexplain.errors import unknown
from stexplain.explainers.model.layer_names import (
    check_captured,
    floating_tensors,
    gives_packed_sequence,
    name_of,
    split_name,
)
from stexplain.explainers.outputs.nested import Path

MEMORY = 2**30
"""So many bytes of outputs are kept at a time; the modules beyond go through further passes."""


@dataclass
class ModuleOutputs:
    """The outputs of modules in one forward pass.

    Attributes:
        calls: by name, such as ``"encoder[1]"``, the tensors of all calls, in the order in which modules finish.
        types: the type of the module, by name.
        paths: the keys that lead to the tensor, by name.
        left_out: modules whose outputs no memory was left for.
        packed: modules that return packed sequences, which have no axes to be measured.
    """

    calls: dict[str, list[Tensor]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)

    def last(self, name: str) -> Tensor:
        """The output of the last call."""
        return self.calls[name][-1]

    def stacked(self, name: str) -> Tensor:
        """The outputs of all calls, along a further last axis."""
        return torch.stack(self.calls[name], -1)

    def may_be_frames(self, name: str) -> bool:
        """Whether calls may be frames: there are several, of one shape."""
        return len(self.calls[name]) > 1 and len({call.shape for call in self.calls[name]}) == 1


@contextmanager
def module_outputs(model: nn.Module, names: Sequence[str] | None, memory: int = MEMORY) -> Iterator[ModuleOutputs]:
    """Gathers the outputs of modules.

    Args:
        model: that runs.
        names: of the modules, without keys in brackets; none: all but the model itself.
        memory: in bytes; more than that is kept of the first module alone.
    """
    found = ModuleOutputs()
    kept = 0
    modules = dict(model.named_modules(remove_duplicate=False))
    # What was copied last, with its version: a container returns what its last child returned.
    before: list[tuple[Tensor, int, Tensor]] = []

    def gather(name: str, module: nn.Module, output: object) -> None:
        nonlocal kept
        if kept > memory and not any(split_name(key)[0] == name for key in found.calls):
            found.left_out += [name] * (name not in found.left_out)
            return
        copies = []
        packed = gives_packed_sequence(output)
        found.packed += [name] * packed
        for place, (path, tensor) in enumerate(floating_tensors(output).items()):
            # The first tensor goes by the name of the module alone.
            key = name_of(name, path) if place or packed else name
            same = [one for of, version, one in before if of is tensor and version == tensor._version]
            copy = same[0] if same else tensor.detach().clone()
            kept += 0 if same else copy.nbytes
            copies.append((tensor, tensor._version, copy))
            found.calls.setdefault(key, []).append(copy)
            found.types[key] = type(module).__name__
            found.paths[key] = path
        before[:] = copies

    def hook_of(name: str) -> object:
        def hook(module: nn.Module, _: object, output: object) -> None:
            # Not for a mode that counts the model's operations to see.
            with torch._C.DisableTorchFunction():
                gather(name, module, output)

        return hook

    # Scripted modules take no hooks: those named are refused, the others are no rows.
    plain = [name for name, module in modules.items() if name and not isinstance(module, torch.jit.ScriptModule)]
    requested = plain if names is None else names
    for name in requested:
        check_captured(name, modules[name])
    handles = [modules[name].register_forward_hook(hook_of(name)) for name in requested]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def named_outputs(outputs: ModuleOutputs, layers: Sequence[str]) -> list[str]:
    """The names of the tensors that layers mean, in the order in which they finish.

    Args:
        outputs: of the modules.
        layers: names, with keys in brackets or without.

    Raises:
        InputError: where a module returned no such tensor.
    """
    found = set()
    for layer in layers:
        module, keys = split_name(layer)
        own = [name for name in outputs.calls if split_name(name)[0] == module]
        # The first one below the keys: encoder[1] of (y, (h, c)) means h.
        meant = [name for name in own if outputs.paths[name][: len(keys)] == keys]
        if own and not meant:
            raise unknown("layer", layer, own)
        found |= set(meant[:1])
    return [name for name in outputs.calls if name in found]
