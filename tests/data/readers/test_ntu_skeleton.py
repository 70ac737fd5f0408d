import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stexplain.cards import dataset_card
from stexplain.data.readers import ntu_skeleton
from stexplain.data.readers.ntu_skeleton import FIELDS, find, read
from stexplain.errors import DataError, InputError
from tests.data.skeleton_files import body, text_of, write_ntu
from tests.properties.examples import EXAMPLES, seeds
from tests.reference.recordings import slow_read_skeleton

BIG = 72057594037931101  # above 2**53, where floats are no longer exact
# Of a body: beside every power of two up to 2**63.
IDS = st.builds(lambda power, more: min(2**power + more, 2**63), st.integers(0, 63), st.integers(-1, 99))
REAL = os.environ.get("STEXPLAIN_REAL_DATA")


def same_as_reference(path: Path) -> None:
    recording = read(path, FIELDS)
    expected = slow_read_skeleton(path)
    assert recording.body_ids == tuple(expected)
    assert recording.values.dtype == np.float32
    for index, values in enumerate(expected.values()):
        np.testing.assert_array_equal(recording.values[index], values[:, :, :3])
        for column, name in enumerate(FIELDS):
            np.testing.assert_array_equal(recording.fields[name][index], values[:, :, column])


def test_bodies_are_told_apart_by_their_whole_id(tmp_path):
    path = write_ntu(tmp_path, "two", {BIG: body(4, 0), BIG + 1: body(4, 1)})
    assert read(path).body_ids == (BIG, BIG + 1)
    same_as_reference(path)


def test_bodies_that_come_and_go_and_empty_frames(tmp_path):
    early, late = body(6, 0), body(6, 1)
    early[3:] = np.nan
    late[:2] = np.nan
    early[1] = late[1] = np.nan
    path = write_ntu(tmp_path, "gaps", {5: early, 3: late})
    recording = read(path)
    assert recording.body_ids == (5, 3)
    assert recording.valid.tolist() == [
        [True, False, True, False, False, False],
        [False, False, True, True, True, True],
    ]
    same_as_reference(path)


def test_a_body_whose_joints_are_all_zero_was_not_seen(tmp_path):
    seen, ghost = body(5, 0), body(5, 1)
    seen[2, :, :3] = 0
    ghost[..., :3] = 0
    recording = read(write_ntu(tmp_path, "zeros", {7: seen, 9: ghost}), ["tracking"])
    # A body without any reading is none.
    assert recording.body_ids == (7,)
    assert recording.valid.tolist() == [[True, True, False, True, True]]
    assert np.isnan(recording.fields["tracking"][0, 2]).all()
    np.testing.assert_array_equal(recording.values[0, 3], seen[3, :, :3].astype(np.float32))


@pytest.mark.parametrize("frames", [0, 3])
def test_no_body_at_all(tmp_path, frames):
    path = tmp_path / "empty.skeleton"
    path.write_text("\n".join([str(frames), *["0"] * frames, ""]))
    recording = read(path, ["tracking"])
    assert recording.values.shape == (0, frames, 25, 3)
    assert recording.body_ids == ()


@settings(max_examples=EXAMPLES or 25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.integers(1, 4),
    ids=st.lists(IDS, max_size=4, unique=True),
    seed=seeds,
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_read_back(tmp_path, frames, ids, seed, end):
    random = np.random.default_rng(seed)
    bodies = {}
    for number in ids:
        values = (random.normal(size=(frames, 25, 12)) * 10.0 ** random.integers(-6, 4)).astype(np.float32)
        values[random.random(frames) < 0.3] = np.nan
        if not np.isnan(values).all():
            bodies[number] = values
    path = tmp_path / "any.skeleton"
    path.write_bytes(text_of(frames, bodies, end).encode())
    recording = read(path, FIELDS)
    # Nine digits bring every float32 back exactly.
    found = {number: recording.values[index] for index, number in enumerate(recording.body_ids)}
    assert set(found) == set(bodies)
    for number, values in bodies.items():
        np.testing.assert_array_equal(found[number], values[:, :, :3])
    same_as_reference(path)


def broken(tmp_path: Path, change) -> Path:
    """A good file of 2 frames and 1 body with its lines changed; body in line 3, joints in lines 5-29."""
    lines = text_of(2, {BIG: body(2)}, "\n").split("\n")[:-1]
    path = tmp_path / "broken.skeleton"
    path.write_text("\n".join(change(lines)) + "\n")
    return path


def replaced(number: int, text):
    def change(lines):
        lines[number - 1] = text(lines[number - 1]) if callable(text) else text
        return lines

    return change


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (replaced(1, "many"), 1, "the number of frames"),
        (replaced(1, "-2"), 1, "the number of frames"),
        (replaced(1, "999"), 1, "at most 56"),
        (replaced(2, str(BIG)), 2, "the number of bodies in frame 1 of 2, at most 2"),
        (replaced(2, "1.0"), 2, "the number of bodies"),
        (replaced(3, "12 0 1"), 3, "10 numbers of a body"),
        (replaced(3, lambda line: line.replace("0.02", "zero")), 3, "10 numbers of a body"),
        (replaced(3, lambda line: line.replace(str(BIG), f"-{BIG}")), 3, "10 numbers of a body"),
        (replaced(4, "24"), 4, "25, the number of joints"),
        (replaced(7, lambda line: line + " 1"), 7, "12 numbers of a joint, the first three finite; got 13"),
        (replaced(7, lambda line: line.rsplit(" ", 1)[0]), 7, "got 11"),
        (replaced(8, lambda line: "x" + line), 8, "12 numbers"),
        (replaced(8, lambda line: "1_0" + line[line.index(" ") :]), 8, "12 numbers"),
        (replaced(8, lambda line: "nan" + line[line.index(" ") :]), 8, "the first three finite"),
        (replaced(8, lambda line: "1e999" + line[line.index(" ") :]), 8, "the first three finite"),
        (replaced(8, lambda line: line[: line.rindex(" ")] + " 0,5"), 8, "12 numbers"),
        (replaced(9, ""), 9, "12 numbers"),
        (replaced(9, lambda line: line.replace(" ", "\r", 1) + " 7"), 9, "12 numbers"),
        (lambda lines: [*lines, "1"], 58, "the end of the file after 2 frames"),
    ],
)
def test_a_broken_line_is_named(tmp_path, change, line, expected):
    with pytest.raises(DataError) as caught:
        read(broken(tmp_path, change))
    assert f"line {line}: found" in str(caught.value)
    assert expected in str(caught.value)


