"""How many samples a model is given at once, by the bytes that passes of the longest and the shortest one take."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import BaseTorchFunctionMode

from stexplain.errors import InputError
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.running.memory import LARGEST, at_once, budget_on, bytes_of_pass
from stexplain.explainers.model.running.state import undo_last_pass
from stexplain.explainers.target import Target

if TYPE_CHECKING:
    from stexplain.explainers.model.caller import ModelCaller


class PassBytes(NamedTuple):
    """What a pass takes: of the sample itself, and of each of its valid frames.

    A model that leaves padding out takes less for a short sample than for a long one; others take the same.
    """

    fixed: float
    per_frame: float

    def of(self, model_input: ModelInput) -> NDArray[np.float64]:
        """The bytes of the pass of each sample, ``[B]``."""
        bytes_of: NDArray[np.float64] = self.fixed + self.per_frame * frames_of(model_input)
        return bytes_of


def frames_of(model_input: ModelInput) -> NDArray[np.float64]:
    """The valid frames of each sample, of all its instances together, ``[B]``."""
    frames: NDArray[np.float64] = model_input.known_valid.sum((1, 2)).cpu().numpy().astype(np.float64)
    return frames


def input_bytes(model_input: ModelInput) -> float:
    """The bytes of one sample's signals."""
    return model_input.x.numel() * model_input.x.element_size() / model_input.sizes["b"]


def measured_bytes(
    model_input: ModelInput, rows_of: Callable[[slice], ModelInput], forward: Callable[[ModelInput], Any]
) -> PassBytes | None:
    """What passes take, measured.

    Args:
        model_input: the samples, two at least.
        rows_of: some of them.
        forward: runs the model on some.

    Returns:
        None where the model does not run on one of several samples.
    """
    frames = frames_of(model_input)
    found = []
    for sample in dict.fromkeys([int(frames.argmax()), int(frames.argmin())]):
        try:
            one = rows_of(slice(sample, sample + 1))
            taken = bytes_of_pass(lambda one=one: forward(one))  # type: ignore[misc]  # mypy knows no lambda's default
            if taken is None:
                # Not to be measured: it is run once more, to tell whether it runs at all.
                forward(one)
                taken = int(LARGEST * input_bytes(model_input))
        except InputError:
            return None
        found.append((frames[sample], float(taken)))
    (most, largest), (least, smallest) = found[0], found[-1]
    per_frame = max(largest - smallest, 0.0) / (most - least) if most > least else 0.0
    return PassBytes(largest - per_frame * most, per_frame)


def samples_at_once(
    caller: "ModelCaller", model_input: ModelInput, targets: Sequence[Target] = (), *, watched: bool = False
) -> int:
    """How many samples go through the model at a time: the caller's `chunk`, or all, or as many as fit into memory.

    Nothing is measured where `chunk` is given or the samples are small. Samples stay together where they influence each
    other in the model, and where a target cannot be scored of some of them.

    Args:
        caller: of the model, which is frozen.
        model_input: the samples.
        targets: that are scored.
        watched: whether all operations are recorded meanwhile: some models then compute padding that they leave out
            otherwise.
    """
    samples = model_input.sizes["b"]
    if caller.chunk is not None or caller.model is None or samples == 1:
        return min(caller.chunk or samples, samples)
    size, budget = input_bytes(model_input), budget_on(model_input.x.device)
    if samples * size * (LARGEST * caller._copies_at_once + caller._held_copies) <= budget:
        return samples
    # On a part of the model a pass takes less, see `locality`.
    sizes, *rest = caller._kind_of(replace(model_input, sizes={**model_input.sizes, "t": 0}))
    kind, frames = (sizes, *rest, watched, caller._locality is None), model_input.sizes["t"]
    known = _known_at(caller._bytes_by_kind, kind, frames)
    if not known:
        rows_of = partial(caller._rows, model_input)

        def forward(some: ModelInput) -> Any:
            with BaseTorchFunctionMode() if watched else nullcontext():
                return caller._forward(some)

        known = [measured_bytes(model_input, rows_of, forward)]
        caller._bytes_by_kind[kind, frames] = known[0]
        undo_last_pass(caller.model)
    (taken,) = known
    if taken is None:
        return samples
    each = caller._copies_at_once * taken.of(model_input) + caller._held_copies * size
    step = at_once(each, budget)
    return step if step == samples or may_be_cut(caller, model_input, step, targets) else samples


def _known_at(found: "dict[tuple[Any, int], PassBytes | None]", kind: Any, frames: int) -> "list[PassBytes | None]":
    """What passes of so many frames take at most, where it was measured of another length; else nothing.

    A pass of more frames takes more. One of up to twice as many takes at most four times as much, as attention does.
    """
    if (kind, frames) in found:
        return [found[kind, frames]]
    near = {
        length: taken
        for (other, length), taken in found.items()
        if other == kind and taken is not None and length / 4 <= frames <= length * 2
    }
    if not near:
        return []
    length = min(near, key=lambda one: (one < frames, abs(one - frames)))
    more = max(frames / length, 1) ** 2
    return [PassBytes(near[length].fixed * more, near[length].per_frame * more)]


def may_be_cut(caller: "ModelCaller", model_input: ModelInput, step: int, targets: Sequence[Target]) -> bool:
    """Whether chunks of so many samples give what all together give."""
    samples = model_input.sizes["b"]
    rows = slice(0, min(max(step, 2), samples))
    try:
        few = caller._rows(model_input, rows)
        axes = caller._output_axes(few)
        if axes.mixed:
            return False
        # A function of the output may know how many samples there are, such as one that picks each its own class.
        known: dict[str, Any] = {"rows": rows, "samples": samples, "node_count": model_input.sizes["n"]}
        with torch.no_grad():
            output = caller._forward(few) if targets else None
            for one in targets:
                caller._score_fn(one, axes, **known)(output)
    # Whatever a function of the caller's raises: all samples together then say what is wrong.
    except Exception:
        return False
    return True
