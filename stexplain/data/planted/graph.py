"""A signal planted on any graph whose nodes fall into groups: the class says which channels fall where the others rise.

Every group of sensors shows one event after another, each a swell over some frames in all three channels at once, and
in each channel it rises or falls. Background events have an even number of falling channels, all four kinds alike
often. One event is the cause, in a group drawn at random: it has an odd number of falling channels, and which they are
is the class. So of background and cause any one channel, and any two of them together, look the same: a channel falls
in half of the events, and two agree in half of them. Only the three together tell, and no measure of how much, how
fast, how sharply, when or where something moves finds the cause.

The same recording with a background event in its place is the counterfactual. The ground truth is every position of
that one event. Events lie anywhere, and the first and the last may reach beyond the recording.

Added are noise of each sensor (autoregressive in time) and a drift that neighbours share (smooth on the graph).
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from stexplain.cards import DatasetCard
from stexplain.errors import CardError, InputError, unknown
from stexplain.files import atomic_write
from stexplain.progress import tracked

FOLDS = 5
# Shortest and longest, in frames: a recording, an event, a pause between two events.
_FRAMES, _EVENT, _PAUSE = (44, 52), (12, 20), (0, 2)
# Standard deviations, of events that are about 1 high.
_NOISE, _DRIFT = 0.1, 0.2
# The least share of a cause that lies within the recording.
_WITHIN = 0.6
# How much more often a cause at an end is drawn than one in the middle, since only a part of it may be there.
_ENDS = 3.0
# Every random stream has its own number, so that adding draws to one leaves the others as they are.
_EVENTS, _CAUSE, _NUISANCE = range(3)

# Rises and falls of a, b and c whose product is 1: an even number falls.
BACKGROUND = np.array([signs for signs in product((1, -1), repeat=3) if np.prod(signs) > 0])
"""The kinds of background events: whether each channel rises (1) or falls (-1), ``[4, 3]``."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Planted:
    """One recording, its counterfactual and its ground truth.

    Attributes:
        x: with the cause, ``[T, N, 3]``.
        background: with a background event in its place, ``[T, N, 3]``: the counterfactual.
        truth: the positions of the cause, ``[T, N]``, bool; `x` and `background` are equal at all others, to the bit.
    """

    x: Array
    background: Array
    truth: NDArray[np.bool_]


def generate(card: DatasetCard, out: Path, *, seed: int = 0, repetitions: int = 36, progress: bool = True) -> int:
    """Writes a folder of planted recordings and their ground truth.

    Each ``f1_r003_fall-a.npy`` has ``f1_r003_fall-a.truth.npy`` beside it, bool ``[1, T, N]``, and the same
    recording without its cause, ``f1_r003_fall-a.counterfactual.npy``, ``[1, T, N, 3]``. The bytes depend on the
    card's graph and classes and on the seed.

    Args:
        card: its groups are where events happen; its class ids are those of `motifs`, such as ``"fall-a"``.
        out: the folder; it appears when it is complete, and replaces an older one.
        seed: of all randomness.
        repetitions: recordings of each class in each of five folds.
        progress: whether a bar is shown.

    Returns:
        The number of recordings.

    Raises:
        CardError: where a class is none of `motifs`, or the graph has no groups.
        InputError: where `repetitions` is below 1.
        DataError: where the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stexplain.cards import dataset_card
        >>> folder = Path(tempfile.mkdtemp()) / "raw"
        >>> generate(dataset_card("planted"), folder, repetitions=1, progress=False)
        20
        >>> sorted(path.name for path in folder.iterdir())[:2]
        ['f1_r001_fall-a-b-c.counterfactual.npy', 'f1_r001_fall-a-b-c.npy']
    """
    if repetitions < 1:
        raise InputError(f"repetitions: got {repetitions}; expected at least 1.")
    jobs = [
        (str(entry.id), fold, repetition)
        for entry in card.classes
        for fold in range(1, FOLDS + 1)
        for repetition in range(1, repetitions + 1)
    ]
    with atomic_write(out) as temporary:
        temporary.mkdir()
        for kind, fold, repetition in tracked(jobs, len(jobs), "generating planted recordings", progress):
            made = perform(card, kind, fold, repetition, seed=seed)
            name = f"f{fold}_r{repetition:03d}_{kind}"
            np.save(temporary / f"{name}.npy", made.x.astype(np.float32), allow_pickle=False)
            np.save(temporary / f"{name}.truth.npy", made.truth[None], allow_pickle=False)
            without = made.background[None].astype(np.float32)
            np.save(temporary / f"{name}.counterfactual.npy", without, allow_pickle=False)
    return len(jobs)


