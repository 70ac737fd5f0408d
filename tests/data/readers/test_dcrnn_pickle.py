import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.readers.dcrnn_pickle import read_adjacency
from stexplain.errors import DataError

MATRIX = np.array([[1, 0.5, 0], [0, 1, 0.25], [0, 0, 1]], np.float32)
IDS = ["30", "10", "20"]


def write(path: Path, value: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, ">f4"])
def test_what_dcrnn_writes(tmp_path, protocol, kind):
    matrix = MATRIX.astype(kind)
    value = (IDS, {name: number for number, name in enumerate(IDS)}, matrix)
    ids, found = read_adjacency(write(tmp_path / "adj_mx.pkl", value, protocol))
    assert ids == IDS
    np.testing.assert_array_equal(found, matrix)
    assert found.dtype == np.float64


def test_what_python_2_wrote(tmp_path):
    """The opcodes of Python 2's pickle at protocol 2: text and data are byte strings there."""
    data = MATRIX.tobytes()
    program = (
        b"\x80\x02]q\x00(U\x0230U\x0210U\x0220e}q\x01(U\x0230K\x00U\x0210K\x01U\x0220K\x02u"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05\x87Rq\x06"
        b"(K\x01K\x03K\x03\x86cnumpy\ndtype\nq\x07U\x02f4q\x08K\x00K\x01\x87Rq\t"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U" + bytes([len(data)]) + data + b"tb\x87."
    )
    (tmp_path / "adj_mx.pkl").write_bytes(program)
    ids, found = read_adjacency(tmp_path / "adj_mx.pkl")
    assert ids == IDS
    np.testing.assert_array_equal(found, MATRIX)


def test_a_matrix_alone_and_ids_by_their_index(tmp_path):
    assert read_adjacency(write(tmp_path / "a.pkl", MATRIX))[0] == ["0", "1", "2"]
    swapped = (IDS, {"30": 2, "10": 0, "20": 1}, MATRIX)
    assert read_adjacency(write(tmp_path / "b.pkl", swapped))[0] == ["10", "20", "30"]


class Malicious:
    """Asks, on loading, for a call."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (eval, ("open('{}', 'w')",), "builtins.eval"),
        (getattr, (np, "load"), "builtins.getattr"),
        (np.load, ("{}",), "numpy.load"),
        (np.fromfile, ("{}",), "fromfile"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_forbidden_and_not_run(tmp_path, function, arguments, name, protocol):
    trace = tmp_path / "trace"
    arguments = tuple(part.format(trace) if isinstance(part, str) else part for part in arguments)
    if any(not isinstance(part, str) for part in arguments):
        arguments = ("a", "b")
    value = (IDS, {}, Malicious(function, *arguments))
    path = write(tmp_path / "adj_mx.pkl", value, protocol)
    with pytest.raises(DataError, match=rf"asks for .*{name.rpartition('.')[2]}, which an adjacency does not need"):
        read_adjacency(path)
    assert not trace.exists()


def test_what_arrays_need_cannot_be_called_with_anything_else(tmp_path):
    # numpy.ndarray((10**12,)) would take all memory; here it is only a name.
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02cnumpy\nndarray\n\x8a\x06\x00\x10\xa5\xd4\xe8\x00\x85\x85R.")
    with pytest.raises(DataError, match="not a pickle of an adjacency"):
        read_adjacency(tmp_path / "a.pkl")
    objects = np.array([["a", None], [1, 2]], dtype=object)
    with pytest.raises(DataError, match="expected numbers"):
        read_adjacency(write(tmp_path / "b.pkl", (["a", "b"], {"a": 0, "b": 1}, objects)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": 1}, "holds a dict"),
        ((IDS, {"30": 0}, MATRIX), r"is \(3, 3\); expected numbers \[1, 1\]"),
        ((IDS, {"30": 0}, "matrix"), "is str"),
        ((1, 2), "holds a tuple"),
        (np.array(5), "holds an ndarray"),
    ],
)
def test_what_is_no_adjacency(tmp_path, value, message):
    with pytest.raises(DataError, match=message):
        read_adjacency(write(tmp_path / "adj_mx.pkl", value))


def test_a_damaged_file(tmp_path):
    path = write(tmp_path / "adj_mx.pkl", (IDS, dict.fromkeys(IDS, 0), MATRIX))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="Is it truncated"):
        read_adjacency(path)
    with pytest.raises(DataError, match="could not be read"):
        read_adjacency(tmp_path / "nowhere.pkl")


REAL = os.environ.get("STEXPLAIN_REAL_DATA")


@pytest.mark.skipif(REAL is None, reason="STEXPLAIN_REAL_DATA names no folder of real data")
def test_the_real_file():
    folder = Path(REAL or "") / "metr-la-graph"
    ids, matrix = read_adjacency(folder / "adj_mx.pkl")
    assert ids == (folder / "graph_sensor_ids.txt").read_text().strip().split(",")
    assert matrix.shape == (207, 207)
    assert ((matrix == 0) | (matrix >= 0.1)).all()
    assert (np.diag(matrix) == 1).all()
    assert not np.array_equal(matrix, matrix.T)


@pytest.mark.parametrize("row", [np.inf, 1.5, "1", None, True, [1]])
def test_a_row_that_is_no_number_of_one_is_refused(tmp_path, row):
    path = write(tmp_path / "adj_mx.pkl", (IDS, {"30": 0, "10": row, "20": 2}, MATRIX))
    with pytest.raises(DataError, match=r"adj_mx\.pkl: got \('10', .*\) among its ids; expected a name and the number"):
        read_adjacency(path)


@pytest.mark.parametrize("rows", [(0, 0, 2), (1, 2, 3), (0, 1, 2**63), (-1, 0, 1)])
def test_rows_that_are_not_each_once_are_refused(tmp_path, rows):
    path = write(tmp_path / "adj_mx.pkl", (IDS, dict(zip(IDS, rows, strict=True)), MATRIX))
    with pytest.raises(DataError, match=r"adj_mx\.pkl: the rows of the ids are not 0 to 2, each once"):
        read_adjacency(path)


def test_an_id_that_is_no_name_is_refused(tmp_path):
    path = write(tmp_path / "adj_mx.pkl", (IDS, {"30": 0, None: 1, "20": 2}, MATRIX))
    with pytest.raises(DataError, match=r"got \(None, 1\) among its ids"):
        read_adjacency(path)
