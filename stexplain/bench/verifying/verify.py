"""Whether a run folder is as it was written: checksums, files, verdicts, cards, versions; and against another run."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stexplain.bench.records import read_record, read_results
from stexplain.bench.report import run_results, stages_of
from stexplain.bench.runner import verdicts_of
from stexplain.bench.verifying.differences import differences, relative
from stexplain.cards.files import card_names, card_path
from stexplain.errors import DataError
from stexplain.files import digest, sha256
from stexplain.reading import is_there
from stexplain.system import package_versions
from stexplain.version import __version__
from stexplain.wording import agree, counted

SHOWN = 5
"""Differences that are listed."""


@dataclass(frozen=True)
class Checked:
    """What was found of one thing.

    Attributes:
        name: of what was checked.
        found: ``ok``; ``differs``: here is another card, version or number, which is no fault of the folder; ``wrong``:
            the folder does not hold what was written.
        value: in words.
    """

    name: str
    found: Literal["ok", "differs", "wrong"]
    value: str


def verify(folder: Path | str, against: Path | str | None = None) -> list[Checked]:
    """Checks a finished run folder without its data and without computing anything again.

    Checksums tell damage and edits by hand; who wants to deceive can write them anew. Only a second run tells that the
    numbers are what the code gives: see `against`.

    Args:
        folder: of the run.
        against: the folder of a second run of the experiment, whose numbers are compared one by one.

    Returns:
        What was found, in the order of the checks.

    Raises:
        DataError: where one of the folders has no `results.json`, or it cannot be read.
    """
    place = Path(folder)
    try:
        results = read_results(place)
    except DataError as error:
        # Without numbers nothing else can be asked; what was changed is said, what is missing is an error.
        if "has changed since" not in str(error):
            raise
        return [Checked("results.json", "wrong", str(error))]
    found = [
        Checked("results.json", "ok", "as it was written (SHA-256)"),
        *_records(place, results),
        _files(place, results),
        _verdicts(place, results),
        *_cards(results),
        *_versions(results),
    ]
    return found if against is None else [*found, *_compared(results, read_results(Path(against)), Path(against))]


def again(folder: Path | str) -> str:
    """The command that runs it again into a new folder, with as many threads, on which the last digits depend."""
    results = read_results(Path(folder))
    command = shlex.split(str(results.get("command") or ""))
    if not command or command[0] != "stexplain":
        return f"{results.get('command')}, with OMP_NUM_THREADS={results.get('threads')}"
    if "--out" in command:
        at = command.index("--out")
        del command[at : at + 2]
    return f"OMP_NUM_THREADS={results.get('threads')} {shlex.join(command)} --out NEW"


def _records(folder: Path, results: Mapping[str, Any]) -> Iterator[Checked]:
    """Every stage has its own file, which was written before the results."""
    paths = sorted((folder / "stages").rglob("*.json"))
    damaged = []
    for path in paths:
        try:
            read_record(path)
        except DataError as error:
            damaged.append(str(error))
    differ = [
        f"{run}/{name}"
        for run, about in (results.get("runs") or {}).items()
        for name, result in (about.get("stages") or {}).items()
        if is_there(path := folder / "stages" / run / f"{name}.json")
        and not damaged
        and digest(read_record(path)["result"]) != digest(result)
    ]
    if damaged:
        yield Checked("stages", "wrong", "; ".join(damaged))
    elif differ:
        yield Checked(
            "stages", "wrong", f"results.json has other numbers than the stage's own file: {', '.join(differ)}"
        )
    elif paths:
        yield Checked("stages", "ok", f"{len(paths)} files as they were written; results.json has their numbers")
    else:
        yield Checked("stages", "differs", "the folder has no stages/, from which results.json was made")


def _files(folder: Path, results: Mapping[str, Any]) -> Checked:
    named = [str(entry["file"]) for entry in (results.get("tables") or {}).values()]
    named += [str(value) for figure in results.get("figures") or [] for key, value in figure.items() if key in FORMATS]
    missing = [name for name in named if not is_there(folder / name)]
    if missing:
        return Checked(
            "figures, tables",
            "wrong",
            f"{len(missing)} of {len(named)} {agree(len(missing), 'is', 'are')} missing: {missing[0]}, ...",
        )
    return Checked("figures, tables", "ok", f"{counted(len(named), 'file is', 'files are')} there")


FORMATS = ("json", "html", "png", "svg", "narrow")
"""What a figure was saved as."""


def _verdicts(folder: Path, results: Mapping[str, Any]) -> Checked:
    """Verdicts are computed from the numbers once more; of their sentences, which may be worded anew, the outcome."""
    recorded = [(each["run"], each["stage"], each["verdict"]) for each in results.get("verdicts") or []]
    try:
        judged = verdicts_of(results, stages_of(folder, results))
    except (KeyError, TypeError, ValueError) as error:
        # The numbers are as they were written: it is the code that is another one.
        said = f"{type(error).__name__}: {error}"
        return Checked("verdicts", "differs", f"results of another version, which this one cannot judge ({said})")
    now = [(each["run"], each["stage"], each["verdict"]) for each in judged]
    if recorded == now:
        return Checked("verdicts", "ok", f"{len(now)} follow from the numbers by their tests")
    if (results.get("versions") or {}).get("stexplain") != __version__:
        return Checked("verdicts", "differs", "this version of stexplain judges otherwise")
    differ = sum(one != two for one, two in zip(recorded, now, strict=False)) + abs(len(recorded) - len(now))
    return Checked("verdicts", "wrong", f"{differ} of {len(recorded)} do not follow from the numbers by their tests")


def _cards(results: Mapping[str, Any]) -> Iterator[Checked]:
    """Cards by name, as they are installed here."""
    asked = [("datasets", name, about.get("card_hash")) for name, about in (results.get("datasets") or {}).items()]
    asked += [("models", run.about.get("model"), run.about.get("model_hash")) for run in run_results(results)]
    for kind, name, recorded in dict.fromkeys(asked):
        if not name or not recorded:
            continue
        label = f"{kind.removesuffix('s')} card {name}"
        if name not in card_names("datasets" if kind == "datasets" else "models"):
            yield Checked(label, "differs", f"no card of this name is installed here; recorded SHA-256 {recorded}")
        elif sha256(card_path("datasets" if kind == "datasets" else "models", name)) == recorded:
            yield Checked(label, "ok", "the same as installed here")
        else:
            yield Checked(label, "differs", f"another one is installed here; recorded SHA-256 {recorded}")


def _versions(results: Mapping[str, Any]) -> Iterator[Checked]:
    recorded = results.get("versions") or {}
    here = {"stexplain": __version__} | package_versions(
        name for name in recorded if name not in ("stexplain", "python")
    )
    differ = [
        f"{name} {old}, here {here[name]}" for name, old in recorded.items() if name in here and here[name] != old
    ]
    if differ:
        yield Checked("versions", "differs", f"{'; '.join(differ)}: numbers may differ in their last digits, or more")
    else:
        yield Checked("versions", "ok", f"{counted(len(recorded), 'package')} as installed here")


def _compared(one: Mapping[str, Any], two: Mapping[str, Any], against: Path) -> Iterator[Checked]:
    """The numbers of both, and what each says that must be the same for them to be."""
    for key in ("seed", "threads"):
        if one.get(key) != two.get(key):
            yield Checked(key, "differs", f"{one.get(key)}, in {against} {two.get(key)}")
    numbers = [{name: run.get("stages") for name, run in (each.get("runs") or {}).items()} for each in (one, two)]
    found = differences(*numbers)
    if not found.numbers and not found.others:
        yield Checked("numbers", "ok", f"all {found.same:,} values are those of {against}, to the last bit")
        return
    listed = [
        f"{key} {a:.6g}, there {b:.6g} ({relative(a, b):.1e})" for key, (a, b) in list(found.numbers.items())[:SHOWN]
    ]
    listed += [f"{key} is not the same, or only in one" for key in found.others[: SHOWN - len(listed)]]
    yield Checked(
        "numbers",
        "differs",
        f"{found.same:,} values are those of {against}; {counted(len(found.numbers), 'number')} and "
        f"{counted(len(found.others), 'other')} differ, farthest apart: {'; '.join(listed)}",
    )
    verdicts = [[(v["run"], v["stage"], v["verdict"]) for v in each.get("verdicts") or []] for each in (one, two)]
    if verdicts[0] == verdicts[1]:
        yield Checked("verdicts of both", "ok", f"all {len(verdicts[0])} are the same")
    else:
        yield Checked("verdicts of both", "differs", "not all are the same")
