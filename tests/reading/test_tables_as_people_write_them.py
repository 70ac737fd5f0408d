"""Tables that say the same in another way are read as the same, or refused: never as other numbers."""

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_eeg
from stexplain.data.readers import pems_npz
from stexplain.data.readers.number_table import read_table, read_text_table
from stexplain.errors import DataError
from stexplain.reading import read_bytes, read_text, text_file
from stexplain.reading.table import read_csv
from tests.data.series_cards import small_card
from tests.fuzz import corpus

ROWS = "773869,767541,767542\n64.4,67.6,67.1\n62.7,68.5,61.2\n"


def table(tmp_path, text):
    path = tmp_path / "los_speed.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("labels", [True, False])
def test_cells_beyond_the_first_line_are_no_labels(tmp_path, header, labels):
    """Of 64,4,67,6,67,1 below three names, pandas makes labels of the first three."""
    path = table(tmp_path, "773869,767541,767542\n64,4,67,6,67,1\n62,7,68,5,61,2\n")
    with pytest.raises(DataError, match=r"los_speed.csv.*(commas|cells|fields)"):
        read_table(path, header=header, labels=labels)


@pytest.mark.parametrize("options", [{}, {"sep": None, "engine": "python"}, {"dtype": str}])
def test_a_table_of_any_reader_with_more_cells_below(tmp_path, options):
    with pytest.raises(DataError, match="more cells than the first, .*Are decimals written with commas"):
        read_csv(table(tmp_path, "a,b\n1,5,2,7\n1,5,2,8\n"), **options)


def test_one_separator_too_many_below_the_first_line_holds_nothing(tmp_path):
    assert read_csv(table(tmp_path, "a,b\n1,5,\n1,6,\n")).to_dict("list") == {"a": [1, 1], "b": [5, 6]}


def test_the_names_once_more_are_no_observations(tmp_path):
    with pytest.raises(DataError, match=r"line 4: it has the names of the columns once more.*files joined"):
        read_table(table(tmp_path, ROWS + ROWS))


def test_observations_are_no_names(tmp_path):
    with pytest.raises(DataError, match=r"line 1: it holds 64.4, 67.6, 67.1, which are observations.*missing"):
        read_table(table(tmp_path, ROWS.partition("\n")[2]))
    # Names that are numbers are whole.
    assert list(read_table(table(tmp_path, ROWS)).columns) == ["773869", "767541", "767542"]


@pytest.mark.parametrize("read", [read_table, read_text_table])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", [",", ",,", ", ,", " ", "  , "])
def test_separators_and_spaces_at_the_end_of_every_line_make_no_column(tmp_path, end, header, read):
    found = read(table(tmp_path, ROWS.replace("\n", f"{end}\n")), header=header)
    expected = read(table(tmp_path, ROWS), header=header)
    if read is read_text_table:
        found = found.apply(lambda cells: cells.str.strip())
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("by", [", ", " , ", " ,"])
def test_spaces_are_in_no_name(tmp_path, by):
    found = read_table(table(tmp_path, ROWS.replace(",", by)))
    pd.testing.assert_frame_equal(found, read_table(table(tmp_path, ROWS)))


def test_links_of_a_file_with_separators_at_the_end(tmp_path):
    """A fourth column was taken for a matrix, of which no edge was left."""
    corpus.pems(tmp_path)
    links = tmp_path / "distance.csv"
    card = small_card(tmp_path / "card", "stexplain.data.readers.pems_npz", more="start = 2012-03-01T00:00:00")
    expected = pems_npz.read(tmp_path, card).graph
    links.write_text(links.read_text().replace("\n", ",\n"))
    assert np.array_equal(pems_npz.read(tmp_path, card).graph.edges, expected.edges)
    assert len(expected.edges)


def test_a_column_of_links_that_comes_twice_is_no_matrix(tmp_path):
    """A fourth column was taken for one of a matrix, and the lengths for weights of a kernel: no edge was left."""
    corpus.pems(tmp_path)
    links = tmp_path / "distance.csv"
    links.write_text("from,to,cost,cost\n0,1,310.6,310.6\n2,1,330.9,330.9\n")
    card = small_card(tmp_path / "card", "stexplain.data.readers.pems_npz", more="start = 2012-03-01T00:00:00")
    with pytest.raises(DataError, match=r"distance.csv: the first line names 'cost' twice, in columns 3 and 4"):
        pems_npz.read(tmp_path, card)
    links.write_text("from,to,cost,lanes\n0,1,310.6,2\n2,1,330.9,3\n")
    assert pems_npz.read(tmp_path, card).graph.edges.tolist() == [[0, 1], [2, 1]]


def test_a_sensor_that_measured_nothing_stays(tmp_path):
    assert list(read_table(table(tmp_path, "a,b\n1,\n2,\n")).columns) == ["a", "b"]


def test_a_column_of_numbers_has_a_name(tmp_path):
    with pytest.raises(DataError, match=r"line 1: column 3 has numbers and no name"):
        read_table(table(tmp_path, "a,b,\n1,2,3\n4,5,6\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ROWS.encode("utf-16"), "not in UTF-8. Is it in UTF-16"),
        (ROWS.encode("utf-16-le"), "not in UTF-8. Is it in UTF-16"),
        (ROWS.encode() + bytes(600), "ends with zero bytes, as a download that was interrupted"),
        (bytes(5000), "ends with zero bytes"),
    ],
)
def test_zero_bytes_are_no_text(tmp_path, content, message):
    path = table(tmp_path, content)
    for read in (read_table, read_csv, read_text, text_file):
        with pytest.raises(DataError, match=f"los_speed.csv could not be read as text: it .*{message}"):
            read(path)


def test_a_gigabyte_of_zeros_is_not_read(tmp_path):
    """What was to be downloaded is often made in its full size first."""
    path = table(tmp_path, ROWS)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="ends with zero bytes"):
        read_table(path)


def test_an_interrupted_download_of_packed_trials_is_not_unpacked(tmp_path):
    """Gzip passes over zeros at the end, one by one: those of a gigabyte took a minute."""
    pytest.importorskip("mne")
    corpus.trials_packed(tmp_path)
    path = next(tmp_path.iterdir())
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="sub-2-epo.fif.gz could not be read .* ends with zero bytes"):
        load_eeg(tmp_path)


def test_a_file_larger_than_what_is_free_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("stexplain.reading.contents.free_memory", lambda: 64 << 20)
    with pytest.raises(DataError, match=r"los_speed.csv could not be read: it holds .* of memory are free"):
        read_bytes(table(tmp_path, ROWS))


def test_an_empty_file_is_no_table(tmp_path):
    for read in (read_table, read_csv):
        with pytest.raises(DataError, match=r"los_speed.csv"):
            read(table(tmp_path, b""))
    assert np.isnan(read_table(table(tmp_path, "a,b\n1,\n,2\n")).to_numpy()).sum() == 2
