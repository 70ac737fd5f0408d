"""A signal planted on any graph whose nodes fall into groups: the class says which group acts, and how.

Every group of sensors shows one event after another, each a rise and fall over some frames: a `swell` once, a `double`
twice, a `flutter` four times, with heights such that all three travel the same distance. All events are swells, except
one: the cause, a double or a flutter in one group. So where and when something moves says nothing about the class. The
same recording with a swell in its place is the counterfactual. The ground truth is every position of that one event,
from the first frame in which the two differ to the last: all events begin and end alike. Each group appears mostly in
one of the three channels.

Added are noise of each sensor (autoregressive in time) and a drift that neighbours share (smooth on the graph).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from stexplain.cards import DatasetCard
from stexplain.errors import CardError, InputError, unknown
from stexplain.files import atomic_write

CYCLES: Mapping[str, int] = {"swell": 1, "double": 2, "flutter": 4}
"""How often each event rises and falls."""
MOTIFS = ("double", "flutter")
"""Events that a class may name; a swell is background."""
FOLDS = 5
# Shortest and longest, in frames: a recording, an event, a pause between two events.
_FRAMES, _EVENT, _PAUSE = (44, 52), (14, 17), (1, 4)
# Standard deviations, of events that are about 1 high.
_NOISE, _DRIFT = 0.1, 0.2
# How strongly an event appears in each channel; rolled by group, so that every group has its own main channel.
_MIX = (2.0, 0.5, 0.5)
# Where cause and swell differ by less than this, half the noise, the frame is not counted as ground truth.
_DIFFERS = 0.05
# Every random stream has its own number, so that adding draws to one leaves the others as they are.
_EVENTS, _CAUSE, _NUISANCE = range(3)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Planted:
    """One recording, its counterfactual and its ground truth.

    Attributes:
        x: with the cause, ``[T, N, 3]``.
        background: with a swell in its place, ``[T, N, 3]``: the counterfactual.
        truth: the positions of the cause, ``[T, N]``, bool; `x` and `background` are equal at all others.
    """

    x: Array
    background: Array
    truth: NDArray[np.bool_]


def generate(card: DatasetCard, out: Path, *, seed: int = 0, repetitions: int = 24, progress: bool = True) -> int:
    """Writes a folder of planted recordings and their ground truth.

    Each ``f1_r003_B-double.npy`` has ``f1_r003_B-double.truth.npy`` beside it, bool ``[1, T, N]``, and the same
    recording without its cause, ``f1_r003_B-double.counterfactual.npy``, ``[1, T, N, 3]``. The bytes depend on the
    card's graph and classes and on the seed.

    Args:
        card: its groups are where events happen; its class ids are GROUP-MOTIF, such as ``"B-double"``.
        out: the folder; it appears when it is complete, and replaces an older one.
        seed: of all randomness.
        repetitions: recordings of each class in each of five folds.
        progress: whether a bar is shown.

    Returns:
        The number of recordings.

    Raises:
        CardError: where a class names no group or motif.
        InputError: where `repetitions` is below 1.
        DataError: where the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stexplain.cards import dataset_card
        >>> folder = Path(tempfile.mkdtemp()) / "raw"
        >>> generate(dataset_card("planted"), folder, repetitions=1, progress=False)
        30
        >>> sorted(path.name for path in folder.iterdir())[:2]
        ['f1_r001_B-double.counterfactual.npy', 'f1_r001_B-double.npy']
    """
    if repetitions < 1:
        raise InputError(f"repetitions: got {repetitions}; expected at least 1.")
    from rich.progress import track

    jobs = [
        (str(entry.id), fold, repetition)
        for entry in card.classes
        for fold in range(1, FOLDS + 1)
        for repetition in range(1, repetitions + 1)
    ]
    with atomic_write(out) as temporary:
        temporary.mkdir()
        for kind, fold, repetition in track(jobs, "Generating planted recordings", disable=not progress):
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
        CardError: where a class names no group or motif.
        InputError: where the class is not on the card.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> made = perform(dataset_card("planted"), "B-double")
        >>> made.x.shape == made.background.shape == (*made.truth.shape, 3)
        True
    """
    classes = {str(entry.id): group_and_motif(card, str(entry.id)) for entry in card.classes}
    if kind not in classes:
        raise unknown("class", kind, classes)
    group, motif = classes[kind]
    number = list(classes).index(kind)
    streams = [np.random.default_rng([seed, stream, number, fold, repetition]) for stream in range(3)]
    frames = int(streams[_EVENTS].integers(*_FRAMES, endpoint=True))
    index = {node: position for position, node in enumerate(card.graph.nodes)}
    background = _nuisance(card, frames, streams[_NUISANCE])
    x, truth = background.copy(), np.zeros((frames, len(index)), bool)
    for turn, (name, nodes) in enumerate(card.graph.groups.items()):
        members = [index[node] for node in nodes]
        spans = _spans(frames, streams[_EVENTS])
        # The cause lies entirely within the recording, with a frame on either side.
        whole = [i for i, (start, length) in enumerate(spans) if start >= 1 and start + length < frames]
        cause = int(streams[_CAUSE].choice(whole)) if name == group else None
        for i, (start, length) in enumerate(spans):
            size = _sizes(len(members), streams[_EVENTS]) * np.roll(_MIX, turn)
            swell = shape = event(length, "swell")
            if i == cause:
                different = np.flatnonzero(np.abs(event(length, motif) - swell) > _DIFFERS)
                span = slice(different[0], different[-1] + 1)
                # Outside this span the cause is the swell to the bit, so that truth and difference agree.
                shape = swell.copy()
                shape[span] = event(length, motif)[span]
                truth[start : start + length][span, members] = True
            # [length, 1, 1] times [members, 3]: the shape over time, at each node and channel in its own size.
            _add(background, start, members, swell[:, None, None] * size)
            _add(x, start, members, shape[:, None, None] * size)
    return Planted(x, background, truth)


