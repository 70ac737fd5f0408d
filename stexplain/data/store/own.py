"""Clips of a user's own files as a prepared store with a card of its own."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stexplain.cards import dataset_card
from stexplain.data.grouping import own_grouping
from stexplain.data.store.implausible import implausible_recordings
from stexplain.data.store.prepare import Summary
from stexplain.data.store.prepared import CARD, COLUMNS, FORMAT, LEFT_OUT, VERSION, Store
from stexplain.errors import InputError
from stexplain.files import atomic_write, sha256, write_json
from stexplain.reading import given_path
from stexplain.version import __version__

if TYPE_CHECKING:
    from stexplain.data.clips import Clips

_FOLDS = 10


def write_own(out: str | Path, read: "Callable[[Path], Clips]", *, name: str, command: str, unlabelled: str) -> Summary:
    """Writes a store of clips, with a card; `load_dataset(out)` reads it.

    The card's protocols are the splits that the files name, else one by subject where there are at least three, else
    one by a tenth of the recordings, drawn by their names.

    Args:
        out: the folder to write; it does not exist yet, or is empty.
        read: gives the clips; the file at this path may name what was left out, as `LEFT_OUT` does.
        name: of the dataset.
        command: that writes the same again.
        unlabelled: what to do where a recording has no class, for the message.

    Raises:
        InputError: where `out` exists, or recordings have no labels.
    """
    start = time.monotonic()
    out = given_path(out, "out")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"out: {out} exists. Give another folder, or remove that one first.")
    with atomic_write(out) as store:
        store.mkdir()
        clips = read(store / LEFT_OUT)
        if (clips.labels < 0).any():
            first = clips.ids[int(np.flatnonzero(clips.labels < 0)[0])]
            raise InputError(f"labels: {first!r} has none. {unlabelled}")
        if not (store / LEFT_OUT).exists():
            (store / LEFT_OUT).write_text("sample,body,kind,reason\n", "utf-8")
        _index(clips).to_csv(store / "index.csv", index=False)
        # As a store reads it: "7" of a subject is a number then, and the card must name the number.
        table = pd.read_csv(store / "index.csv", dtype={"id": str, "class": str}, keep_default_na=False)
        (store / CARD).write_text(_card(name, clips, table), "utf-8")
        summary = _written(store, name, clips, command)
        card_hash = dataset_card(store).hash
        write_json(store / "store.json", {**summary, "card_hash": card_hash})
    size = sum(entry["bytes"] for entry in summary["files"].values())
    note = f"Its card is {out / CARD}. Load it by stexplain.load_dataset({str(out.absolute())!r})."
    if any(summary["excluded"].values()):
        note += f" {out / LEFT_OUT} names what was left out or joined."
    seconds = time.monotonic() - start
    return Summary(
        name, str(out), summary["found"], len(clips), summary["excluded"], summary["rows"], size, seconds, note,
        tuple(implausible_recordings(Store.open(out))),
    )  # fmt: skip


def _index(clips: "Clips") -> pd.DataFrame:
    """The index of the store: its columns, then the fields, and a fold where nothing else splits the recordings."""
    table = clips.table
    # A copy of another column, such as the subject, says nothing more.
    if "group" in table and (next(iter(own_grouping(table))) != "group" or (table["group"].astype(str) == "").any()):
        table = table.drop(columns="group")
    frames, instances = (table[column].to_numpy(np.int64) for column in ("frames", "instances"))
    index = pd.DataFrame(
        {
            "id": table["id"].astype(str),
            "class": [clips.classes[label] for label in clips.labels],
            "label": clips.labels,
            "frames": frames,
            "instances": instances,
            "bodies": instances,
            "offset": np.cumsum([0, *(frames * instances)[:-1]]),
        },
        columns=list(COLUMNS),
    )
    rest = table.drop(columns=[column for column in (*COLUMNS, "label") if column in table])
    index = pd.concat([index, rest], axis=1)
    # A split of the files names no recordings for early stopping: a fold of the training split is.
    if "split" in rest or "subject" not in rest or rest["subject"].nunique() < 3:
        index["fold"] = [int(hashlib.sha256(name.encode()).hexdigest(), 16) % _FOLDS for name in index["id"]]
    return index


def _protocols(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Title and selections of each protocol, by its name."""
    if "split" in table:
        values = sorted({str(value) for value in table["split"] if value})
        parts = sorted({part for value in values for part in value.split()})
        found = {}
        for part in (part for part in parts if "train" in part):
            named = part.replace("_train", "").replace("train", "") or "own"
            held, tested = ({part.replace("train", of)} & set(parts) for of in ("val", "test"))
            # With a test split of its own, the one called val is for early stopping; without, it is the test split.
            stops = [value for value in values if held & set(value.split())] if tested else []
            chosen = [value for value in values if part in value.split() and value not in stops]
            found[named] = {"title": f"the files' own split, {part}", "field": "split", "train": [*chosen, *stops]}
            found[named] |= {"validation": stops} if stops else _held_out(table[table["split"].isin(chosen)])
        if found:
            return found
    enough = "subject" in table and table["subject"].nunique() >= 3
    field = "subject" if enough else "fold"
    values = sorted(set(table[field]), key=str)
    count = max(1, round(0.7 * len(values)))
    train = [value if isinstance(value, int) else str(value) for value in map(_plain, values[:count])]
    title = f"{count} of {len(values)} {'subjects' if field == 'subject' else 'tenths'} train"
    return {f"by-{field}": {"title": title, "field": field, "train": train, "validation": train[-1:]}}


