"""Reads NTU RGB+D's `.skeleton` files.

A file is text: the number of frames; per frame the number of bodies; per body a line of ten values that starts with
the body's id, the number of joints (25), and one line of twelve values per joint (`FIELDS`).

Speed matters: there are 56,880 files of some 280 KB. The numbers go through pandas' C parser in one call, and every
count and every field is verified on the way. A file that this parse refuses is read again line by line, which is slow
and says which line is wrong.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import DatasetCard
from stexplain.checking import checked
from stexplain.data.recording import Recording, RecordingFile
from stexplain.errors import DataError, unknown
from stexplain.reading import read_bytes
from stexplain.reading.contents import files_under
from stexplain.wording import counted

FIELDS = (
    "x", "y", "z", "depth_x", "depth_y", "color_x", "color_y",
    "orientation_w", "orientation_x", "orientation_y", "orientation_z", "tracking",
)  # fmt: skip
"""The columns of a joint: position in metres, pixel in the depth and in the colour image, orientation as a
quaternion, and tracking state (0 not tracked, 1 inferred, 2 tracked)."""
JOINTS = 25
BODY_FIELDS = 10

# A body's line is padded to the width of a joint's, so that one table holds both.
_PAD = (len(FIELDS) - BODY_FIELDS) * b"0 "
_NAME = re.compile(r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<replication>\d{3})(?P<action>A\d{3})")
_NUMERIC = b"0123456789+-.eE \r\n"


class _Refused(Exception):
    """The fast parse met something unusual, which may or may not be an error."""


def find(root: Path, card: DatasetCard) -> list[RecordingFile]:
    """The recordings under a folder, sorted by id; no file is opened.

    Args:
        root: a folder; its subfolders are searched too.
        card: whose class ids (``"A001"`` ...) give the labels.

    Returns:
        One entry per ``*.skeleton`` file. Where the name is not of the form ``S001C001P001R001A001``, or its action
        is no class of the card, the label is -1 and `problem` says why.
    """
    labels = {entry.id: label for label, entry in enumerate(card.classes)}
    files = []
    # By name first, not by folder: the order of recordings must not depend on how they were unpacked.
    for path in sorted(
        (path for path in files_under(Path(root)) if path.match("*.skeleton")), key=lambda path: (path.stem, path)
    ):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            problem = "the name is not of the form S001C001P001R001A001, so class, subject and camera are unknown"
            files.append(RecordingFile(path.stem, path, -1, {}, problem))
            continue
        action = match["action"]
        fields = {name: int(match[name]) for name in ("setup", "camera", "subject", "replication")}
        problem = "" if action in labels else f"action {action} is not a class of the card {card.name!r}"
        files.append(RecordingFile(path.stem, path, labels.get(action, -1), fields, problem))
    return files


@checked
def read(path: Path, fields: Sequence[str] = ()) -> Recording:
    r"""Reads one recording, all bodies of it.

    Args:
        path: of a ``.skeleton`` file, under any name.
        fields: names of `FIELDS` to keep beside x, y and z.

    Returns:
        Bodies in the order in which they first appear, distinguished by id. Frames without a body stay, as NaN; so do
        those in which all of its joints are zero.

    Raises:
        DataError: where the file is missing, truncated or corrupt: names the line, what it has and what was expected.
        InputError: where a field is unknown.

    Example:
        >>> import tempfile
        >>> joint = " ".join(["0.5"] * 12) + "\n"
        >>> path = Path(tempfile.mkdtemp()) / "one_frame.skeleton"
        >>> _ = path.write_text("1\n1\n72057594037931101 0 1 1 1 1 0 0.1 0.2 2\n25\n" + 25 * joint)
        >>> recording = read(path, fields=["tracking"])
        >>> recording.values.shape, recording.body_ids
        ((1, 1, 25, 3), (72057594037931101,))
    """
    for name in fields:
        if name not in FIELDS:
            raise unknown("field of a joint", name, FIELDS)
    # A byte order mark, as editors on Windows write it, is no digit.
    data = read_bytes(Path(path)).removeprefix(b"\xef\xbb\xbf")
    try:
        return _assemble(*_parse_fast(data), fields)
    except _Refused:
        return _assemble(*_parse_strictly(data, path), fields)


def _parse_fast(data: bytes) -> tuple[int, NDArray[np.intp], list[int], NDArray[np.float32]]:
    """Frames, the frame and id of each body seen, and the values ``[seen, joints, fields]``; or `_Refused`."""
    # Without other characters, no word, quote or NaN can mislead the C parser.
    if data.translate(None, _NUMERIC):
        raise _Refused
    lines = data.rstrip().split(b"\n")
    frame_of: list[int] = []
    ids: list[int] = []
    rows: list[bytes] = []
    at = 1
    try:
        frames = int(lines[0])
        for frame in range(frames):
            bodies = int(lines[at])
            at += 1
            if not 0 <= bodies <= len(lines) - at:
                raise _Refused
            for _ in range(bodies):
                head = lines[at]
                if int(lines[at + 1]) != JOINTS:
                    raise _Refused
                frame_of.append(frame)
                # As int, for ids exceed what a float holds exactly.
                ids.append(int(head.split(b" ", 1)[0]))
                # Padded to the width of a joint, the body's line is checked by the same call.
                rows.append(_PAD + head)
                rows += lines[at + 2 : at + 2 + JOINTS]
                at += 2 + JOINTS
    except (ValueError, IndexError):
        raise _Refused from None
    if (
        frames < 0
        or at != len(lines)
        or len(set(zip(frame_of, ids, strict=True))) != len(ids)
        or min(ids, default=0) < 0
    ):
        raise _Refused
    if not rows:
        return frames, np.zeros(0, np.intp), [], np.zeros((0, JOINTS, len(FIELDS)), np.float32)
    try:
        table = pd.read_csv(
            io.BytesIO(b"\n".join(rows)), sep=" ", header=None, names=list(FIELDS), index_col=False, engine="c",
            dtype=np.float64, na_filter=False, quoting=csv.QUOTE_NONE, skip_blank_lines=False, low_memory=False,
        )  # fmt: skip
    except ValueError:  # which pandas' ParserError is
        raise _Refused from None
    # A carriage return within a line splits it in two for the C parser.
    if len(table) != len(rows):
        raise _Refused
    # Too large for float32 becomes infinite, which the next check refuses.
    with np.errstate(over="ignore"):
        # [bodies seen, 1 + joints, fields]; the padded line of the body goes.
        values = table.to_numpy().astype(np.float32).reshape(-1, 1 + JOINTS, len(FIELDS))[:, 1:]
    if not np.isfinite(values[:, :, :3]).all():
        raise _Refused
    return frames, np.array(frame_of, np.intp), ids, values


def _parse_strictly(data: bytes, path: Path) -> tuple[int, NDArray[np.intp], list[int], NDArray[np.float32]]:
    """The same as `_parse_fast`, line by line, with an error that names the line."""
    lines = data.rstrip().split(b"\n")
    at = 0

    def next_line(expected: str) -> list[bytes]:
        nonlocal at
        if at >= len(lines) or (at == 0 and not data.strip()):
            raise DataError(f"{path} ends at line {at}; expected {expected}. Is it truncated? Fetch the file again.")
        at += 1
        return lines[at - 1].split()

    def wrong(expected: str) -> DataError:
        found = lines[at - 1].decode("utf-8", "replace").strip()
        shown = repr(found[:60] + "..." if len(found) > 60 else found) if found else "an empty line"
        return DataError(f"{path}, line {at}: found {shown}; expected {expected}. Fetch the file again.")

    def count(what: str, lines_each: int) -> int:
        found = next_line(expected := f"the number of {what}")
        try:
            number = int(found[0]) if len(found) == 1 else -1
        except ValueError:
            number = -1
        if number < 0:
            raise wrong(expected)
        # Before anything of that size is allocated: a shifted file has a body's id of 17 digits here.
        if number * lines_each > len(lines) - at:
            left = len(lines) - at
            raise wrong(
                f"{expected}, at most {left // lines_each}, since "
                f"{counted(left, 'line follows', 'lines follow')} (is it truncated?)"
            )
        return number

    def floats(found: list[bytes], expected: str, finite: int) -> list[float]:
        try:
            # float() accepts an underscore between digits, which is no number in such a file.
            numbers = [float(value) for value in found if b"_" not in value]
        except ValueError:
            numbers = []
        if len(numbers) != len(found) or not np.isfinite(np.array(numbers[:finite], np.float32)).all():
            raise wrong(expected)
        return numbers

    frame_of: list[int] = []
    ids: list[int] = []
    rows: list[list[float]] = []
    joint = f"{len(FIELDS)} numbers of a joint, the first three finite"
    body = f"{BODY_FIELDS} numbers of a body, its id first"
    with np.errstate(over="ignore"):
        frames = count("frames", 1)
        for frame in range(frames):
            seen: set[int] = set()
            for _ in range(count(f"bodies in frame {frame + 1} of {frames}", 2 + JOINTS)):
                head = next_line(body)
                if len(head) != BODY_FIELDS or not re.fullmatch(rb"\d{1,20}", head[0]):
                    raise wrong(body)
                floats(head, body, 0)
                if int(head[0]) in seen:
                    raise wrong(f"each body once in frame {frame + 1}")
                seen.add(int(head[0]))
                ids.append(int(head[0]))
                frame_of.append(frame)
                if next_line(f"{JOINTS}, the number of joints") != [b"%d" % JOINTS]:
                    raise wrong(f"{JOINTS}, the number of joints")
                for _ in range(JOINTS):
                    values = next_line(joint)
                    if len(values) != len(FIELDS):
                        raise wrong(f"{joint}; got {len(values)}")
                    rows.append(floats(values, joint, 3))
        if at < len(lines):
            at += 1
            raise wrong(f"the end of the file after {frames} frames")
        table = np.array(rows, np.float32).reshape(-1, JOINTS, len(FIELDS))
    return frames, np.array(frame_of, np.intp), ids, table


def _assemble(
    frames: int, frame_of: NDArray[np.intp], ids: list[int], values: NDArray[np.float32], fields: Sequence[str]
) -> Recording:
    # All joints at the camera's own place: the sensor wrote a body that it did not see.
    read = np.asarray(values[:, :, :3].any(axis=(1, 2)))
    frame_of, values = frame_of[read], values[read]
    ids = [body for body, seen in zip(ids, read.tolist(), strict=True) if seen]
    # A dict keeps the order of insertion, so bodies are in the order of their first frame.
    body_ids = tuple(dict.fromkeys(ids))
    index = {body: number for number, body in enumerate(body_ids)}
    body_of = np.array([index[body] for body in ids], np.intp)

    def by_body(columns: NDArray[np.float32]) -> NDArray[np.float32]:
        # [bodies seen, ...] -> [M, T, ...]; NaN where a body is absent.
        out = np.full((len(body_ids), frames, *columns.shape[1:]), np.nan, np.float32)
        out[body_of, frame_of] = columns
        return out

    extra = {name: by_body(values[:, :, FIELDS.index(name)]) for name in fields}
    return Recording(by_body(values[:, :, :3]), body_ids, extra)
