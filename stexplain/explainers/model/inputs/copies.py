"""Whether a model may be given several copies, or some rows, of a batch at a time, by trying.

A model's own arguments may belong to the batch as a whole, its batch size may be fixed, and its samples may influence
each other. A method that makes copies then gets numbers that are wrong, without an error. So a model is run on a batch,
on another one of the same shape, and on both at once: where the two at once do not give what each gives alone, its
arguments are repeated by the rules of `whole_batch`, and where none gives it, copies run one at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.model.arguments.values import tensors_in
from stexplain.explainers.model.arguments.whole_batch import Way, roles
from stexplain.explainers.model.inputs.lengths import known_at
from stexplain.explainers.model.model_input import ModelInput

Forward = Callable[[ModelInput], Any]
"""From samples to the model's output."""
Ways = dict[tuple[Any, int], Way | None]
"""What was found, by kind of input and its number of frames."""
# Largest difference between two outputs that are the same but for rounding, relative to the largest entry. Kernels for
# other batch sizes add in another order: about 1e-6 in float32.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def copies_of(
    forward: Forward | None, ways: Ways, model_input: ModelInput, layout: Layout, x: Tensor
) -> list[ModelInput]:
    """Copies of samples with other signals: all at once, or one by one where the model allows no more.

    Args:
        forward: of the model; none where there is none, which then allows anything.
        ways: what was found before; what is found now is added.
        model_input: the samples, B.
        layout: of the model's input.
        x: the signals of the copies, ``[K * B, M, T, N, C]``, copy by copy.
    """
    samples = model_input.sizes["b"]
    count = len(x) // samples
    key, frames = ("copies", kind_of(model_input, layout)), model_input.sizes["t"]
    known = known_at(ways, key, frames)
    if count > 1 and forward is not None and not known:
        known = [way_of_copies(forward, model_input, layout, x)]
        ways[key, frames] = known[0]
    way = known[0] if known else model_input.way
    if way is None:
        return [model_input.repeated(layout.from_batch(one), 1) for one in torch.split(x, samples)]
    return [replace(model_input, way=way).repeated(layout.from_batch(x), count)]


def rows_of(forward: Forward | None, ways: Ways, model_input: ModelInput, layout: Layout, rows: slice) -> ModelInput:
    """Some of the samples, with the arguments that belong to the batch as a whole cut.

    Args:
        forward: see `copies_of`.
        ways: see `copies_of`.
        model_input: the samples.
        layout: of the model's input.
        rows: which, with start and stop.

    Raises:
        InputError: where those arguments cannot be cut.
    """
    samples, length = model_input.sizes["b"], rows.stop - rows.start
    if length == samples:
        return model_input
    key, frames = ("rows", kind_of(model_input, layout), length), model_input.sizes["t"]
    known = known_at(ways, key, frames)
    if forward is not None and not known:
        # The last samples: the first may be right by chance, as their nodes keep their numbers.
        known = [way_of_rows(forward, model_input, layout, slice(samples - length, samples))]
        ways[key, frames] = known[0]
    way = known[0] if known else model_input.way
    if way is None:
        raise InputError(
            f"{', '.join(map(repr, model_input.shared))}: what is given by shared= belongs to the batch as a whole "
            f"and cannot be cut to {length} of its {samples} samples. Leave out `chunk`, or give fewer samples."
        )
    return replace(model_input, way=way).rows(rows, layout)


def kind_of(model_input: ModelInput, layout: Layout) -> Any:
    """What the way of repeating depends on: layout, sizes, types and names, and what arguments are to the batch."""
    arguments = {**model_input.shared, **model_input.per_sample}
    # Where there are arguments, they may be as long as the input: then each length is a kind of its own.
    fixed = "bmnc" if not arguments else "bmtnc"
    return (
        layout.pattern,
        tuple(model_input.sizes[axis] for axis in fixed),
        model_input.x.dtype,
        model_input.valid is None,
        model_input.observed is None,
        tuple((name, *(tuple(each.shape) for each in tensors_in(value))) for name, value in arguments.items()),
        # By value too: edges of a batch's first sample, and of all, may be as many.
        *(tuple(roles(model_input.shared, model_input.sizes, way)) for way in Way),
    )


def way_of_copies(forward: Forward, model_input: ModelInput, layout: Layout, copies: Tensor) -> Way | None:
    """How shared arguments follow copies of a batch; none where only one copy at a time gives the right output.

    It costs up to eight inferences of every sample, four where arguments are repeated as they are.

    Args:
        forward: of the model.
        model_input: the samples.
        layout: of the model's input.
        copies: the signals of those that are to be made, ``[K * B, M, T, N, C]``.
    """
    if "b" not in layout.letters:
        return None
    x = layout.to_batch(model_input.x, **model_input.sizes)
    with _aside(x.device):
        first, other = forward(model_input), _other_signals(x, copies, model_input.observed_positions)
        try:
            second = forward(replace(model_input, x=layout.from_batch(other)))
        except InputError:
            # The same values elsewhere may be more than the model takes: then two copies of the batch itself.
            second, other = first, x
        both = layout.from_batch(torch.cat([x, other]))
        samples = model_input.sizes["b"]
        for way in _ways(model_input, layout):
            try:
                output = forward(replace(model_input, way=way).repeated(both, 2))
            except Exception:
                # Sizes that do not fit, an index out of range: whatever it is, not this way.
                continue
            if _is_part(output, first, slice(0, samples), 2 * samples) and _is_part(
                output, second, slice(samples, 2 * samples), 2 * samples
            ):
                return way
    return None


