"""What holds of many files of a folder is said once, at the line that the user wrote."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.checking import SaidOnce, warn_caller

GRAPH = stx.STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])


TIMED = "Time is counted in frames, unless a frame rate is given."


def gait(folder: Path, files: int, extra: str = "time") -> Path:
    """A folder of wide tables, two groups, each with a column that no joint has."""
    for number in range(files):
        place = folder / ("patients" if number % 2 else "controls") / f"p{number:02d} walks.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        frames = 10 + number
        columns = {extra: np.arange(frames) / 50}
        random = np.random.default_rng(number)
        columns |= {f"{joint}_{axis}": random.normal(size=frames) for joint in GRAPH.nodes for axis in "xyz"}
        pd.DataFrame(columns).to_csv(place, index=False)
    return folder


def said(call) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True, action="always") as found:
        call()
    return found


@pytest.mark.parametrize("name", ["gait study", "Müller's Gänge", "x"])
def test_a_column_that_no_file_needs_is_said_once(tmp_path, name):
    folder = gait(tmp_path / name, 6)
    (one,) = said(lambda: stx.load_skeletons(folder, graph=GRAPH))
    first = Path("controls") / "p00 walks.csv"
    assert str(one.message) == f"{folder}: in 6 files, such as {first}: the column 'time' was left out. {TIMED}"
    assert one.filename == __file__, "the line that the user wrote"


@pytest.mark.parametrize(
    ("column", "timed"),
    [("time", True), ("Time (s)", True), ("timestamp", True), ("timed_by", False), ("force", False)],
)
def test_of_a_column_of_times_it_is_said_what_time_is(tmp_path, column, timed):
    (one,) = said(lambda: stx.load_skeletons(gait(tmp_path / "a", 2, column), graph=GRAPH))
    assert (TIMED in str(one.message)) == timed


def test_one_file_is_named_as_it_is(tmp_path):
    folder = gait(tmp_path / "a", 1)
    (one,) = said(lambda: stx.load_skeletons(folder, graph=GRAPH, labels={"p00 walks": "x"}))
    assert str(one.message).startswith(f"{folder / 'controls' / 'p00 walks.csv'}: the column")
    place = folder / "controls" / "p00 walks.csv"
    (one,) = said(lambda: stx.load_skeletons(place, graph=GRAPH, labels={"p00 walks": "x"}))
    assert str(one.message).startswith(f"{place}: the column")


def test_what_differs_is_said_each_and_numbers_are_no_difference():
    folder = Path("raw")

    def read():
        with SaidOnce(folder):
            for name, step in (("a", 2), ("b", 3), ("c", 2)):
                warn_caller(f"{folder / name}: frames are numbered in steps of {step}.")
            warn_caller(f"{folder / 'b'}: two persons.")
            warn_caller("data: of no file.")

    assert [str(one.message) for one in said(read)] == [
        "raw: in 3 files, such as a: frames are numbered in steps of 2.",
        f"{folder / 'b'}: two persons.",
        "data: of no file.",
    ]


def test_what_was_warned_of_before_an_error_is_said():
    def read():
        with SaidOnce(Path("raw")):
            warn_caller(f"{Path('raw') / 'a'}: odd.")
            raise KeyError

    def refused():
        with pytest.raises(KeyError):
            read()

    assert len(said(refused)) == 1
    # Outside of the block nothing is kept back.
    assert len(said(lambda: warn_caller("plain"))) == 1
