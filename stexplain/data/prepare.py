"""Reads a dataset's recordings once, in parallel, into a store.

The recordings are divided into shards, each written aside and renamed. A run that was killed goes on with the shards
that are missing; the store itself appears by one rename when everything is in it. The same recordings give the same
bytes, however often the work was interrupted.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import DatasetCard, dataset_card, imported
from stexplain.data.recording import KEEP, Keep, Source
from stexplain.data.shards import Shard, count, read_entries, read_shard, shard_path, write_shard
from stexplain.data.store import COLUMNS, FORMAT, VERSION, Store, is_store
from stexplain.errors import DataError, InputError, unknown
from stexplain.files import read_json, sha256, write_json, written_aside
from stexplain.version import __version__


@dataclass(frozen=True)
class Summary:
    """What a preparation came to.

    Attributes:
        card: the dataset.
        out: the store.
        found: recordings that were found.
        kept: recordings in the store.
        left_out: how many recordings were left out, by kind; `left_out.csv` in the store names each.
        rows: instance-frames in the store.
        bytes: size of the store.
        seconds: how long it took; 0 where the store was there already.
        note: what the user should know, or nothing.
    """

    card: str
    out: str
    found: int
    kept: int
    left_out: dict[str, int]
    rows: int
    bytes: int
    seconds: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.out}: {self.kept:,} of {self.found:,} recordings of {self.card}, {self.rows:,} instance-frames, "
            f"{self.bytes / 1e6:,.1f} MB, {self.seconds:.1f} s"
        ]
        lines += [f"  left out, {kind}: {number:,}" for kind, number in self.left_out.items()]
        lines += [f"  {self.out}/left_out.csv says which and why"] if self.left_out else []
        return "\n".join([*lines, *([self.note] if self.note else [])])


def prepare(
    card: str | Path | DatasetCard,
    raw: Path,
    out: Path,
    *,
    workers: int | None = None,
    keep: Keep = "energy",
    missing: Path | None = None,
    progress: bool = True,
) -> Summary:
    """Prepares a store from a folder of recordings.

    Left out are recordings whose name or class the card does not know, that are listed as missing, that are broken,
    that hold no body or one frame only, and all but the first (by id) of recordings with exactly equal positions,
    which would leak from training to test.

    Args:
        card: of the dataset.
        raw: the folder of recordings; its subfolders are searched too.
        out: the store to make. Nothing is there until the store is whole.
        workers: processes; none: one per processor.
        keep: which bodies are kept where there are more than the card's instances, see `recording.choose`.
        missing: a file that names recordings to leave out, one a line. None: the file that the card names, where it
            lies in `raw`.
        progress: whether a bar is shown.

    Raises:
        InputError: where `raw` holds no recordings, or `out` is something else already.
        DataError: where no recording can be used, or the disk is full.
    """
    start = time.monotonic()
    card, raw, out = dataset_card(card), Path(raw), Path(out)
    if keep not in KEEP:
        raise unknown("choice of bodies to keep", keep, KEEP)
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers came; wanted at least 1.")
    plan, note = _planned(card, raw, keep, missing)
    with alone(out.with_name(f".{out.name}.preparing")) as folder:
        if not _there_already(out, plan["key"]):
            if not (folder / "plan.json").is_file() or read_json(folder / "plan.json").get("key") != plan["key"]:
                _clear(folder)
                write_json(folder / "plan.json", plan)
            _write_shards(folder, plan, workers or len(os.sched_getaffinity(0)), progress)
            _merge(folder, plan, f"stexplain data prepare {card.name} {raw} --out {out} --keep {keep}")
            if out.is_dir():
                out.rmdir()
            (folder / "store").rename(out)
            seconds = time.monotonic() - start
        else:
            seconds = 0.0
        shutil.rmtree(folder, ignore_errors=True)
    info = Store.open(out).info
    size = sum(entry["bytes"] for entry in info["files"].values())
    return Summary(
        card.name, str(out), info["found"], info["kept"], info["left_out"], info["rows"], size, seconds, note
    )


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Makes a folder and waits until no other process is in it; the block may remove it at its end.

    Raises:
        DataError: where it cannot be made.
    """
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "lock").open("w")
        except FileNotFoundError:  # removed by the process before us, between the two calls
            continue
        except OSError as error:
            raise DataError(f"{folder} could not be made: {error.strerror}. Is its parent writable?") from error
        with file:
            # The system lets go of this lock even where a process is killed.
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                ours = (folder / "lock").stat().st_ino == os.fstat(file.fileno()).st_ino
            except FileNotFoundError:
                ours = False
            if ours:
                yield folder
                return


