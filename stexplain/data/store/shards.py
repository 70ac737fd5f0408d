"""One part of a preparation: reads some recordings and writes them as a shard.

`python -m stexplain.data.store.shards FOLDER FIRST STEP` writes every STEP-th shard from FIRST on, of the plan in
the folder. A process of its own: it needs no torch, it cannot hang in a fork, and unlike a pool's processes it does
not run the caller's script again.
"""

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import import_object
from stexplain.data.recording import Recording, choose_bodies
from stexplain.errors import DataError, StexplainError
from stexplain.files import atomic_write, read_json

SIZE = 128
"""Recordings in a shard."""


@dataclass(frozen=True)
class Shard:
    """What came of some recordings.

    Attributes:
        entries: per recording its place in the plan (`source`), and either why it was left out (`kind`, `reason`) or
            its `frames`, `instances`, `bodies`, and the SHA-256 of its positions (`content`).
        x: ``[rows, N, 3]``, the recordings that were not left out, end to end.
        valid: ``[rows]``.
        truth: ``[rows, N]``; not planted where `entries` say so (`planted`).
    """

    entries: list[dict[str, Any]]
    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.npz"


def read_shard(folder: Path, number: int) -> Shard:
    """Reads a finished shard."""
    with np.load(shard_path(folder, number), allow_pickle=False) as arrays:
        entries = json.loads(arrays["entries"].tobytes())
        return Shard(entries, arrays["x"], arrays["valid"], arrays["truth"])


def read_entries(folder: Path, number: int) -> list[dict[str, Any]]:
    """The entries of a finished shard, without its values."""
    with np.load(shard_path(folder, number), allow_pickle=False) as arrays:
        return list(json.loads(arrays["entries"].tobytes()))


def write_shard(folder: Path, plan: dict[str, Any], number: int) -> None:
    """Reads a shard's recordings and writes it, whole or not at all.

    Args:
        folder: of the preparation.
        plan: what `prepare` wrote there.
        number: of the shard.

    Raises:
        DataError: where the disk is full. A broken recording is no error: it is left out, and its entry says why.
    """
    reader = import_object(plan["reader"], f"the card {plan['card']!r}")
    nodes = len(plan["nodes"])
    entries: list[dict[str, Any]] = []
    x = [np.zeros((0, nodes, 3), np.float32)]
    valid, truth = [np.zeros(0, bool)], [np.zeros((0, nodes), bool)]
    start = number * SIZE
    for source, item in enumerate(plan["sources"][start : start + SIZE], start):
        path = Path(plan["raw"]) / item["path"]
        entry: dict[str, Any] = {"source": source}
        entries.append(entry)
        try:
            recording = reader.read(path)
            planted = _truth(path, recording)
            _fits(path, recording, nodes)
        except DataError as error:
            entry.update(kind="broken", reason=str(error))
            continue
        kept = choose_bodies(recording, plan["instances"], plan["keep"])
        there = recording.valid[kept]
        seen = int(there.any(axis=0).sum())
        if not seen:
            entry.update(kind="empty", reason="no body in any frame")
            continue
        positions = repr(recording.xyz.shape).encode() + recording.xyz.tobytes()
        entry["content"] = hashlib.sha256(positions).hexdigest()
        if seen < 2:
            entry.update(kind="one frame", reason="a body in one frame only, so nothing moves")
            continue
        frames = there.shape[1]
        entry.update(frames=frames, instances=len(kept), bodies=len(recording.body_ids), planted=planted is not None)
        x.append(np.where(there[:, :, None, None], recording.xyz[kept], np.float32(0)).reshape(-1, nodes, 3))
        valid.append(there.reshape(-1))
        cells = np.zeros((len(kept), frames, nodes), bool) if planted is None else planted[kept]
        truth.append((cells & there[:, :, None]).reshape(-1, nodes))
    with atomic_write(shard_path(folder, number)) as temporary:
        np.savez(
            temporary,
            entries=np.frombuffer(json.dumps(entries).encode(), np.uint8),
            x=np.concatenate(x), valid=np.concatenate(valid), truth=np.concatenate(truth),
        )  # fmt: skip


def _fits(path: Path, recording: Recording, nodes: int) -> None:
    shape = recording.xyz.shape
    if len(shape) != 4 or shape[2:] != (nodes, 3):
        raise DataError(f"{path} has positions of shape {shape}; the card wants [M, T, {nodes}, 3].")
    if not np.isfinite(recording.xyz[recording.valid]).all():
        raise DataError(f"{path} has infinite positions.")


def _truth(path: Path, recording: Recording) -> NDArray[np.bool_] | None:
    """The planted truth that lies beside a recording, ``[M, T, N]``, or none."""
    beside = path.with_suffix(".truth.npy")
    if not beside.is_file():
        return None
    try:
        truth = np.load(beside, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{beside} is not readable as an array: {error}.") from error
    if truth.dtype != np.bool_ or truth.shape != recording.xyz.shape[:3]:
        raise DataError(f"{beside} is {truth.dtype} {truth.shape}; expected bool {recording.xyz.shape[:3]}.")
    return np.asarray(truth)


def count(plan: dict[str, Any]) -> int:
    """How many shards a plan has."""
    return -(-len(plan["sources"]) // SIZE)


def main(arguments: list[str]) -> int:
    """Writes the shards that are missing, and stops when the process that asked for them is gone."""
    folder, first, step = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    parent = os.getppid()
    try:
        plan = read_json(folder / "plan.json")
        for number in range(first, count(plan), step):
            if os.getppid() != parent:
                return 0
            if not shard_path(folder, number).is_file():
                write_shard(folder, plan, number)
    except StexplainError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
