"""The text of the UEA and UCR archives, `.ts`, of which sktime and aeon read time series with classes."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.axes import Layout
from stexplain.data.skeletons.labels import part_of
from stexplain.data.skeletons.take import XY, XYZ, Take
from stexplain.errors import DataError, InputError
from stexplain.reading import read_text

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_MISSING = ("?", "nan", "")


def read_ts(path: Path, axes: str | None, nodes: int | None) -> Iterator[Take]:
    """The series of a `.ts` file, each a recording: a line ``1.5,1.7,?:0.1,0.3,0.2:class``, a part for each dimension.

    Dimensions are the nodes of the graph, with one channel; or, where there are more of them, nodes and channels by
    `axes`. A recording is called by the file and its line, ``NATOPS_TRAIN 0``; of ``_TRAIN`` and ``_TEST`` the field
    ``split`` says which. ``?`` is a value that was not read.

    Args:
        path: of the file.
        axes: ``"b (n c) t"`` where the coordinates of a joint follow each other, ``"b (c n) t"`` where first come all
            x; none: ``"b n t"``.
        nodes: of the graph, which must be known.

    Raises:
        InputError: where the graph or the axes are not known for certain.
        DataError: where the file is broken, has time stamps, or numbers in place of classes.
    """
    about, classes, lines = _header(path)
    count = _dimensions(path, about, lines, bool(classes))
    nodes = _known(path, nodes, count)
    layout = _layout(path, axes, nodes, count)
    part = part_of(path.stem)
    for number, (line, text) in enumerate(lines):
        cells = text.split(":")
        label = cells.pop().strip() if classes else ""
        if classes and label not in classes:
            raise DataError(f"{path}, line {line}: the class is {label!r}; expected one of {', '.join(classes[:8])}.")
        if len(cells) != count:
            raise DataError(f"{path}, line {line}: got {len(cells)} dimensions; expected {count}, as in the others.")
        series = [_numbers(path, line, cell) for cell in cells]
        lengths = {len(one) for one in series}
        if len(lengths) > 1:
            raise DataError(
                f"{path}, line {line}: its dimensions have {min(lengths)} to {max(lengths)} values; expected as many."
            )
        array = torch.from_numpy(np.stack(series).astype(np.float32))[None]
        values = layout.to_batch(array, n=nodes)[0].numpy()
        yield Take(
            f"{path.stem} {number}",
            _until_the_end(values),
            {1: ("value",), 2: XY, 3: XYZ}.get(values.shape[3]) or tuple(map(str, range(values.shape[3]))),
            label=label,
            fields={"split": part} if part else {},
        )


def read_signals(path: Path) -> Iterator[Take]:
    """The series of a `.ts` file as signals: each dimension is a node with one channel; see `read_ts`.

    Args:
        path: of the file.

    Raises:
        DataError: as `read_ts`.
    """
    about, classes, lines = _header(path)
    yield from read_ts(path, None, _dimensions(path, about, lines, bool(classes)))


def refuse_variants(files: Sequence[Path]) -> None:
    """Refuses a file beside the one it was made of: ``_eq``, of equal lengths, and ``_nmv``, without missing values.

    Args:
        files: of a folder.

    Raises:
        InputError: with both names.
    """
    named = {file.stem: file for file in files}
    problems = {re.sub(r"_(train|test)$", "", stem, flags=re.IGNORECASE): file for stem, file in named.items()}
    apart = {re.sub(r"_(eq|nmv)(?=_|$)", "", name) for name in problems}
    if len(apart) > 1 and any(part_of(stem) for stem in named):
        raise InputError(
            f"path: {files[0].parent} holds the series of {' and '.join(sorted(apart)[:3])}; expected those of one "
            "data set, _TRAIN and _TEST. Name a file, or a folder of one."
        )
    for stem, file in named.items():
        first = named.get(re.sub(r"_(eq|nmv)(?=_|$)", "", stem))
        if first is not None and first is not file:
            raise InputError(
                f"path: {file} holds the series of {first.name} once more, filled up; expected each once. Move one of "
                "the kinds away."
            )


def _header(path: Path) -> tuple[dict[str, str], list[str], list[tuple[int, str]]]:
    """What the lines with @ say, the names of classes, and the lines of series with their numbers."""
    text = read_text(path, "A file .ts that is a video, or a program's text, holds no series.")
    about: dict[str, str] = {}
    lines: list[tuple[int, str]] = []
    below = False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if below:
            lines.append((number, line))
        elif line.startswith("@"):
            name, _, value = line[1:].replace("\t", " ").partition(" ")
            about[name.lower()] = value.strip()
            below = name.lower() == "data"
        else:
            raise DataError(
                f"{path}, line {number}: got {line[:40]!r}; expected a .ts of the UEA archive, lines with @ and a line "
                "@data above the series."
            )
    if not lines:
        raise DataError(f"{path} holds no series below a line @data. Fetch the file again.")
    if about.get("timestamps", "false").lower() in _TRUE or lines[0][1].startswith("("):
        _refuse(path, "time stamps", "Write it without them: each series evenly spaced, its values alone")
    if about.get("targetlabel", "false").lower() in _TRUE:
        _refuse(path, "numbers to be predicted in place of classes", "Clips have classes: bin the numbers")
    said = about.get("classlabel", "").split()
    if not said or said[0].lower() not in (*_TRUE, *_FALSE):
        raise DataError(f"{path}: @classLabel is {' '.join(said)!r}; expected true and the names of the classes.")
    classes = said[1:] if said[0].lower() in _TRUE else []
    if said[0].lower() in _TRUE and not classes:
        raise DataError(f"{path}: @classLabel names no class; expected true and the names of the classes.")
    return about, classes, lines


def _refuse(path: Path, what: str, remedy: str) -> NoReturn:
    raise DataError(f"{path} has {what}, which are not read. {remedy}.")


def _dimensions(path: Path, about: dict[str, str], lines: list[tuple[int, str]], labelled: bool) -> int:
    count = lines[0][1].count(":") + (not labelled)
    stated = about.get("dimensions", about.get("dimension", ""))
    if stated and (not stated.isdigit() or int(stated) != count):
        raise DataError(f"{path}, line {lines[0][0]}: got {count} dimensions; expected {stated}, as @dimensions says.")
    return count


def _known(path: Path, nodes: int | None, count: int) -> int:
    """How many nodes the graph has: a number of dimensions tells none, as 24 of 8 sensors are no body of 24 joints."""
    if nodes is None:
        raise InputError(
            f"graph: {path} has {count} dimension{'s' * (count > 1)}, and does not say how they are linked. Give "
            f"graph= with {count} nodes; or of joints with x, y, z each the graph of the joints and axes='b (n c) t'. "
            f"Without links: stx.STGraph.from_edges([str(n) for n in range({count})], [])."
        )
    return nodes


def _layout(path: Path, axes: str | None, nodes: int, count: int) -> Layout:
    if axes is not None:
        layout = Layout(axes)
        if sorted(layout.letters) not in (["b", "n", "t"], ["b", "c", "n", "t"]) or len(layout.groups) != 3:
            raise InputError(f"axes: got {axes!r}; expected 'b n t', 'b (n c) t' or 'b (c n) t' of {path}.")
        return layout
    if nodes == count:
        return Layout("b n t")
    if count % nodes == 0:
        raise InputError(
            f"axes: {path} has {count} dimensions, {count // nodes} for each of the graph's {nodes} nodes. Say which: "
            "axes='b (n c) t' where x, y, z of a node follow each other; 'b (c n) t' where first come all x."
        )
    raise InputError(f"graph: got {nodes} nodes; {path} has {count} dimensions, which is no multiple of it.")


def _numbers(path: Path, line: int, cell: str) -> NDArray[np.float64]:
    found = [np.nan if one.strip().lower() in _MISSING else one for one in cell.split(",")]
    try:
        values = np.array(found, np.float64)
    except ValueError:
        values = np.full(1, np.inf)
    if np.isinf(values).any():
        wrong = next((one for one in cell.split(",") if not re.fullmatch(r"\s*[-+.\deE]*\s*|\?|NaN", one)), cell[:40])
        raise DataError(f"{path}, line {line}: got {wrong!r}; expected a finite number, or ? where it was not read.")
    return values


def _until_the_end(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without frames at the end in which nothing was read: series of several lengths are filled up so."""
    there = np.flatnonzero(~np.isnan(values).all(axis=(0, 2, 3)))
    return values[:, : there[-1] + 1] if len(there) else values[:, :1]
