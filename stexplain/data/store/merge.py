"""Joins the shards of a preparation to a store."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.data.store.prepared import COLUMNS, FORMAT, LEFT_OUT
from stexplain.data.store.shards import Shard, count, read_entries, read_shard
from stexplain.errors import DataError
from stexplain.files import atomic_write, sha256, write_json


def merge(folder: Path, plan: dict[str, Any], command: str) -> None:
    """Lays the shards of a plan end to end in `folder / "store"`.

    Args:
        folder: of the preparation.
        plan: the content of the folder's `plan.json`.
        command: that made the store, kept in `store.json`.

    Raises:
        DataError: where no recording can be used, or only some of them have a ground truth.
    """
    entries = [entry for number in range(count(plan)) for entry in read_entries(folder, number)]
    excluded = [_refusal(item) for item in plan["refused"]]
    # By content, the id of the recording that had it first; entries are in the order of ids.
    first_with: dict[str, str] = {}
    kept: list[dict[str, Any]] = []
    for entry in entries:
        name = plan["sources"][entry["source"]]["id"]
        if "content" in entry and (twin := first_with.setdefault(entry["content"], name)) != name:
            entry.update(kind="duplicate", reason=f"exactly the same positions as {twin}, the first by id")
        if "kind" in entry:
            excluded.append({"id": name, "kind": entry["kind"], "reason": entry["reason"]})
        else:
            kept.append(entry)
    if not kept:
        example = min(excluded, key=_by_id)
        raise DataError(
            f"none of the {len(excluded)} recordings in {plan['raw']} can be used. The first, {example['id']}: "
            f"{example['reason']}."
        )
    planted = {entry["planted"] for entry in kept}
    if len(planted) > 1:
        raise DataError(
            f"{plan['raw']} has a ground truth beside some recordings and not beside others. Remove it, or add "
            "what is missing."
        )
    # Shards of an older version have no such entry.
    without = {entry.get("counterfactual", False) for entry in kept}
    if len(without) > 1:
        raise DataError(
            f"{plan['raw']} has a counterfactual beside some recordings and not beside others. Remove it, or add "
            "what is missing."
        )
    keep = {entry["source"] for entry in kept}
    # Only classes that occur: labels then run from 0 without a gap, as a network's outputs do.
    labels = sorted({plan["sources"][entry["source"]]["label"] for entry in kept})
    nodes, rows = len(plan["nodes"]), sum(entry["frames"] * entry["instances"] for entry in kept)
    with atomic_write(folder / "store") as store:
        store.mkdir()
        index = _index(plan, kept, labels)
        index.to_csv(store / "index.csv", index=False)
        excluded.sort(key=_by_id)
        pd.DataFrame(excluded, columns=["id", "kind", "reason"]).to_csv(store / "excluded.csv", index=False)
        arrays = {"x": ((rows, nodes, len(plan["channels"])), "<f4"), "valid": ((rows,), "|b1")}
        # Most recordings see all nodes of a body or none; only others need to say which.
        if any(entry["partial"] for entry in kept):
            arrays["observed"] = ((rows, nodes), "|b1")
        if planted == {True}:
            arrays["truth"] = ((rows, nodes), "|b1")
        if without == {True}:
            arrays["counterfactual"] = arrays["x"]
        for name, (shape, kind) in arrays.items():
            # One shard at a time: the whole may be larger than memory.
            parts = (part for number in range(count(plan)) for part in _parts(read_shard(folder, number), name, keep))
            _write_array(store / f"{name}.npy", shape, kind, parts)
        # Where bodies were looked at, also if nothing was found: an empty table says so.
        if plan.get("people"):
            lines = [
                {"sample": plan["sources"][entry["source"]]["id"], **line}
                for entry in kept
                for line in entry.get("left_out", ())
            ]
            pd.DataFrame(lines, columns=["sample", "body", "kind", "reason"]).to_csv(store / LEFT_OUT, index=False)
        tables = ["index.csv", "excluded.csv", *([LEFT_OUT] if plan.get("people") else [])]
        names = [*tables, *(f"{name}.npy" for name in arrays)]
        bodies = Counter(line["kind"] for entry in kept for line in entry.get("left_out", ()))
        number_by_kind = Counter(line["kind"] for line in excluded)
        info = {
            "format": FORMAT,
            **{name: plan[name] for name in ("version", "stexplain", "card", "card_hash", "reader", "key")},
            "command": command,
            **{name: plan[name] for name in ("keep", "nodes", "channels", "instances")},
            "classes": [plan["classes"][label] for label in labels],
            "found": len(kept) + len(excluded),
            "kept": len(kept),
            "excluded": dict(sorted(number_by_kind.items())),
            # How many bodies were joined or left out, by kind; generated data has no such entry.
            **({"left_out": dict(sorted(bodies.items()))} if plan.get("people") else {}),
            "rows": rows,
            "files": {name: {"bytes": (store / name).stat().st_size, "sha256": sha256(store / name)} for name in names},
        }
        # Last, because a folder without it is no store.
        write_json(store / "store.json", info)


def _by_id(line: dict[str, str]) -> str:
    return line["id"]


def _refusal(item: dict[str, Any]) -> dict[str, str]:
    """The line of `excluded.csv` for a recording that was not read."""
    if item["problem"]:
        return {"id": item["id"], "kind": "unknown name or class", "reason": item["problem"]}
    return {"id": item["id"], "kind": "listed as missing", "reason": "named in the list of missing recordings"}


def _index(plan: dict[str, Any], kept: list[dict[str, Any]], labels: list[int]) -> pd.DataFrame:
    """The index of the recordings that are kept: `COLUMNS`, then the dataset's own fields."""
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
            f"the reader {plan['reader']} gives a field {min(clash)!r}, a name that the index itself uses. "
            "Give the field another name."
        )
    return pd.concat([table, fields], axis=1)


def _parts(shard: Shard, name: str, keep: set[int]) -> Iterator[NDArray[Any]]:
    """The rows of one array of a shard, recording by recording, without those that are excluded."""
    values, at = getattr(shard, name), 0
    for entry in shard.entries:
        if "kind" in entry:
            continue
        size = entry["frames"] * entry["instances"]
        # Duplicates have rows too, and are passed over.
        if entry["source"] in keep:
            yield values[at : at + size]
        at += size


def _write_array(path: Path, shape: tuple[int, ...], kind: str, parts: Iterable[NDArray[Any]]) -> None:
    """Writes a .npy file in order: on a full disk a memory map would kill the process, where a write says why."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": kind})
        for part in parts:
            file.write(np.ascontiguousarray(part, kind).tobytes())
