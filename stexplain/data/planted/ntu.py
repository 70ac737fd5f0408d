"""Planted recordings of NTU RGB+D's kind: genuine `.skeleton` files, with the positions that decide the class.

A person keeps moving all parts of the body, and one of these pieces of movement is the action. The same person with a
piece that means nothing in its place is the counterfactual. The ground truth is every position (joint and frame) that
differs: where it is false, the joint is the same with and without the action, to 2 cm, so it cannot tell the class.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import DatasetCard
from stexplain.data.planted.actions import ACTIONS, NO_ACTION, Piece
from stexplain.data.planted.body import Array, Person, random_person, skeleton
from stexplain.data.planted.distractors import restless
from stexplain.data.planted.kinect import (
    DIGITS,
    VIEWS,
    Body,
    Place,
    body_id,
    camera_view,
    random_faults,
    random_ghost,
    random_place,
    write_skeleton,
)
from stexplain.errors import InputError, unknown
from stexplain.files import atomic_write
from stexplain.progress import Progress
from stexplain.system import cores

MOVED = 0.02
"""A position is ground truth where the action moves the joint by more than this, in metres."""
CLASSES = (*ACTIONS, NO_ACTION)
"""The codes of what is recorded: the actions, and recordings without any."""
# NTU RGB+D has 17 setups; they are assigned in turn, so that file names look like its own.
_SETUPS = 17
# Every random stream has its own number, so that adding draws to one leaves the others as they are.
_PERSON, _BACKGROUND, _ACTION, _SENSOR = range(4)


@dataclass(frozen=True)
class Performance:
    """One performance of one action, before any camera: joints in the room, ``[T, 25, 3]`` in metres.

    Attributes:
        person: who performs.
        place: where the person stands, and how the cameras are mounted.
        background: with distractors alone: the counterfactual.
        xyz: with the action in place of one of them.
        act: the action: which part, by which signs, in which frames; none where there is no action.
    """

    person: Person
    place: Place
    background: Array
    xyz: Array
    act: Piece | None


@dataclass(frozen=True)
class Recorded:
    """What one camera records.

    Attributes:
        bodies: in the order of their first appearance, M.
        truth: the ground truth, ``[M, T, N]``.
        counterfactual: the same recording without the action: same sensor faults, same false detections,
            ``[M, T, N, 3]`` in metres, rounded as in the files, float32; NaN where a body is absent.
    """

    bodies: list[Body]
    truth: NDArray[np.bool_]
    counterfactual: NDArray[np.float32]


def generate(
    card: DatasetCard,
    out: Path,
    *,
    seed: int = 0,
    actions: Sequence[str] | None = None,
    subjects: Iterable[int] = range(1, 41),
    cameras: Iterable[int] = (1, 2, 3),
    repetitions: int = 3,
    workers: int | None = None,
    progress: bool = True,
) -> int:
    """Writes a folder of planted recordings and their ground truth.

    Beside each ``SsssCcccPpppRrrrAaaa.skeleton`` lie its ground truth ``SsssCcccPpppRrrrAaaa.truth.npy``, bool
    ``[M, T, N]``, bodies in the order of their first appearance; and the same recording without the action,
    ``SsssCcccPpppRrrrAaaa.counterfactual.npy``, float32 ``[M, T, N, 3]`` in metres, NaN where a body is absent. The
    bytes depend on the seed and on nothing else.

    Args:
        card: of the dataset; its classes say which actions there are.
        out: the folder; it appears when it is complete, and replaces an older one.
        seed: of all randomness.
        actions: ids of classes, such as ``["A007"]``; none: every planted action that the card has. ``"A011"`` stands
            for recordings without any: with them as a class, no action is recognised by the absence of the others.
        subjects: numbers of the persons, in 1 to 999.
        cameras: of 1, 2 and 3, which see the person from 0, +45 and -45 degrees.
        repetitions: how often each person performs each action before each camera, in 1 to 999.
        workers: processes; none: one per processor.
        progress: whether a bar is shown.

    Returns:
        The number of recordings.

    Raises:
        InputError: where an action is not planted or not on the card, or a number is out of range.
        DataError: where the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stexplain.cards import dataset_card
        >>> folder = Path(tempfile.mkdtemp()) / "planted"
        >>> one = {"actions": ["A007"], "subjects": [1], "repetitions": 1, "workers": 1}
        >>> generate(dataset_card("ntu"), folder, **one, progress=False)
        3
        >>> sorted(path.name for path in folder.iterdir())[:2]
        ['S001C001P001R001A007.counterfactual.npy', 'S001C001P001R001A007.skeleton']
    """
    chosen = _chosen(card, actions)
    persons, views = _numbers("subjects", subjects, 999), _numbers("cameras", cameras, len(VIEWS))
    _numbers("repetitions", [repetitions], 999)
    jobs = [
        (action, subject, repetition)
        for action in chosen
        for subject in persons
        for repetition in range(1, repetitions + 1)
    ]
    count = min(workers or cores(), len(jobs))
    with atomic_write(out) as temporary:
        temporary.mkdir()
        # Enough work per task to hide the cost of sending it, and still a bar that moves.
        parts = [jobs[start : start + 24] for start in range(0, len(jobs), 24)]
        with Progress("generating planted recordings", len(jobs) * len(views), shown=progress) as bar:
            if count == 1:
                for part in parts:
                    bar.advance(_write_part(temporary, seed, part, views))
            else:
                # Spawned, because a fork of a process in which OpenMP has run hangs.
                with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
                    for done in as_completed(pool.submit(_write_part, temporary, seed, part, views) for part in parts):
                        bar.advance(done.result())
    return len(jobs) * len(views)


def _chosen(card: DatasetCard, actions: Sequence[str] | None) -> list[str]:
    """The actions to generate, in the order of the request, else of the card."""
    able = [str(entry.id) for entry in card.classes if str(entry.id) in CLASSES]
    planted = [code for code in able if code != NO_ACTION]
    if not planted:
        raise InputError(
            f"the card {card.name!r} has none of the planted actions {', '.join(ACTIONS)} among its classes. "
            "Use a card whose class ids are NTU RGB+D's."
        )
    for action in actions or ():
        if action not in able:
            raise unknown("planted action", action, able)
    return list(dict.fromkeys(actions)) if actions else planted


def _numbers(name: str, values: Iterable[int], most: int) -> list[int]:
    """Numbers without duplicates, each in 1 to `most`."""
    numbers = list(dict.fromkeys(values))
    if not numbers or min(numbers) < 1 or max(numbers) > most:
        raise InputError(f"{name}: got {numbers}; expected at least one, each in 1 to {most}.")
    return numbers


def _write_part(folder: Path, seed: int, jobs: list[tuple[str, int, int]], cameras: list[int]) -> int:
    for action, subject, repetition in jobs:
        for camera in cameras:
            performance = perform(action, subject, repetition, camera, seed=seed)
            setup = (subject - 1) % _SETUPS + 1
            name = f"S{setup:03d}C{camera:03d}P{subject:03d}R{repetition:03d}{action}"
            made = record(performance, camera, _rng(seed, _SENSOR, action, subject, repetition, camera))
            write_skeleton(folder / f"{name}.skeleton", len(performance.xyz), made.bodies)
            np.save(folder / f"{name}.truth.npy", made.truth, allow_pickle=False)
            np.save(folder / f"{name}.counterfactual.npy", made.counterfactual, allow_pickle=False)
    return len(jobs) * len(cameras)


def _rng(seed: int, stream: int, action: str, subject: int, repetition: int, camera: int = 0) -> np.random.Generator:
    """Randomness that depends on what is drawn and not on the order or the process in which it is drawn."""
    return np.random.default_rng([seed, stream, int(action[1:]), subject, repetition, camera])


def perform(action: str, subject: int, repetition: int = 1, camera: int = 1, *, seed: int = 0) -> Performance:
    """One person performs one action amid distractors.

    Args:
        action: the id of a planted class, such as ``"A007"``, or ``"A011"`` for none.
        subject: the person's number: proportions and style depend on it and the seed alone.
        repetition: which performance.
        camera: for which of the cameras 1, 2 and 3. Each has a performance of its own, unlike in NTU RGB+D: else what
            is tested across views would be what was trained on, turned.
        seed: of all randomness.

    Raises:
        InputError: where the action is not planted.

    Example:
        >>> throw = perform("A007", subject=1)
        >>> throw.xyz.shape == throw.background.shape
        True
    """
    if action not in CLASSES:
        raise unknown("planted action", action, CLASSES)
    person = random_person(np.random.default_rng([seed, _PERSON, subject]))
    rng = _rng(seed, _BACKGROUND, action, subject, repetition, camera)
    frames = int(rng.integers(75, 106))
    place = random_place(rng)
    drawn = _rng(seed, _ACTION, action, subject, repetition, camera)
    without, pose, act = restless(person, frames, action, rng, drawn)
    return Performance(person, place, skeleton(person, without), skeleton(person, pose), act)


def record(performance: Performance, camera: int, rng: np.random.Generator) -> Recorded:
    """A performance as one camera records it, its ground truth and its counterfactual.

    Args:
        performance: what happens in the room.
        camera: 1, 2 or 3.
        rng: of the sensor's faults.
    """
    frames = len(performance.xyz)
    faults = random_faults(frames, rng)
    shown = faults.apply(camera_view(performance.xyz, performance.place, camera))
    without = faults.apply(camera_view(performance.background, performance.place, camera))
    # The same faults on both: they differ by the action alone.
    moved = np.linalg.norm(shown - without, axis=-1) > MOVED
    # A joint that passes where it would have been anyway is still acting: from each joint's first frame to its last.
    started = np.logical_or.accumulate(moved, axis=0)
    not_ended = np.logical_or.accumulate(moved[::-1], axis=0)[::-1]
    bodies = [Body(body_id(rng), 0, shown, faults.state)]
    truth, counterfactual = [started & not_ended], [without]
    # In one recording of twenty a false detection appears as a second body.
    if rng.random() < 0.05:
        ghost = random_ghost(frames, rng)
        bodies.append(ghost)
        truth.append(np.zeros_like(moved))
        # It is there with and without the action.
        counterfactual.append(np.full_like(without, np.nan))
        counterfactual[1][ghost.start : ghost.start + len(ghost.xyz)] = ghost.xyz
    # As precise as the files, so that both are the same to the bit where nothing was moved.
    return Recorded(bodies, np.stack(truth), np.stack(counterfactual).round(DIGITS).astype(np.float32))
