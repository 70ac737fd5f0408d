"""Reads a dataset's recordings once, in parallel, into a store.

The recordings are divided into shards, each written under another name and renamed. A run that was killed resumes with
the shards that are missing; the store itself appears by one rename when it is complete. The same recordings give the
same bytes, however often the work was interrupted.
"""

import hashlib
import json
import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stexplain.cards import (
    DatasetCard,
    Trust,
    dataset_card,
    hash_beside,
    import_of,
    module_named,
    trusted_names,
    trusting,
)
from stexplain.data.recording import KEEP, Keep, RecordingFile
from stexplain.data.store.implausible import implausible_recordings
from stexplain.data.store.merge import merge
from stexplain.data.store.prepared import LEFT_OUT, VERSION, Store, is_store
from stexplain.data.store.shards import count, truth_files
from stexplain.engine.run import Engine, check_engine, run_parts
from stexplain.errors import DataError, InputError, unknown
from stexplain.files import folder_lock, read_json, remove_leftovers, write_json
from stexplain.progress import progress_bar
from stexplain.reading import given_path, is_there, read_text
from stexplain.system import as_typed
from stexplain.version import __version__


@dataclass(frozen=True)
class Summary:
    """The result of a preparation.

    Attributes:
        card: the dataset.
        out: the store.
        found: recordings that were found.
        kept: recordings in the store.
        excluded: how many recordings were excluded, by kind; `excluded.csv` in the store names each.
        rows: instance-frames in the store.
        bytes: size of the store.
        seconds: how long it took; 0 where the store existed already.
        note: what the user should know, or nothing.
        warnings: what is implausible about the recordings; see `implausible_recordings`.
    """

    card: str
    out: str
    found: int
    kept: int
    excluded: dict[str, int]
    rows: int
    bytes: int
    seconds: float
    note: str = ""
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.out}: {self.kept:,} of {self.found:,} recordings of {self.card}, {self.rows:,} instance-frames, "
            f"{self.bytes / 1e6:,.1f} MB, {self.seconds:.1f} s"
        ]
        lines += [f"  excluded, {kind}: {number:,}" for kind, number in self.excluded.items()]
        lines += [f"  {self.out}/excluded.csv says which and why"] if self.excluded else []
        lines += [f"  warning:  {text}" for text in self.warnings]
        return "\n".join([*lines, *([self.note] if self.note else [])])


def prepare(
    card: str | Path | DatasetCard,
    raw: Path,
    out: Path,
    *,
    workers: int | None = None,
    keep: Keep = "energy",
    people: bool = True,
    missing: Path | None = None,
    engine: Engine = "local",
    progress: bool = True,
    trust: Trust = (),
) -> Summary:
    """Prepares a store from a folder of recordings.

    Excluded are recordings whose name or class the card does not know, that are listed as missing, that are broken,
    that hold no body or one frame only, and all but the first (by id) of recordings with exactly equal positions,
    which would leak from training to test.

    Args:
        card: of the dataset.
        raw: the folder of recordings; its subfolders are searched too.
        out: the store to make. The folder does not exist until the store is complete.
        workers: processes; none: one per processor, of the cluster where the engine is Ray.
        keep: which bodies are kept where there are more than the card's instances, see `recording.choose_bodies`.
        people: whether bodies of which one ends where another begins are joined, and those that are no persons by the
            usual rules left out, where another stays; see `tracking.persons`. `left_out.csv` in the store names each.
            Not of recordings that lie beside their ground truth, and only where the first channels are x and y.
        missing: a file that names recordings to exclude, one per line. None: the file that the card names, where it
            lies in `raw`.
        engine: ``"local"``: processes of this machine. ``"ray"``: a Ray cluster, of which every machine sees `raw` and
            `out` under these paths; the cluster that the environment variable RAY_ADDRESS names, else one of this
            machine. The bytes are the same.
        progress: whether a bar is shown.
        trust: modules outside this package that the card may import, such as a reader of one's own beside it; see
            `stexplain.cards.trusting`.

    Raises:
        InputError: where `raw` holds no recordings, or `out` exists and is another store or none.
        DataError: where no recording can be used, or the disk is full.
    """
    start = time.monotonic()
    card, raw, out = dataset_card(card), given_path(raw, "raw"), given_path(out, "out")
    if keep not in KEEP:
        raise unknown("choice of bodies to keep", keep, KEEP)
    check_engine(engine, workers)
    # Everything wrong with the call is found here, before a folder is made or a process started.
    with trusting(trust):
        plan, note = _planned(card, raw, keep, missing, people=people)
    # Beside `out`, on the same file system, so that the last rename is atomic.
    with folder_lock(out.with_name(f".{out.name}.preparing")) as folder:
        if not _exists_already(out, plan["key"]):
            # Shards of an interrupted run are used where the plan is the same, and removed where it is not.
            if not (folder / "plan.json").is_file() or read_json(folder / "plan.json").get("key") != plan["key"]:
                _clear(folder)
            remove_leftovers(folder)
            # Over one of the same key too: what processes may import is what this call allows, not what lies there.
            write_json(folder / "plan.json", plan)
            _write_shards(folder, plan, workers, engine, progress)
            switch = () if people else ("--all-bodies",)
            merge(folder, plan, as_typed("data", "prepare", card.name, raw, "--out", out, "--keep", keep, *switch))
            # An empty folder that the user made: the rename needs its place.
            if out.is_dir():
                out.rmdir()
            (folder / "store").rename(out)
            seconds = time.monotonic() - start
        else:
            seconds = 0.0
        shutil.rmtree(folder, ignore_errors=True)
    store = Store.open(out)
    info = store.info
    size = sum(entry["bytes"] for entry in info["files"].values())
    if bodies := info.get("left_out"):
        counts = ", ".join(f"{number:,} {kind}" for kind, number in bodies.items())
        text = f"Bodies that were joined, or excluded as no persons: {counts}; {out / LEFT_OUT} says which and why."
        note = "\n".join(filter(None, [note, text]))
    return Summary(
        card.name, str(out), info["found"], info["kept"], info["excluded"], info["rows"], size, seconds, note,
        tuple(implausible_recordings(store)),
    )  # fmt: skip