def _planned(card: DatasetCard, raw: Path, keep: Keep, missing: Path | None) -> tuple[dict[str, Any], str]:
    """Everything that decides what the store will hold, and a `key` over it."""
    if not raw.is_dir():
        raise InputError(f"{raw} is not a folder. Give the folder that holds the recordings of {card.name!r}.")
    if is_store(raw):
        raise InputError(f"{raw} is a prepared store already. Give the folder of recordings as downloaded.")
    sources: list[Source] = imported(card.reader, f"the card {card.name!r}").find(raw, card)
    if not sources:
        raise InputError(
            f"{raw} holds no recordings that {card.reader} can read. How to get {card.name!r}: {card.obtain.strip()}"
        )
    if twice := [name for name, number in Counter(source.id for source in sources).items() if number > 1]:
        raise InputError(f"{raw} holds the recording {twice[0]!r} more than once. Give a folder with one copy of each.")
    listed, note = _listed(card, raw, missing)
    state = [(source.path.stat().st_size, source.path.stat().st_mtime_ns) for source in sources]
    items = [
        {
            "id": source.id,
            "path": str(source.path.relative_to(raw)),
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
    refused = [item for item in items if item["problem"] or item["listed"]]
    read = [item for item in items if not (item["problem"] or item["listed"])]
    key = hashlib.sha256(json.dumps([plan, items, state], sort_keys=True).encode()).hexdigest()
    return {**plan, "key": key, "raw": str(raw.resolve()), "refused": refused, "sources": read}, note


def _listed(card: DatasetCard, raw: Path, missing: Path | None) -> tuple[set[str], str]:
    """The recordings that a list says to leave out, and a note where the card names a list that is not there."""
    named = card.files.get("missing")
    if missing is None and named is not None:
        found = [path for path in (raw / named, raw.parent / named) if path.is_file()]
        if not found:
            note = f"{named} was not given (--missing), so only recordings without any body are left out as missing."
            return set(), note
        missing = found[0]
    if missing is None:
        return set(), ""
    try:
        lines = Path(missing).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{missing} could not be read: {error}. It should name recordings, one a line.") from error
    # Prose, such as the heading of NTU's own list, has more than one word a line.
    names = {Path(line.strip()).stem for line in lines if len(line.split()) == 1}
    if not names:
        raise InputError(f"{missing} names no recordings; wanted one name a line.")
    return names, ""


def _there_already(out: Path, key: str) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if is_store(out) and read_json(out / "store.json").get("key") == key:
        return True
    what = "a store of other recordings, or made in another way" if is_store(out) else "not a store"
    raise InputError(f"{out} is there already and is {what}. Give another folder, or remove that one first.")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _write_shards(folder: Path, plan: dict[str, Any], workers: int, progress: bool) -> None:
    from rich.progress import MofNCompleteColumn, Progress

    wanted = range(count(plan))
    missing = [number for number in wanted if not shard_path(folder, number).is_file()]
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task(f"Reading {len(plan['sources']):,} recordings", total=len(wanted))
        bar.update(task, completed=len(wanted) - len(missing))
        if min(workers, len(missing)) <= 1:
            for number in missing:
                write_shard(folder, plan, number)
                bar.advance(task)
            return
        with _processes(folder, min(workers, len(missing))) as running:
            while any(process.poll() is None for process, _ in running):
                bar.update(task, completed=sum(shard_path(folder, number).is_file() for number in wanted))
                time.sleep(0.1)
                if any(process.poll() not in (None, 0) for process, _ in running):
                    break
    if left := [number for number in wanted if not shard_path(folder, number).is_file()]:
        raise DataError(f"{len(left)} of {len(wanted)} parts were not written. Run the same command again to go on.")


@contextmanager
def _processes(folder: Path, number: int) -> Iterator[list[tuple[subprocess.Popen[bytes], IO[bytes]]]]:
    """Processes that write shards. They end with the block; what one of them reported as wrong is raised."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        for first in range(number):
            log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, with its process
            command = [sys.executable, "-m", "stexplain.data.shards", str(folder), str(first), str(number)]
            running.append((subprocess.Popen(command, stderr=log, env=environment), log))
        yield running
        for process, log in running:
            if process.poll() not in (None, 0):
                log.seek(0)
                told = log.read().decode("utf-8", "replace").strip()
                raise DataError(told or f"A process that reads recordings ended with {process.returncode}.")
    finally:
        for process, log in running:
            process.terminate()
            process.wait()
            log.close()


def _merge(folder: Path, plan: dict[str, Any], command: str) -> None:
    """Lays the shards end to end in `folder / "store"`."""
    entries = [entry for number in range(count(plan)) for entry in read_entries(folder, number)]
    left_out = [_refusal(item) for item in plan["refused"]]
    first_with: dict[str, str] = {}
    kept: list[dict[str, Any]] = []
    for entry in entries:
        name = plan["sources"][entry["source"]]["id"]
        if "content" in entry and (twin := first_with.setdefault(entry["content"], name)) != name:
            entry.update(kind="duplicate", reason=f"exactly the same positions as {twin}, which comes first")
        if "kind" in entry:
            left_out.append({"id": name, "kind": entry["kind"], "reason": entry["reason"]})
        else:
            kept.append(entry)
    if not kept:
        example = min(left_out, key=_by_id)
        raise DataError(
            f"none of the {len(left_out)} recordings in {plan['raw']} can be used. The first, {example['id']}: "
            f"{example['reason']}."
        )
    planted = {entry["planted"] for entry in kept}
    if len(planted) > 1:
        raise DataError(f"{plan['raw']} has planted truth beside some recordings and not beside others.")
    keep = {entry["source"] for entry in kept}
    labels = sorted({plan["sources"][entry["source"]]["label"] for entry in kept})
    nodes, rows = len(plan["nodes"]), sum(entry["frames"] * entry["instances"] for entry in kept)
    with written_aside(folder / "store") as store:
        store.mkdir()
        index = _index(plan, kept, labels)
        index.to_csv(store / "index.csv", index=False)
        left_out.sort(key=_by_id)
        pd.DataFrame(left_out, columns=["id", "kind", "reason"]).to_csv(store / "left_out.csv", index=False)
        arrays = {"x": ((rows, nodes, 3), "<f4"), "valid": ((rows,), "|b1")}
        if planted == {True}:
            arrays["truth"] = ((rows, nodes), "|b1")
        for name, (shape, kind) in arrays.items():
            parts = (part for number in range(count(plan)) for part in _kept(read_shard(folder, number), name, keep))
            _write_array(store / f"{name}.npy", shape, kind, parts)
        names = ["index.csv", "left_out.csv", *(f"{name}.npy" for name in arrays)]
        number_by_kind = Counter(line["kind"] for line in left_out)
        info = {
            "format": FORMAT,
            **{name: plan[name] for name in ("version", "stexplain", "card", "card_hash", "reader", "key")},
            "command": command,
            **{name: plan[name] for name in ("keep", "nodes", "channels", "instances")},
            "classes": [plan["classes"][label] for label in labels],
            "found": len(kept) + len(left_out),
            "kept": len(kept),
            "left_out": dict(sorted(number_by_kind.items())),
            "rows": rows,
            "files": {name: {"bytes": (store / name).stat().st_size, "sha256": sha256(store / name)} for name in names},
        }
        write_json(store / "store.json", info)


def _by_id(line: dict[str, str]) -> str:
    return line["id"]


def _refusal(item: dict[str, Any]) -> dict[str, str]:
    if item["problem"]:
        return {"id": item["id"], "kind": "unknown name or class", "reason": item["problem"]}
    return {"id": item["id"], "kind": "listed as missing", "reason": "named in the list of missing recordings"}


def _index(plan: dict[str, Any], kept: list[dict[str, Any]], labels: list[int]) -> pd.DataFrame:
    sources = [plan["sources"][entry["source"]] for entry in kept]
    sizes = [entry["frames"] * entry["instances"] for entry in kept]
    table = pd.DataFrame(
        {
            "id": [source["id"] for source in sources],
            "class": [plan["classes"][source["label"]]["id"] for source in sources],
            "label": [labels.index(source["label"]) for source in sources],
            **{name: [entry[name] for entry in kept] for name in ("frames", "instances", "bodies")},
            "offset": np.cumsum([0, *sizes[:-1]]),
        },
        columns=list(COLUMNS),
    )
    fields = pd.DataFrame([source["fields"] for source in sources], index=table.index)
    if clash := set(fields.columns) & set(COLUMNS):
        raise DataError(
            f"the reader {plan['reader']} gives a field {clash.pop()!r}, a name that the index uses itself."
        )
    return pd.concat([table, fields], axis=1)


def _kept(shard: Shard, name: str, keep: set[int]) -> Iterator[NDArray[Any]]:
    values, at = getattr(shard, name), 0
    for entry in shard.entries:
        if "kind" in entry:
            continue
        size = entry["frames"] * entry["instances"]
        if entry["source"] in keep:
            yield values[at : at + size]
        at += size


def _write_array(path: Path, shape: tuple[int, ...], kind: str, parts: Iterable[NDArray[Any]]) -> None:
    """A .npy file, written in order: on a full disk a memory map would kill the process, where a write says why."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": kind})
        for part in parts:
            file.write(np.ascontiguousarray(part, kind).tobytes())