def way_of_rows(forward: Forward, model_input: ModelInput, layout: Layout, rows: slice) -> Way | None:
    """How shared arguments follow some of the samples; none where they cannot be cut.

    It costs one inference of every sample, and up to three of those in `rows`; none where no argument looks as if it
    belonged to the batch as a whole.

    Args:
        forward: of the model.
        model_input: the samples.
        layout: of the model's input.
        rows: some of the samples.
    """
    follow = any(each.kind != "fixed" for way in Way for each in roles(model_input.shared, model_input.sizes, way))
    if not follow:
        return model_input.way
    with _aside(model_input.x.device):
        whole = forward(model_input)
        for way in _ways(model_input, layout):
            try:
                output = forward(replace(model_input, way=way).rows(rows, layout))
            except Exception:
                # As above: a way that does not run is not this model's.
                continue
            if _is_part(whole, output, rows, model_input.sizes["b"]):
                return way
    return None


def _ways(model_input: ModelInput, layout: Layout) -> list[Way]:
    """The ways to try, the likeliest first; only those that differ."""
    folded = any({"b", "n"} <= set(group.split(")")[0].split()) for group in layout.pattern.split("(")[1:])
    by_rule = [Way.ONE_GRAPH, Way.ENTRIES] if folded else [Way.ENTRIES, Way.ONE_GRAPH]
    tried: list[Way] = []
    known: list[Any] = []
    for way in dict.fromkeys([model_input.way, Way.AS_THEY_ARE, *by_rule]):
        of_way = roles(model_input.shared, model_input.sizes, way)
        # Numbers follow by name, in any way but as they are.
        key = (of_way, way is Way.AS_THEY_ARE or not model_input.shared)
        if key not in known:
            known.append(key)
            tried.append(way)
    return tried


def _other_signals(x: Tensor, copies: Tensor, present: Tensor) -> Tensor:
    """Other signals ``[B, M, T, N, C]``, made of the values that each channel has.

    Two copies of the same signals would not show that one copy's nodes get their messages from the other's. Channels
    that no copy changes stay: they may be indices, of which only those at their place are known to be right. So does
    what is no observation.
    """
    other = x.roll((1, max(x.shape[2] // 2, 1)), (0, 2))
    other = x.roll(1, 3) if torch.equal(other, x) else other
    changed = (copies.view(-1, *x.shape) != x).flatten(0, -2).any(0)
    return torch.where(changed & present[..., None], other, x)


def _is_part(whole: Any, part: Any, rows: slice, samples: int) -> bool:
    """Whether an output for some samples is what the output for all of them has for these, but for rounding.

    Args:
        whole: for all samples.
        part: for those in `rows`.
        rows: some of the samples.
        samples: how many there are.
    """
    wholes, parts = tensors_in(whole), tensors_in(part)
    # Without a tensor, nothing is known.
    if not parts or len(wholes) != len(parts):
        return False
    return all(_tensor_is_part(*pair, rows, samples) for pair in zip(wholes, parts, strict=True))


def _tensor_is_part(whole: Tensor, part: Tensor, rows: slice, samples: int) -> bool:
    """The same for a tensor, whichever of its axes follows the samples, also folded with others."""
    if whole.shape == part.shape:
        # It follows no sample, such as an adjacency that is returned too.
        return _equal(whole, part)
    if whole.ndim != part.ndim:
        return False
    differing = [axis for axis in range(whole.ndim) if whole.shape[axis] != part.shape[axis]]
    if len(differing) != 1:
        return False
    (axis,) = differing
    per_sample, rest = divmod(whole.shape[axis], samples)
    if rest or part.shape[axis] != per_sample * (rows.stop - rows.start):
        return False
    # The axis is [outer, samples, inner]: samples alone or first where outer is one.
    for outer in range(1, per_sample + 1):
        if per_sample % outer == 0:
            shape = (*whole.shape[:axis], outer, samples, per_sample // outer, *whole.shape[axis + 1 :])
            unfolded = whole.reshape(shape)
            if _equal(unfolded.narrow(axis + 1, rows.start, rows.stop - rows.start).flatten(axis, axis + 2), part):
                return True
    return False


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.dtype not in _TOLERANCE:
        return torch.equal(one, other) if not one.is_floating_point() else torch.allclose(one, other, 0.02, 0.02)
    scale = float(one.detach().nan_to_num(posinf=0, neginf=0).abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=_TOLERANCE[one.dtype] * scale + 1e-30, equal_nan=True)


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Without gradients, and with the state of the random generators as before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
        yield