def perform(card: DatasetCard, kind: str, fold: int = 1, repetition: int = 1, *, seed: int = 0) -> Planted:
    """One recording of one class.

    Args:
        card: see `generate`.
        kind: the id of a class.
        fold: which fifth of the recordings it belongs to.
        repetition: which recording of its class and fold.
        seed: of all randomness.

    Raises:
        CardError: where a class is none of `motifs`, or the graph has no groups.
        InputError: where the class is not on the card.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> made = perform(dataset_card("planted"), "fall-b")
        >>> made.x.shape == made.background.shape == (*made.truth.shape, 3)
        True
    """
    kinds, signs = _kinds(card), motifs(card)
    if kind not in kinds:
        raise unknown("class", kind, kinds)
    if not card.graph.groups:
        raise CardError(
            f"the graph of the card {card.name!r} has no groups; expected at least one, where events happen."
        )
    streams = [np.random.default_rng([seed, stream, kinds.index(kind), fold, repetition]) for stream in range(3)]
    frames = int(streams[_EVENTS].integers(*_FRAMES, endpoint=True))
    index = {node: position for position, node in enumerate(card.graph.nodes)}
    background = _nuisance(card, frames, streams[_NUISANCE])
    x, truth = background.copy(), np.zeros((frames, len(index)), bool)
    acting = int(streams[_CAUSE].integers(len(card.graph.groups)))
    for turn, nodes in enumerate(card.graph.groups.values()):
        members = [index[node] for node in nodes]
        spans = _spans(frames, streams[_EVENTS])
        cause = _drawn_cause(spans, frames, streams[_CAUSE]) if turn == acting else None
        for i, (start, length) in enumerate(spans):
            inside = slice(max(start, 0), min(start + length, frames))
            # [frames, 1, 1] times [members, 3]: the shape over time, at each node and channel in its own size.
            shape = event(length)[inside.start - start : inside.stop - start, None, None]
            size = shape * _sizes(len(members), streams[_EVENTS])
            usual = BACKGROUND[streams[_EVENTS].integers(len(BACKGROUND))]
            background[inside, members] += usual * size
            x[inside, members] += (signs[kind] if i == cause else usual) * size
            truth[inside, members] |= i == cause
    return Planted(x, background, truth)


def motifs(card: DatasetCard) -> dict[str, Array]:
    """The classes that a card may have, and in each of them whether a channel rises (1) or falls (-1), ``[3]``.

    Raises:
        CardError: where the card has not three channels.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> {kind: signs.tolist() for kind, signs in motifs(dataset_card("planted")).items()}
        {'fall-a-b-c': [-1, -1, -1], 'fall-a': [-1, 1, 1], 'fall-b': [1, -1, 1], 'fall-c': [1, 1, -1]}
    """
    channels = card.axes.channels
    if len(channels) != 3:
        raise CardError(f"axes.channels of the card {card.name!r}: got {len(channels)}; expected 3.")
    # Minus the background: an odd number of channels falls.
    return {
        "-".join(["fall", *(name for name, sign in zip(channels, signs, strict=True) if sign < 0)]): signs
        for signs in -BACKGROUND
    }


def event(length: int) -> Array:
    """An event: half a sine, from zero at the frame before it to zero at the frame after, ``[length]``.

    Example:
        >>> event(3).round(2).tolist()
        [0.71, 1.0, 0.71]
    """
    return np.asarray(np.sin(np.pi * np.arange(1, length + 1) / (length + 1)))


def _kinds(card: DatasetCard) -> list[str]:
    """The ids of the classes, each of which is a motif."""
    kinds, known = [str(entry.id) for entry in card.classes], motifs(card)
    for kind in kinds:
        if kind not in known:
            raise CardError(f"classes of the card {card.name!r}: got {kind!r}; expected some of {', '.join(known)}.")
    return kinds


def _spans(frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Starts and lengths of events, one after another, over all frames; the first and last may reach beyond them."""
    spans: list[tuple[int, int]] = []
    at = 0
    while at < frames:
        length = int(rng.integers(*_EVENT, endpoint=True))
        # From before the first frame, so that a recording begins in the middle of events.
        at -= 0 if spans else int(rng.integers(0, length))
        spans.append((at, length))
        at += length + int(rng.integers(*_PAUSE, endpoint=True))
    return spans


def _drawn_cause(spans: list[tuple[int, int]], frames: int, rng: np.random.Generator) -> int:
    """Which of a group's events is the cause: one that is mostly there, at the ends more often than in the middle."""
    within = [(min(start + length, frames) - max(start, 0)) / length for start, length in spans]
    able = [i for i, share in enumerate(within) if share >= _WITHIN]
    # How far from the middle of the recording, in [0, 1]: without the weight the middle alone would be a good guess.
    apart = np.array([abs(2 * (spans[i][0] + spans[i][1] / 2) / frames - 1) for i in able])
    weights = 1 + _ENDS * np.minimum(apart, 1) ** 2
    return able[int(rng.choice(len(able), p=weights / weights.sum()))]


def _sizes(nodes: int, rng: np.random.Generator) -> Array:
    """How large an event is at each of its nodes and in each channel, ``[nodes, 3]``."""
    return rng.uniform(0.8, 1.2, (nodes, 1)) * rng.uniform(0.8, 1.2, 3)


def _nuisance(card: DatasetCard, frames: int, rng: np.random.Generator) -> Array:
    """Each sensor's own noise, and a slow drift that is smooth on the graph, ``[T, N, 3]``."""
    nodes = card.graph.nodes
    laplacian = np.zeros((len(nodes), len(nodes)))
    for a, b in card.graph.edges:
        i, j = nodes.index(a), nodes.index(b)
        laplacian[[i, j], [j, i]] -= 1
        laplacian[[i, j], [i, j]] += 1
    # (I + 2 L)^-1 is a low-pass filter on the graph; rows of unit norm keep the variance equal at all nodes.
    smooth = np.linalg.inv(np.eye(len(nodes)) + 2 * laplacian)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    drift = smooth @ _autoregressive(frames, len(nodes), 0.97, rng)
    return _NOISE * _autoregressive(frames, len(nodes), 0.5, rng) + _DRIFT * drift


def _autoregressive(frames: int, nodes: int, memory: float, rng: np.random.Generator) -> Array:
    """Noise of unit variance whose value depends on the one before, ``[T, N, 3]``; begins in its stationary state."""
    drive = rng.standard_normal((frames, nodes, 3)) * np.sqrt(1 - memory**2)
    # The first value alone has the full variance: no transient at the beginning of a recording.
    drive[0] /= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], drive, axis=0))
