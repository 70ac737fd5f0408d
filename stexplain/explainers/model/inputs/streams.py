"""Several tensors of signals that a model takes beside each other, such as joints and bones, explained together.

They agree in samples, instances, frames and nodes, and differ in channels. Inside of the package they are one tensor
``[B, M, T, N, C1 + C2 + ...]``, so that every method works on them as on any other; on its way into the model it is
taken apart again, and each stream laid out as the model takes it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.axes import NAMES, Layout
from stexplain.errors import InputError
from stexplain.explainers.model.arguments.signature import call_arguments, check_names, forward_signature
from stexplain.explainers.model.model_input import as_tensor

_FREE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Streams:
    """The streams of a call.

    Attributes:
        layouts: of each, by name, in the order of their channels.
        counts: how many channels each has.
        only: the one that is perturbed while the others are left as they are; none: all.

    Example:
        >>> streams = Streams({"joint": Layout("b t n c"), "bone": Layout("b c t n")}, {"joint": 3, "bone": 2})
        >>> streams.channels("bone")
        slice(3, 5, None)
        >>> streams.split(torch.zeros(1, 1, 4, 6, 5))["bone"].shape
        torch.Size([1, 2, 4, 6])
    """

    layouts: Mapping[str, Layout]
    counts: Mapping[str, int]
    only: str | None = None

    def channels(self, name: str) -> slice:
        """Which channels of all a stream has."""
        names = list(self.counts)
        start = sum(self.counts[each] for each in names[: names.index(name)])
        return slice(start, start + self.counts[name])

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """Each stream of ``[B, M, T, N, C]``, in its own layout."""
        return {
            name: layout.from_batch(x[..., self.channels(name)]).contiguous() for name, layout in self.layouts.items()
        }

    def check_names(self, model: nn.Module, argument: str | None, given: Collection[str]) -> None:
        """Refuses what forward has no parameter for; the dict of streams may hold further arguments too."""
        if _are_parameters(model, argument, self.counts, given):
            first, *others = self.counts
            check_names(model, first, [*given, *others])

    def mask(self) -> Tensor | None:
        """Which channels may be perturbed, ``[C]``, bool; none: all."""
        if self.only is None:
            return None
        mask = torch.zeros(sum(self.counts.values()), dtype=torch.bool, device="cpu")
        mask[self.channels(self.only)] = True
        return mask

    def call(
        self, model: nn.Module, argument: str | None, x: Tensor, further: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a call of forward is given; see `call_arguments`.

        Streams that are parameters of forward go in by their names; else the dict of them goes in as one argument,
        together with further arguments that forward has no parameter for.
        """
        parts = self.split(x)
        if _are_parameters(model, argument, parts, further):
            first, *others = parts
            return call_arguments(model, first, parts[first], {**further, **{name: parts[name] for name in others}})
        parameters = forward_signature(model).parameters
        inside = {name: value for name, value in further.items() if name not in parameters}
        beside = {name: value for name, value in further.items() if name in parameters}
        return call_arguments(model, argument, {**parts, **inside}, beside)


def packed(
    x: Mapping[str, Any],
    inputs: str | Mapping[str, str],
    known: Mapping[str, int],
    device: torch.device,
    dtype: torch.dtype,
    only: str | None = None,
) -> tuple[Streams, Tensor]:
    """Streams as one tensor ``[B, M, T, N, C1 + C2 + ...]``.

    Args:
        x: a tensor or array for each name.
        inputs: the layout of all, or of each by name.
        known: sizes of axes that layouts leave open, as of folded ones.
        device: of the model.
        dtype: of the model.
        only: see `Streams`.

    Raises:
        InputError: where a stream has no layout, or they differ in more than their channels.

    Example:
        >>> x = {"joint": torch.zeros(2, 4, 5, 3), "bone": torch.zeros(2, 4, 5, 1)}
        >>> streams, tensor = packed(x, "b t n c", {}, torch.device("cpu"), torch.float32)
        >>> tensor.shape
        torch.Size([2, 1, 4, 5, 4])
    """
    if not x:
        raise InputError("x: got an empty dict; expected at least one stream.")
    if not isinstance(inputs, str) and (missing := [name for name in x if name not in inputs]):
        raise InputError(f"inputs: got the layouts of {list(inputs)}; expected one for {missing[0]!r} too.")
    layouts, parts = {}, {}
    for name, tensor in x.items():
        layouts[name] = Layout(inputs if isinstance(inputs, str) else inputs[name])
        try:
            parts[name] = layouts[name].to_batch(as_tensor(tensor), **known).to(device, dtype)
        except InputError as error:
            raise InputError(f"stream {name!r} of x: {error}") from error
    (first, expected), *others = parts.items()
    for name, part in others:
        for letter, got, other in zip("bmtn", part.shape, expected.shape, strict=False):
            if got != other:
                raise InputError(
                    f"stream {name!r} of x has {got} {NAMES[letter]} and {first!r} {other}; expected streams that "
                    "differ in their channels alone. What is no stream is given by shared= or per_sample=."
                )
    streams = Streams(layouts, {name: part.shape[-1] for name, part in parts.items()}, only)
    return streams, torch.cat(list(parts.values()), -1)


def _are_parameters(model: nn.Module, argument: str | None, names: Collection[str], further: Collection[str]) -> bool:
    """Whether streams go in by name: as parameters of forward, or by **kwargs where nothing else is left to fill."""
    if argument is not None:
        return False
    parameters = forward_signature(model).parameters
    named = [name for name, each in parameters.items() if each.kind not in _FREE]
    if all(name in named for name in names):
        return True
    if any(name in named for name in names):
        other = next(name for name in names if name not in named)
        raise InputError(
            f"x: {type(model).__name__}.forward has no parameter for the stream {other!r}; its parameters are "
            f"{', '.join(map(repr, named))}. Name every stream by one, or name the one that takes the dict: argument=."
        )
    left = [name for name in named if parameters[name].default is Parameter.empty and name not in further]
    return not left and any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