def _held_out(training: pd.DataFrame) -> dict[str, Any]:
    """The part of the training recordings for early stopping, where nothing says which: a subject, else a fold.

    The last subject; of the folds the smallest, for they are drawn.
    """
    if "subject" in training and training["subject"].nunique() > 1:
        values = sorted(set(training["subject"]), key=str)[-1:]
        return {"validation": list(map(_plain, values)), "validation_field": "subject"}
    counts = training["fold"].value_counts(sort=False).sort_index()
    return {"validation": [int(str(counts.idxmin()))], "validation_field": "fold"}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _card(name: str, clips: "Clips", table: pd.DataFrame) -> str:
    """The card as TOML. Text and lists of JSON are those of TOML."""

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    graph = clips.graph
    edges = [[graph.nodes[a], graph.nodes[b]] for a, b in graph.edges.tolist()]
    lines = [
        f"name = {text(name)}",
        f"title = {text(name)}",
        f"summary = {text(f'{len(clips)} recordings of {len(clips.classes)} classes, {len(graph)} nodes')}",
        'licence = "not stated"',
        'url = "not stated"',
        'citation = "not stated"',
        'obtain = "It was prepared from files of your own."',
        'reader = "stexplain.data.skeletons.formats"',
    ]
    if levels := [level for level in ("group", "subject") if level in table]:
        lines += ["", "[grouping]", *(f'{level} = ["{level}"]' for level in levels)]
    lines += [
        "",
        "[axes]",
        f"instances = {clips.instances}",
        f"channels = {text(clips.channels)}",
        f"unit = {text(', '.join(dict.fromkeys(clips.measured.units)) or 'not stated')}",
        "# frame_rate = 30.0  # frames per second: the files do not state them; without, time is in frames"
        if clips.measured.frame_rate is None
        else f"frame_rate = {clips.measured.frame_rate!r}",
        "",
        "[graph]",
        f"nodes = {text(list(graph.nodes))}",
        f"edges = {text(edges)}",
        *([f"center = {text(graph.center)}"] if graph.center is not None else []),
        *([f"weight = {text(graph.weight.tolist())}"] if (graph.weight != 1).any() else []),
        *(["directed = true"] if graph.directed else []),
    ]
    if graph.groups:
        lines += ["", "[graph.groups]", *(f"{text(key)} = {text(list(of))}" for key, of in graph.groups.items())]
    if graph.positions is not None:
        lines += ["", "[graph.positions]"]
        lines += [
            f"{text(node)} = {text(place)}" for node, place in zip(graph.nodes, graph.positions.tolist(), strict=True)
        ]
    for kind in clips.classes:
        lines += ["", "[[classes]]", f"id = {text(kind)}", f"name = {text(kind)}"]
    for key, protocol in _protocols(table).items():
        field = protocol["field"]
        held = protocol.get("validation_field", field)
        lines += [
            "",
            f"[protocols.{text(key)}]",
            f"title = {text(protocol['title'])}",
            f"train = {{field = {text(field)}, values = {text(protocol['train'])}}}",
            f"validation = {{field = {text(held)}, values = {text(protocol['validation'])}}}",
        ]
    return "\n".join(lines) + "\n"


def _written(store: Path, name: str, clips: "Clips", command: str) -> dict[str, Any]:
    """The content of `store.json`, after the arrays are written."""
    rows = clips._rows
    left_out = pd.read_csv(store / LEFT_OUT, dtype=str, keep_default_na=False)
    gone = left_out[left_out["body"] == ""]
    columns = {"sample": "id"}
    gone.rename(columns=columns)[["id", "kind", "reason"]].to_csv(store / "excluded.csv", index=False)
    arrays = {"x": rows.x, "valid": rows.valid, "observed": rows.observed}
    names = ["index.csv", "excluded.csv"]
    for key, array in arrays.items():
        if array is not None:
            np.save(store / f"{key}.npy", array)
            names.append(f"{key}.npy")
    return {
        "format": FORMAT,
        "version": VERSION,
        "stexplain": __version__,
        "card": name,
        "reader": "stexplain.data.skeletons.formats",
        "key": sha256(store / "x.npy"),
        "command": command,
        "keep": "energy",
        "nodes": list(clips.graph.nodes),
        "channels": clips.channels,
        "instances": clips.instances,
        "measured": asdict(clips.measured),
        "classes": [{"id": kind, "name": kind} for kind in clips.classes],
        "found": len(clips) + len(gone),
        "kept": len(clips),
        "excluded": gone["kind"].value_counts().to_dict(),
        "rows": len(rows.valid),
        "files": {each: {"bytes": (store / each).stat().st_size, "sha256": sha256(store / each)} for each in names},
    }
