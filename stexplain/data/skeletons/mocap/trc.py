"""TRC, the track-row-column text of markers that OpenSim reads, and capture systems and OpenCap write."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.skeletons.take import XYZ, Take, stated_rate
from stexplain.errors import DataError
from stexplain.reading import read_text

METRES = {"mm": 0.001, "millimeters": 0.001, "cm": 0.01, "m": 1.0, "meters": 1.0}
"""By what a file calls its unit, how long it is in metres."""
_START = "PathFileType"
_UNEVEN = 0.02
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan", re.IGNORECASE)


def read_trc(path: Path) -> Take:
    """A TRC file: positions of its markers, in metres.

    A line of names and one of values say the rate, the unit and how many frames and markers there are; a line
    ``Frame#, Time, marker, , , marker, ...`` names the markers; below the line ``X1, Y1, Z1, ...`` each line is a
    frame. A marker whose cells are empty, or that lies in the origin itself, was not seen.

    Raises:
        DataError: where the file is broken, or has other numbers of frames or markers than it says.
    """
    lines = [line.rstrip("\r") for line in read_text(path).split("\n")]
    names = next((place for place, line in enumerate(lines[:20]) if line.lower().startswith("frame#")), None)
    if not lines[0].startswith(_START) or names is None or names < 2:
        raise DataError(
            f"{path} could not be read as TRC: expected {_START} in its first line, and a line that begins with Frame# "
            "above the numbers. Export it again."
        )
    if not (names + 1 < len(lines) and lines[names + 1].split()[:1] == ["X1"]):
        raise DataError(f"{path}, line {names + 2}: expected X1, Y1, Z1, X2, ... below the names of markers.")
    tabs = "\t" in lines[names]
    about = dict(zip(_cells(lines[names - 2], tabs), _cells(lines[names - 1], tabs), strict=False))
    markers = [name for name in _cells(lines[names], tabs)[2:] if name]
    stated = _whole(path, "NumMarkers", about)
    if len(markers) != stated:
        raise DataError(
            f"{path}, line {names + 1}: got {len(markers)} names of markers; expected {stated}, as it says."
        )
    if twice := next((name for name in markers if markers.count(name) > 1), None):
        raise DataError(f"{path}, line {names + 1}: two markers are called {twice!r}; expected different names.")
    scale = METRES.get(about.get("Units", "").lower())
    if scale is None:
        raise DataError(f"{path}: got positions in {about.get('Units')!r}; expected mm, cm or m as Units.")
    # Below the names stands X1, Y1, Z1.
    rows = [(number, line) for number, line in enumerate(lines[names + 2 :], names + 3) if line.strip()]
    frames = _whole(path, "NumFrames", about)
    if len(rows) != frames or not rows:
        raise DataError(
            f"{path}: got {len(rows)} frames; expected {frames}, as it says. Is it truncated? Where frames were cut "
            "out on purpose, write their number under NumFrames."
        )
    values = np.stack(
        [_row(path, number, line, 2 + 3 * len(markers), tabs, number == len(lines)) for number, line in rows]
    )
    places = _places(path, [number for number, _ in rows], values[:, 0])
    points = np.full((places[-1] + 1, len(markers), 3), np.nan)
    points[places] = values[:, 2:].reshape(len(rows), len(markers), 3) * scale
    points[(points == 0).all(2)] = np.nan
    points[np.isnan(points).any(2)] = np.nan
    rate = _rate(path, about, values[:, 1], places)
    return Take(path.stem, points[None].astype(np.float32), XYZ, joints=tuple(markers), frame_rate=rate, unit="m")


def _cells(line: str, tabs: bool) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if tabs else line.split()


def _whole(path: Path, name: str, about: dict[str, str]) -> int:
    value = about.get(name, "")
    if not re.fullmatch(r"\d{1,9}", value):
        raise DataError(f"{path}: {name} is {value!r}; expected a whole number in the line below its name.")
    return int(value)


def _row(path: Path, number: int, line: str, count: int, tabs: bool, cut: bool) -> NDArray[np.float64]:
    """The numbers of a line; of markers at its end that were not seen, cells may be missing, unless it may be cut."""
    cells = _cells(line, tabs)
    while len(cells) > count and not cells[-1]:
        cells.pop()
    short = len(cells) < count
    if len(cells) > count or (short and (not tabs or cut or (len(cells) - 2) % 3)):
        raise DataError(
            f"{path}, line {number}: got {len(cells)} cells; expected {count}, a frame, a time, and x, y, z of each "
            "marker."
        )
    cells += [""] * (count - len(cells))
    # Tabs part the cells, and this format has no thousands: a comma is that of decimals.
    cells = [cell.replace(",", ".", 1) if tabs else cell for cell in cells]
    if wrong := next((cell for cell in cells if cell and not _NUMBER.fullmatch(cell)), None):
        raise DataError(f"{path}, line {number}: got {wrong!r}; expected a number, or nothing where it was not seen.")
    return np.array([float(cell) if cell else np.nan for cell in cells])


def _places(path: Path, lines: list[int], frames: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where each line is over time, from 0 on: by its frame, so that those that are left out are gaps.

    Raises:
        DataError: where frames do not go up one by one, or far more are left out than are there.
    """
    for line, frame, before in zip(lines, frames, [-np.inf, *frames[:-1]], strict=True):
        if not (frame > before and frame % 1 == 0):
            raise DataError(f"{path}, line {line}: the frame is {frame:g}; expected whole numbers that go up.")
    if frames[-1] - frames[0] >= 100 * len(frames) + 1000:
        raise DataError(f"{path}: got {len(frames)} frames, numbered {frames[0]:g} to {frames[-1]:g}; expected most.")
    return np.asarray(frames - frames[0], np.int64)


def _rate(path: Path, about: dict[str, str], times: NDArray[np.float64], places: NDArray[np.int64]) -> float | None:
    """The frames per second that the file states; none, and that is said, where its times are of another rate."""
    text = about.get("DataRate", "").replace(",", ".")
    if not _NUMBER.fullmatch(text):
        raise DataError(f"{path}: DataRate is {text!r}; expected frames per second, a number.")
    rate = stated_rate(path, float(text))
    if rate is None or len(places) < 2 or np.isnan(times[[0, -1]]).any() or times[-1] <= times[0]:
        return rate
    found = float(places[-1] / (times[-1] - times[0]))
    if abs(found / rate - 1) <= _UNEVEN:
        return rate
    warn_caller(
        f"{path} states {rate:g} frames per second, and its times are those of {found:.4g}: time is counted in frames. "
        "Give frame_rate=."
    )
    return None