def _planned(
    card: DatasetCard, raw: Path, keep: Keep, missing: Path | None, *, people: bool = True
) -> tuple[dict[str, Any], str]:
    """Everything that decides what the store will hold, and a `key` over it."""
    if not raw.is_dir():
        raise InputError(f"raw: {raw} is not a folder. Give the folder that holds the recordings of {card.name!r}.")
    if is_store(raw):
        raise InputError(f"raw: got {raw}, a prepared store; expected the folder of recordings as downloaded.")
    sources: list[RecordingFile] = import_of(card, card.reader, "find", "read").find(raw, card)
    if not sources:
        raise InputError(
            f"{raw} holds no recordings that {card.reader} can read. How to get {card.name!r}: {card.obtain.strip()}"
        )
    if twice := [name for name, number in Counter(source.id for source in sources).items() if number > 1]:
        raise InputError(f"{raw} holds the recording {twice[0]!r} more than once. Give a folder with one copy of each.")
    listed, note = _listed_as_missing(card, raw, missing)
    # Of each file, size and time: contents would take as long to hash as to read. What a generator wrote beside a
    # recording counts too: a truth that was mended makes another store.
    beside = [path for source in sources for path in truth_files(source.path) if is_there(path)]
    state = [_size_and_time(path) for path in [*(source.path for source in sources), *beside]]
    items = [
        {
            "id": source.id,
            "path": source.path.relative_to(raw).as_posix(),
            "label": source.label,
            "fields": dict(source.fields),
            "problem": source.problem,
            "listed": source.id in listed,
        }
        for source in sources
    ]
    plan = {
        "version": VERSION,
        "stexplain": __version__,
        "card": card.name,
        "card_hash": card.hash,
        "reader": card.reader,
        "nodes": card.graph.nodes,
        "channels": card.axes.channels,
        "instances": card.axes.instances,
        "classes": [{"id": entry.id, "name": entry.name} for entry in card.classes],
        "keep": keep,
    }
    # Only where they are looked for, so that generated stores are what they were.
    if people:
        plan["people"] = True
    # A reader beside the card may change without the card; what the caller has elsewhere is its own affair.
    if source := hash_beside(card, card.reader):
        plan["reader_hash"] = source
    # Known from the names alone, so these files are never opened.
    refused = [item for item in items if item["problem"] or item["listed"]]
    read = [item for item in items if not (item["problem"] or item["listed"])]
    key = hashlib.sha256(json.dumps([plan, items, state], sort_keys=True).encode()).hexdigest()
    # Outside of the key: where things lie and who trusts what does not change what is read.
    # The processes that read may import this reader in any case: this one did, or had it imported already.
    allowed = sorted({*trusted_names(), module_named(card.reader)})
    places = {"raw": str(raw.resolve()), "beside": str(card.path.parent.resolve()), "trust": allowed}
    return {**plan, **places, "key": key, "refused": refused, "sources": read}, note


def _size_and_time(path: Path) -> tuple[int, int] | None:
    """Of a file; none of a link that leads nowhere, which is named among the recordings that could not be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _listed_as_missing(card: DatasetCard, raw: Path, missing: Path | None) -> tuple[set[str], str]:
    """The recordings that a list says to exclude, and a note where the card names a list that was not found."""
    named = card.files.get("missing")
    if missing is None and named is not None:
        lists = [path for path in (raw / named, raw.parent / named) if is_there(path)]
        if not lists:
            note = f"{named} was not given (--missing), so only recordings without any body are excluded as missing."
            return set(), note
        missing = lists[0]
    if missing is None:
        return set(), ""
    try:
        lines = read_text(Path(missing), "It should name recordings, one per line.").splitlines()
    except DataError as error:
        raise InputError(f"missing: {error}") from error
    # Prose, such as the heading of NTU's own list, has more than one word a line.
    names = {Path(line.strip()).stem for line in lines if len(line.split()) == 1}
    if not names:
        raise InputError(f"missing: {missing} names no recordings; expected one name per line.")
    return names, ""


def _exists_already(out: Path, key: str) -> bool:
    """Whether `out` is the store of this plan; an empty or missing folder is not.

    Raises:
        InputError: where it is anything else, which is never overwritten.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if is_store(out) and read_json(out / "store.json").get("key") == key:
        return True
    what = "a store of other recordings, or made in another way" if is_store(out) else "not a store"
    raise InputError(f"out: {out} exists and is {what}. Give another folder, or remove that one first.")


def _clear(folder: Path) -> None:
    """Removes what an interrupted preparation of another plan left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        # This process holds the lock: removing the file would let a second one in.
        elif path.name != "lock":
            path.unlink()


def _write_shards(folder: Path, plan: dict[str, Any], workers: int | None, engine: Engine, progress: bool) -> None:
    what = f"reading {len(plan['sources']):,} recordings, shards"
    with progress_bar(what, count(plan), shown=progress, after=0) as done:
        run_parts("stexplain.data.store.shards", folder, count(plan), engine=engine, workers=workers, done=done)
