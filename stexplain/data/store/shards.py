"""One part of a preparation: reads some recordings and writes them as a shard.

It is a writer of parts for `stexplain.engine`: all that a shard needs is in the plan in the folder. It needs no torch.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import import_object, trusting
from stexplain.data.recording import Recording, choose_bodies
from stexplain.data.store.tracking import persons
from stexplain.errors import DataError
from stexplain.files import atomic_write, read_json
from stexplain.reading import is_there, readable
from stexplain.reading.npy import Archive, load_npy, opened_npz
from stexplain.reading.shape import Form, check_shape

# What an interrupted run loses at most, per process.
SIZE = 128
"""Recordings in a shard."""
_AGAIN = "Remove it, and run the same command again."


class _Excluded(Form):
    source: int
    kind: str
    reason: str


class _Kept(Form):
    source: int
    content: str
    frames: int
    instances: int
    bodies: int
    planted: bool
    partial: bool


class _Source(Form):
    id: str
    path: str
    label: int
    fields: dict[str, int | str]


class _Plan(Form):
    """What is taken from `plan.json`."""

    card: str
    reader: str
    raw: str
    keep: str
    instances: int
    nodes: list[str]
    channels: list[str]
    sources: list[_Source]


@dataclass(frozen=True)
class Shard:
    """Some recordings, read.

    Attributes:
        entries: per recording its place in the plan (`source`), and either why it is excluded (`kind`, `reason`) or
            its `frames`, `instances`, `bodies`, and the SHA-256 of its positions (`content`).
        x: ``[rows, N, C]``, the recordings that are not excluded, end to end; zero where not valid or not observed.
        valid: ``[rows]``.
        observed: ``[rows, N]``, which nodes were read; `partial` of an entry says whether any valid frame lacks one.
        truth: ``[rows, N]``, the ground truth; all false for recordings without one (`planted` of their entries).
        counterfactual: as `x`, of the same recordings without their cause; none where one of them has no such file.
    """

    entries: list[dict[str, Any]]
    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    observed: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    counterfactual: NDArray[np.float32] | None = None


def part_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.npz"


def read_shard(folder: Path, number: int) -> Shard:
    """Reads a finished shard."""
    with opened_npz(part_path(folder, number), _AGAIN) as arrays:
        entries = _entries(part_path(folder, number), arrays)
        counterfactual = arrays["counterfactual"] if "counterfactual" in arrays.names else None
        return Shard(entries, arrays["x"], arrays["valid"], arrays["observed"], arrays["truth"], counterfactual)


def read_entries(folder: Path, number: int) -> list[dict[str, Any]]:
    """The entries of a finished shard, without its values."""
    with opened_npz(part_path(folder, number), _AGAIN) as arrays:
        return _entries(part_path(folder, number), arrays)


def _entries(path: Path, arrays: Archive) -> list[dict[str, Any]]:
    with readable(path, "a shard", _AGAIN):
        found = json.loads(arrays["entries"].tobytes())
    check_shape(path, found, list[_Excluded | _Kept], _AGAIN)
    entries: list[dict[str, Any]] = list(found)
    rows = sum(entry["frames"] * entry["instances"] for entry in entries if "frames" in entry)
    sources = [entry["source"] for entry in entries]
    # Rows are found by counting those before them: one entry that is wrong would shift all others.
    if sources != list(range(sources[0] if sources else 0, len(sources) + (sources[0] if sources else 0))) or (
        rows != len(arrays["valid"])
    ):
        raise DataError(f"{path} contradicts itself: its entries do not fit its arrays. {_AGAIN}")
    return entries


def write_part(folder: Path, number: int) -> None:
    """Writes a shard of the plan in the folder; see `write_shard`."""
    plan_file = folder / "plan.json"
    write_shard(folder, _plan(plan_file, plan_file.stat().st_mtime_ns), number)


@lru_cache(maxsize=1)
def _plan(file: Path, written: int) -> dict[str, Any]:
    # Of a large dataset it takes as long to read as some recordings: once a process.
    return read_json(file, _Plan)


def write_shard(folder: Path, plan: dict[str, Any], number: int) -> None:
    """Reads a shard's recordings and writes it, completely or not at all.

    Args:
        folder: of the preparation.
        plan: what `prepare` wrote there.
        number: of the shard.

    Raises:
        DataError: where the disk is full. A broken recording is no error: it is excluded, and its entry says why.
    """
    with trusting(plan["trust"]):
        reader = import_object(plan["reader"], f"the card {plan['card']!r}", beside=Path(plan["beside"]))
    nodes, channels = len(plan["nodes"]), len(plan["channels"])
    entries: list[dict[str, Any]] = []
    # Empty arrays first, so that a shard without a usable recording concatenates too.
    x, without = [np.zeros((0, nodes, channels), np.float32)], [np.zeros((0, nodes, channels), np.float32)]
    valid, observed, truth = [np.zeros(0, bool)], [np.zeros((0, nodes), bool)], [np.zeros((0, nodes), bool)]
    start = number * SIZE
    for source, item in enumerate(plan["sources"][start : start + SIZE], start):
        path = Path(plan["raw"]) / item["path"]
        entry: dict[str, Any] = {"source": source}
        entries.append(entry)
        try:
            # A reader of the user's own may raise anything; one broken recording of thousands is excluded by it.
            with readable(path, f"a recording by {plan['reader']}"):
                recording = reader.read(path)
            planted = _beside(path, "truth", "bool", recording.values.shape[:3])
            counterfactual = _beside(path, "counterfactual", "float32", recording.values.shape)
            _check_values(path, recording, nodes, plan["channels"])
            bodies = len(recording.body_ids)
        except DataError as error:
            entry.update(kind="broken", reason=str(error))
            continue
        # Of all bodies as recorded; with the shape, since equal bytes of another shape are another recording.
        positions = repr(recording.values.shape).encode() + recording.values.tobytes()
        # A generator knows its bodies, and its ground truth is by them.
        if plan.get("people") and planted is None and counterfactual is None and recording.values.shape[1]:
            recording, left_out = _persons(recording, plan["channels"])
            if left_out:
                entry["left_out"] = left_out
        kept = choose_bodies(recording, plan["instances"], plan["keep"], spatial(plan["channels"]))
        valid_kept = recording.valid[kept]
        frames_with_body = int(valid_kept.any(axis=0).sum())
        if not frames_with_body:
            entry.update(kind="empty", reason="no body in any frame")
            continue
        entry["content"] = hashlib.sha256(positions).hexdigest()
        if frames_with_body < 2:
            entry.update(kind="one frame", reason="a body in one frame only, so nothing moves")
            continue
        frames = valid_kept.shape[1]
        entry.update(frames=frames, instances=len(kept), bodies=bodies, planted=planted is not None)
        entry["counterfactual"] = counterfactual is not None
        seen = recording.observed[kept] & valid_kept[:, :, None]
        entry["partial"] = bool((valid_kept[:, :, None] & ~seen).any())
        # The same bodies in the same order, chosen by what was recorded: the two stay aligned row by row.
        for rows, values in ((x, recording.values), (without, counterfactual)):
            if values is not None:
                # [M, T, N, C] -> [M * T, N, C]: all frames of an instance, then those of the next.
                shown = np.where(seen[..., None], values[kept], np.float32(0))
                rows.append(shown.reshape(-1, nodes, channels))
        valid.append(valid_kept.reshape(-1))
        observed.append(seen.reshape(-1, nodes))
        true_positions = np.zeros((len(kept), frames, nodes), bool) if planted is None else planted[kept]
        # A body that is absent decides nothing.
        truth.append((true_positions & valid_kept[:, :, None]).reshape(-1, nodes))
    named: dict[str, list[NDArray[Any]]] = {"x": [*x], "valid": [*valid], "observed": [*observed], "truth": [*truth]}
    arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in named.items()}
    if len(x) == len(without):
        arrays["counterfactual"] = np.concatenate(without)
    with atomic_write(part_path(folder, number)) as temporary:
        np.savez(
            temporary,
            # JSON as bytes: the one array of a shard that holds text, without a pickle.
            entries=np.frombuffer(json.dumps(entries).encode(), np.uint8),
            **arrays,
        )


def _persons(recording: Recording, channels: Sequence[str]) -> tuple[Recording, list[dict[str, str]]]:
    """A recording with its persons alone, and which bodies were joined or left out; see `people`."""
    axes = spatial(channels)
    # Where nothing says which channels are positions, nothing says what a body is.
    if axes is None or axes != list(range(len(axes))):
        return recording, []
    values, stay, said = persons(recording.values, len(axes))
    ids = recording.body_ids
    lines = [{"body": str(ids[one.body]), "kind": one.kind, "reason": one.said(ids)} for one in said]
    return Recording(values, tuple(ids[body] for body in stay)), lines


def spatial(channels: Sequence[str]) -> list[int] | None:
    """Which channels are positions, by their names x, y and z; none: nothing says so, and all count."""
    return [index for index, name in enumerate(channels) if name in ("x", "y", "z")] or None


def _check_values(path: Path, recording: Recording, nodes: int, channels: Sequence[str]) -> None:
    shape = recording.values.shape
    if len(shape) != 4 or shape[2:] != (nodes, len(channels)):
        raise DataError(
            f"{path}: got values of shape {shape}; expected [M, T, {nodes}, {len(channels)}], for the nodes and the "
            f"channels ({', '.join(channels)}) of the card."
        )
    if np.isinf(recording.values).any():
        raise DataError(f"{path}: got infinite values; expected numbers, or NaN where nothing was seen.")


def truth_files(path: Path) -> list[Path]:
    """Where a generator writes the ground truth of a recording, and the same recording without its cause."""
    return [path.with_suffix(f".{what}.npy") for what in ("truth", "counterfactual")]


def _beside(path: Path, what: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """What a generator wrote beside a recording (its ground truth, its counterfactual), or none."""
    beside = path.with_suffix(f".{what}.npy")
    if not is_there(beside):
        return None
    values = load_npy(beside)
    if values.dtype != kind or values.shape != shape:
        raise DataError(f"{beside}: got {values.dtype} {values.shape}; expected {kind} {shape}.")
    return values


def count(plan: dict[str, Any]) -> int:
    """How many shards a plan has."""
    # Division rounded up.
    return -(-len(plan["sources"]) // SIZE)
