"""What is ranked: nodes, frames, or cells of node x frame, and how a ranking goes back to cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.data.samples import check_finite
from stexplain.errors import InputError, unknown
from stexplain.explainers.draws import own_generator

OVER = ("nodes", "frames", "positions")
"""Over what importance is taken: which nodes, which frames, or which nodes at which frames."""
RANKINGS = ("signed", "magnitude")
"""What counts as important: what speaks for the target, or what matters either way."""


def readings(name: str, values: Any, valid: Any = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Importance, and which of its cells are there; what is not there is set to zero.

    Args:
        name: of the argument, for messages.
        values: ``[B, M, T, N]``, or of one sample ``[M, T, N]``; array, tensor, or `Explanation`.
        valid: ``[B, M, T]``, or ``[B, M, T, N]`` where single readings are missing; without B for one sample. Default:
            those of the explanation, else all.

    Returns:
        Both ``[B, M, T, N]``.

    Raises:
        InputError: where shapes do not fit, or a value that is there is NaN or infinite.
    """
    if hasattr(values, "values") and hasattr(values, "valid"):
        values, valid = values.values, values.valid if valid is None else valid
    value = array(values).astype(np.float64)
    ok = None if valid is None else array(valid).astype(np.bool_)
    if value.ndim == 3:
        value, ok = value[None], None if ok is None else ok[None]
    sizes = check_shape(name, value.shape, "b m t n")
    if ok is None:
        ok = np.ones(value.shape, np.bool_)
    elif ok.ndim == 4:
        check_shape("valid", ok.shape, "b m t n", **sizes)
    else:
        check_shape("valid", ok.shape, "b m t", **{axis: sizes[axis] for axis in "bmt"})
        ok = np.broadcast_to(ok[..., None], value.shape)
    value = np.where(ok, value, 0.0)
    check_finite(name, value)
    return value, ok


def items(
    values: NDArray[np.float64], ok: NDArray[np.bool_], over: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The value of every node, frame or cell of every sample, and whether it has one.

    A node's value is the mean over its readings in all frames and instances; a frame's, the mean over the readings of
    all nodes and instances at it.

    Args:
        values: ``[B, M, T, N]``; zero where not ok.
        ok: which readings are there, ``[B, M, T, N]``.
        over: one of `OVER`.

    Returns:
        Both ``[B, L]``: L is N for nodes, T for frames, and M T N for cells.

    Raises:
        InputError: for another `over`.

    Example:
        >>> x = np.array([[[[1.0, 0.0], [3.0, 2.0]]]])
        >>> items(x, np.ones(x.shape, bool), "frames")[0].tolist()
        [[0.5, 2.5]]
    """
    if over not in OVER:
        raise unknown("over", over, OVER)
    if over == "positions":
        return values.reshape(len(values), -1), ok.reshape(len(ok), -1)
    axes = (1, 2) if over == "nodes" else (1, 3)
    count = ok.sum(axes)
    means: NDArray[np.float64] = values.sum(axes) / np.maximum(count, 1)
    return means, count > 0


def spread(items: NDArray[Any], over: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """What is said of nodes, frames or cells ``[B, L]``, said of every cell ``[B, M, T, N]``."""
    samples, instances, frames, nodes = shape
    if over == "nodes":
        return np.broadcast_to(items[:, None, None, :], shape)
    if over == "frames":
        return np.broadcast_to(items[:, None, :, None], shape)
    return items.reshape(samples, instances, frames, nodes)


def ranks(
    value: NDArray[np.float64],
    usable: NDArray[np.bool_],
    ids: Sequence[str],
    *,
    seed: int = 0,
    repeats: int = 0,
) -> tuple[NDArray[np.int32], list[NDArray[np.int32]]]:
    """The place of every item in the order of importance, and in orders drawn at random.

    Equals are put into an order drawn at random, so that a constant map is a guess and not a liking for the first
    nodes. What is drawn for a sample follows from the seed and its name, and knows nothing of padding.

    Args:
        value: ``[B, L]``, the most important highest.
        usable: which items take part, ``[B, L]``.
        ids: names of the samples.
        seed: of all that is drawn.
        repeats: how many random orders.

    Returns:
        Places from 0, the most important, ``[B, L]``; items that do not take part have L. The same for each random
        order.

    Example:
        >>> ranks(np.array([[0.1, 0.9, 0.5]]), np.array([[True, True, True]]), ["a"])[0].tolist()
        [[2, 0, 1]]
    """
    samples, length = value.shape
    places = [np.full((samples, length), length, np.int32) for _ in range(1 + repeats)]
    for row, name in enumerate(ids):
        random = generator(seed, name)
        members = np.flatnonzero(usable[row])
        order = np.lexsort((random.random(len(members)), -value[row, members]))
        orders = [order, *(random.permutation(len(members)) for _ in range(repeats))]
        for place, chosen in zip(places, orders, strict=True):
            place[row, members[chosen]] = np.arange(len(members))
    return places[0], places[1:]


def ranked(values: NDArray[np.float64], ranking: str) -> NDArray[np.float64]:
    """The values as they are to be ranked.

    Raises:
        InputError: for a ranking that is not in `RANKINGS`.
    """
    if ranking not in RANKINGS:
        raise unknown("ranking", ranking, RANKINGS)
    return np.abs(values) if ranking == "magnitude" else values


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers that follow from a seed and the name of a sample, whatever batch it is in.

    Example:
        >>> bool(generator(0, "clip 1").random() == generator(0, "clip 1").random())
        True
    """
    # The seed goes into the name: a metric's draws are then unrelated to those of an explainer of the same seed.
    return own_generator(0, f"{seed}:{name}")


def array(values: Any) -> NDArray[Any]:
    """An array of a tensor or an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def check_ids(what: str, came: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuses an explanation of other samples than those of the batch.

    Raises:
        InputError: naming the first that differs; samples without a name are taken as they come.
    """
    if len(came) != len(wanted):
        raise InputError(f"{what} is of {len(came)} samples; wanted one of the batch's {len(wanted)}.")
    for row, (ours, theirs) in enumerate(zip(came, wanted, strict=True)):
        if ours and theirs and ours != theirs:
            raise InputError(f"{what} is of sample {ours!r} where the batch has {theirs!r}, at index {row}.")
