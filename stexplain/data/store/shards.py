"""One part of a preparation: reads some recordings and writes them as a shard.

`python -m stexplain.data.store.shards FOLDER FIRST STEP` writes every STEP-th shard from FIRST on, of the plan in
the folder. It is a process of its own: it needs no torch, cannot hang in a fork, and, unlike a pool's processes, does
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

# What an interrupted run loses at most, per process.
SIZE = 128
"""Recordings in a shard."""


@dataclass(frozen=True)
class Shard:
    """Some recordings, read.

    Attributes:
        entries: per recording its place in the plan (`source`), and either why it is excluded (`kind`, `reason`) or
            its `frames`, `instances`, `bodies`, and the SHA-256 of its positions (`content`).
        x: ``[rows, N, 3]``, the recordings that are not excluded, end to end.
        valid: ``[rows]``.
        truth: ``[rows, N]``, the ground truth; all false for recordings without one (`planted` of their entries).
        counterfactual: as `x`, of the same recordings without their cause; none where one of them has no such file.
    """

    entries: list[dict[str, Any]]
    x: NDArray[np.float32]
    valid: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    counterfactual: NDArray[np.float32] | None = None


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.npz"


def read_shard(folder: Path, number: int) -> Shard:
    """Reads a finished shard."""
    with np.load(shard_path(folder, number), allow_pickle=False) as arrays:
        entries = json.loads(arrays["entries"].tobytes())
        counterfactual = arrays["counterfactual"] if "counterfactual" in arrays.files else None
        return Shard(entries, arrays["x"], arrays["valid"], arrays["truth"], counterfactual)


def read_entries(folder: Path, number: int) -> list[dict[str, Any]]:
    """The entries of a finished shard, without its values."""
    with np.load(shard_path(folder, number), allow_pickle=False) as arrays:
        return list(json.loads(arrays["entries"].tobytes()))


def write_shard(folder: Path, plan: dict[str, Any], number: int) -> None:
    """Reads a shard's recordings and writes it, completely or not at all.

    Args:
        folder: of the preparation.
        plan: what `prepare` wrote there.
        number: of the shard.

    Raises:
        DataError: where the disk is full. A broken recording is no error: it is excluded, and its entry says why.
    """
    reader = import_object(plan["reader"], f"the card {plan['card']!r}")
    nodes = len(plan["nodes"])
    entries: list[dict[str, Any]] = []
    # Empty arrays first, so that a shard without a usable recording concatenates too.
    x, without = [np.zeros((0, nodes, 3), np.float32)], [np.zeros((0, nodes, 3), np.float32)]
    valid, truth = [np.zeros(0, bool)], [np.zeros((0, nodes), bool)]
    start = number * SIZE
    for source, item in enumerate(plan["sources"][start : start + SIZE], start):
        path = Path(plan["raw"]) / item["path"]
        entry: dict[str, Any] = {"source": source}
        entries.append(entry)
        try:
            recording = reader.read(path)
            planted = _beside(path, "truth", "bool", recording.xyz.shape[:3])
            counterfactual = _beside(path, "counterfactual", "float32", recording.xyz.shape)
            _check_positions(path, recording, nodes)
        except DataError as error:
            entry.update(kind="broken", reason=str(error))
            continue
        kept = choose_bodies(recording, plan["instances"], plan["keep"])
        valid_kept = recording.valid[kept]
        frames_with_body = int(valid_kept.any(axis=0).sum())
        if not frames_with_body:
            entry.update(kind="empty", reason="no body in any frame")
            continue
        # Of all bodies, before the choice; with the shape, since equal bytes of another shape are another recording.
        positions = repr(recording.xyz.shape).encode() + recording.xyz.tobytes()
        entry["content"] = hashlib.sha256(positions).hexdigest()
        if frames_with_body < 2:
            entry.update(kind="one frame", reason="a body in one frame only, so nothing moves")
            continue
        frames = valid_kept.shape[1]
        entry.update(frames=frames, instances=len(kept), bodies=len(recording.body_ids), planted=planted is not None)
        entry["counterfactual"] = counterfactual is not None
        # The same bodies in the same order, chosen by what was recorded: the two stay aligned row by row.
        for rows, values in ((x, recording.xyz), (without, counterfactual)):
            if values is not None:
                # [M, T, N, 3] -> [M * T, N, 3]: all frames of an instance, then those of the next.
                shown = np.where(valid_kept[:, :, None, None], values[kept], np.float32(0))
                rows.append(shown.reshape(-1, nodes, 3))
        valid.append(valid_kept.reshape(-1))
        true_positions = np.zeros((len(kept), frames, nodes), bool) if planted is None else planted[kept]
        # A body that is absent decides nothing.
        truth.append((true_positions & valid_kept[:, :, None]).reshape(-1, nodes))
    arrays: dict[str, Any] = {"x": np.concatenate(x), "valid": np.concatenate(valid), "truth": np.concatenate(truth)}
    if len(x) == len(without):
        arrays["counterfactual"] = np.concatenate(without)
    with atomic_write(shard_path(folder, number)) as temporary:
        np.savez(
            temporary,
            # JSON as bytes: the one array of a shard that holds text, without a pickle.
            entries=np.frombuffer(json.dumps(entries).encode(), np.uint8),
            **arrays,
        )


def _check_positions(path: Path, recording: Recording, nodes: int) -> None:
    shape = recording.xyz.shape
    if len(shape) != 4 or shape[2:] != (nodes, 3):
        raise DataError(f"{path}: got positions of shape {shape}; expected [M, T, {nodes}, 3], by the card.")
    if not np.isfinite(recording.xyz[recording.valid]).all():
        raise DataError(f"{path} has infinite positions.")


def _beside(path: Path, what: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """What a generator wrote beside a recording (its ground truth, its counterfactual), or none."""
    beside = path.with_suffix(f".{what}.npy")
    if not beside.is_file():
        return None
    try:
        values = np.load(beside, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{beside} is not readable as an array: {error}.") from error
    if values.dtype != kind or values.shape != shape:
        raise DataError(f"{beside}: got {values.dtype} {values.shape}; expected {kind} {shape}.")
    return np.asarray(values)


def count(plan: dict[str, Any]) -> int:
    """How many shards a plan has."""
    # Division rounded up.
    return -(-len(plan["sources"]) // SIZE)


def main(arguments: list[str]) -> int:
    """The process: writes the shards that are missing, and stops when its parent process is gone."""
    folder, first, step = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    parent = os.getppid()
    try:
        plan = read_json(folder / "plan.json")
        for number in range(first, count(plan), step):
            # The parent was killed: without this, its children would read on for hours.
            if os.getppid() != parent:
                return 0
            if not shard_path(folder, number).is_file():
                write_shard(folder, plan, number)
    except StexplainError as error:
        # The parent reads this and raises it.
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
