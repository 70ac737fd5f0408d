"""The parts of a dataset, one after the other, and the file of each: what makes a long call resumable."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.clips import Clips
from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write, read_json, write_json
from stexplain.progress import progress_bar

PLAN, CONTENT = "plan.json", "content"
Arrays = Mapping[str, NDArray[Any]]
"""The result of a part: numbers that a file can hold."""


def count(samples: int, size: int) -> int:
    """How many parts there are: rounded up."""
    return -(-samples // size)


def part_of(clips: Clips, number: int, size: int) -> Clips:
    """The clips of a part."""
    return clips.subset(slice(number * size, (number + 1) * size))


def part_path(folder: Path, number: int) -> Path:
    """Where the result of a part lies."""
    return folder / f"part-{number:05d}.npz"


def save_part(folder: Path, number: int, clips: Clips, arrays: Arrays) -> None:
    """Writes the result of a part, with a hash of the clips that it is of.

    Raises:
        DataError: where it cannot be written.
    """
    named: dict[str, Any] = {CONTENT: np.array(clips.content()), **arrays}
    with atomic_write(part_path(folder, number)) as temporary:
        np.savez(temporary, **named)


def load_part(folder: Path, number: int, clips: Clips) -> Arrays:
    """The result of a part that is finished.

    Raises:
        DataError: where it is broken.
        InputError: where it is of other clips than these.
    """
    path = part_path(folder, number)
    try:
        # No pickle: a folder of unknown origin must not run code.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
    # EOFError and BadZipFile among them: whatever a damaged file raises.
    except Exception as error:
        raise DataError(f"{path} is not readable: {error}. Remove it, and run the same again.") from error
    if str(arrays.pop(CONTENT, "")) != clips.content():
        raise InputError(
            f"{path} is the result of other clips than those given: the data has changed. Give another folder as `out`."
        )
    return arrays


def keep_plan(folder: Path, plan: Mapping[str, Any], where: Mapping[str, Any]) -> None:
    """Writes what decides the numbers, and refuses a folder that holds results of anything else.

    Args:
        folder: of the parts.
        plan: what decides the numbers, as JSON.
        where: other processes find the model and the clips; it decides no number.

    Raises:
        InputError: where the folder holds another plan; names what differs.
    """
    # As JSON gives it back: lists in the place of tuples, null in that of NaN.
    expected = json.loads(json.dumps(plan))
    if (folder / PLAN).is_file():
        held = read_json(folder / PLAN)
        if differing := [name for name, value in expected.items() if held.get(name) != value]:
            raise InputError(
                f"out: {folder} holds results of another call: {', '.join(differing)} differ. Give another folder, or "
                "remove that one first."
            )
    elif others := sorted(path.name for path in folder.iterdir() if path.name != "lock"):
        raise InputError(f"out: {folder} holds {others[0]!r}, but no {PLAN}. Give a folder that is new or empty.")
    write_json(folder / PLAN, {**expected, "where": where})


def each_part(
    clips: Clips,
    size: int,
    compute: Callable[[Clips, int], Arrays],
    *,
    folder: Path | None = None,
    what: str = "clips",
    progress: bool = False,
) -> Iterator[Arrays]:
    """The results of all parts in order, each computed in this process, or read where it is in the folder.

    Args:
        clips: of the dataset.
        size: how many clips a part has.
        compute: from the clips of a part, and its number, to its result.
        folder: of the parts; none: nothing is kept.
        what: is done, for the bar.
        progress: whether a bar is shown.
    """
    with progress_bar(what, len(clips), shown=progress) as done:
        for number in range(count(len(clips), size)):
            part = part_of(clips, number, size)
            if folder is None:
                yield compute(part, number)
            else:
                if not part_path(folder, number).is_file():
                    save_part(folder, number, part, compute(part, number))
                # Read back also where it was just computed: a resumed call then sees the same.
                yield load_part(folder, number, part)
            done(min((number + 1) * size, len(clips)))
