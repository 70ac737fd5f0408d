"""Runs of one subject that only the names of their files tell apart: by a session, a run or a visit."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stexplain.checking import warn_caller

if TYPE_CHECKING:
    from stexplain.data.signals.region_files import Run

_SESSION = re.compile(r"(?:^|[_-])(?:ses(?:sion)?|run|scan|visit)[_-]?\d+(?=[_-]|$)", re.IGNORECASE)


def join_sessions(runs: "Sequence[Run]", folder: Path) -> None:
    """Gives runs whose names differ in the session alone one subject, as the names without it are alike.

    Trials of one person are not independent, and nobody may be trained on and tested. Only names that hold a number
    beside that of the session are those of subjects.

    Args:
        runs: each of whom nobody is known is called after its file; changed in place.
        folder: that they are of.

    Warns:
        UserWarning: with how many subjects they are.
    """
    alike: dict[str, list[Run]] = {}
    for run in runs:
        rest = _SESSION.sub("", run.id).strip("_-")
        if run.subject == run.id and rest != run.id and re.search(r"\d", rest):
            alike.setdefault(rest, []).append(run)
    several = {name: found for name, found in alike.items() if len(found) > 1}
    if not several:
        return
    for name, found in several.items():
        for run in found:
            run.subject = name
    count = sum(map(len, several.values()))
    first = next(iter(several.values()))
    warn_caller(
        f"{folder}: {count} runs are taken for those of {len(several)} subjects, as names differ in the session alone, "
        f"such as {first[0].id!r} and {first[1].id!r}. Where they are of different ones, give subjects=."
    )