def group_and_motif(card: DatasetCard, kind: str) -> tuple[str, str]:
    """The group and the motif that a class id names.

    Raises:
        CardError: where there is no such group or motif.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> group_and_motif(dataset_card("planted"), "B-double")
        ('B', 'double')
    """
    group, _, motif = kind.rpartition("-")
    if group not in card.graph.groups or motif not in MOTIFS:
        raise CardError(
            f"class {kind!r} of the card {card.name!r} is not GROUP-MOTIF with a group of its graph "
            f"({', '.join(card.graph.groups)}) and one of the motifs {', '.join(MOTIFS)}."
        )
    return group, motif


def event(length: int, kind: str) -> Array:
    """An event over `length` frames: up and down in straight lines, `CYCLES` times, ``[length]``.

    Whatever the kind, it travels by two in all, from zero at the frame before it to zero at the frame after.

    Example:
        >>> event(7, "swell").tolist()
        [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
        >>> event(7, "double").tolist()
        [0.25, 0.5, 0.25, 0.0, 0.25, 0.5, 0.25]
    """
    # A triangle wave in [0, 1], sampled from the frame before the event to the frame after.
    phase = CYCLES[kind] * np.arange(length + 2) / (length + 1) % 1
    shape = 1 - np.abs(2 * phase - 1)
    # Normalised by the distance travelled: no kind of event has more motion than another.
    return np.asarray(2 * shape / np.abs(np.diff(shape)).sum())[1:-1]


def _spans(frames: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Starts and lengths of events, one after another, over all frames; the first and last may reach beyond them."""
    # From before the first frame, so that a recording begins in the middle of events.
    spans, at = [], -int(rng.integers(0, _EVENT[1]))
    while at < frames:
        length = int(rng.integers(*_EVENT, endpoint=True))
        spans.append((at, length))
        at += length + int(rng.integers(*_PAUSE, endpoint=True))
    return spans


def _sizes(nodes: int, rng: np.random.Generator) -> Array:
    """How large an event is at each of its nodes and in each channel, ``[nodes, 3]``."""
    return rng.uniform(0.8, 1.2, (nodes, 1)) * rng.uniform(0.8, 1.2, 3)


def _add(signals: Array, start: int, members: list[int], values: Array) -> None:
    """Adds values ``[length, members, 3]`` from a frame on, as far as it lies within the recording."""
    first, last = max(start, 0), min(start + len(values), len(signals))
    if first < last:
        signals[first:last, members] += values[first - start : last - start]


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