def test_a_column_of_words_is_no_column_of_numbers(tmp_path):
    def change(lines):
        return [f"{line.rsplit(' ', 1)[0]} True" if line.count(" ") == 11 else line for line in lines]

    with pytest.raises(DataError, match="line 5: found"):
        read(broken(tmp_path, change))


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 4, 5, 29, 30, 56])
def test_truncation_is_named_wherever_it_happens(tmp_path, lines):
    with pytest.raises(DataError, match=r"truncated|Fetch the file again"):
        read(broken(tmp_path, lambda whole: whole[:lines]))


def test_a_line_cut_short_is_named(tmp_path):
    path = write_ntu(tmp_path, "cut", {1: body(2)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"line 57: found .*got 9"):
        read(path)


def test_one_body_twice_in_a_frame(tmp_path):
    def change(lines):
        return ["1", "2", *lines[2:29], *lines[2:29]]

    with pytest.raises(DataError, match="each body once in frame 1"):
        read(broken(tmp_path, change))


def test_other_spacing_and_non_finite_extras_are_read(tmp_path):
    path = broken(tmp_path, replaced(6, lambda line: "  " + line.replace(" ", "\t")))
    assert np.isfinite(read(path).values).all()
    path = broken(tmp_path, replaced(6, lambda line: " ".join([*line.split()[:5], "-inf", "nan", *line.split()[7:]])))
    fields = read(path, ["color_x", "color_y"]).fields
    assert fields["color_x"][0, 0, 1] == -np.inf
    assert np.isnan(fields["color_y"][0, 0, 1])


def test_the_fast_parse_takes_nothing_that_the_strict_one_refuses(tmp_path):
    good = text_of(2, {BIG: body(2)}, "\n").encode()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        data[random.integers(len(data))] = random.choice(np.frombuffer(b" \n\r.-+e0123x", np.uint8))
        try:
            strict = ntu_skeleton._parse_strictly(bytes(data), tmp_path)
        except DataError:
            refused += 1
            with pytest.raises(ntu_skeleton._Refused):
                ntu_skeleton._parse_fast(bytes(data))
            continue
        try:
            fast = ntu_skeleton._parse_fast(bytes(data))
        except ntu_skeleton._Refused:
            continue
        assert fast[0] == strict[0]
        assert fast[2] == strict[2]
        np.testing.assert_array_equal(fast[3], strict[3])
    assert refused > 50


def test_unknown_field_and_missing_file(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'tracking'"):
        read(write_ntu(tmp_path, "one", {1: body(2)}), ["traking"])
    with pytest.raises(DataError, match="could not be read: No such file"):
        read(tmp_path / "none.skeleton")


def test_find_parses_names_and_reports_the_others(tmp_path):
    for name in ("S017C003P040R002A060", "S001C001P001R001A061", "throw"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / f"{name}.skeleton").touch()
    beyond, good, odd = find(tmp_path, dataset_card("ntu"))
    assert (good.id, good.label, good.problem) == ("S017C003P040R002A060", 59, "")
    assert good.fields == {"setup": 17, "camera": 3, "subject": 40, "replication": 2}
    assert beyond.label == odd.label == -1
    assert "A061 is not a class" in beyond.problem
    assert "not of the form" in odd.problem


@pytest.mark.skipif(not REAL, reason="STEXPLAIN_REAL_DATA is not set")
class TestRealRecordings:
    @property
    def folder(self) -> Path:
        return Path(str(REAL)) / "ntu-samples"

    def test_all_five_are_read_as_by_the_loop(self):
        paths = sorted(self.folder.glob("*.skeleton"))
        assert len(paths) == 5
        for path in paths:
            same_as_reference(path)
            ntu_skeleton._parse_fast(path.read_bytes())  # without doubts

    def test_shapes(self):
        shapes = {path.stem: read(path).values.shape[:2] for path in self.folder.glob("*.skeleton")}
        assert shapes["kickingotherperson_A51"] == (3, 67)
        assert shapes["sample_throw"] == (1, 63)
        assert shapes["S001C003P008R002A058"] == (2, 70)
