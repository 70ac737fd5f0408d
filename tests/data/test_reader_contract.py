"""What every reader that a bundled card names must hold to."""

import inspect

import pytest

from stexplain.cards import card_names, dataset_card, import_object, is_series_card, series_card
from stexplain.data.recording import Recording
from stexplain.data.series_file import SeriesFile
from stexplain.errors import DataError
from tests.data.series_cards import small_card

SERIES = [name for name in card_names("datasets") if is_series_card(name)]
CARDS = [name for name in card_names("datasets") if name not in SERIES]
# Readers of formats that no bundled card has hold to it too.
SERIES_READERS = sorted({series_card(name).reader for name in SERIES} | {"stexplain.data.readers.largest"})
CONTENTS = [b"", b"\x00\xff garbage \n 1 2 3\n", b"1\r\n", b"{}", b"9999999999999999999\r\n"]


@pytest.fixture(params=CARDS)
def card(request):
    return dataset_card(request.param)


def test_an_empty_folder_holds_nothing(card, tmp_path):
    assert import_object(card.reader, card.name).find(tmp_path, card) == []


@pytest.mark.parametrize("content", CONTENTS)
def test_a_broken_file_is_named_and_nothing_else_is_raised(card, tmp_path, content):
    path = tmp_path / "broken file.x"
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken file"):
        import_object(card.reader, card.name).read(path)


def test_a_missing_file_is_named(card, tmp_path):
    with pytest.raises(DataError, match="not there"):
        import_object(card.reader, card.name).read(tmp_path / "not there")


def test_read_gives_a_recording(card):
    hints = inspect.get_annotations(import_object(card.reader, card.name).read, eval_str=True)
    assert hints["return"] is Recording


@pytest.fixture(params=SERIES_READERS)
def reader(request):
    if request.param == "stexplain.data.readers.metr_la_h5":
        pytest.importorskip("h5py")
    return import_object(request.param, "the test")


@pytest.mark.parametrize("content", CONTENTS)
def test_a_broken_file_of_a_series_is_named_and_nothing_else_is_raised(reader, tmp_path, content):
    path = tmp_path / "broken file.x"
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken file"):
        reader.read(path, small_card(tmp_path / "card", reader.__name__))


def test_a_missing_file_of_a_series_is_named(reader, tmp_path):
    card = small_card(tmp_path / "card", reader.__name__)
    with pytest.raises(DataError, match=r"not there is not there. Give the folder that holds the values"):
        reader.read(tmp_path / "not there", card)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no .*, the values. It holds: nothing"):
        reader.read(tmp_path / "empty", card)


def test_read_gives_a_series_file(reader):
    hints = inspect.get_annotations(reader.read, eval_str=True)
    assert hints["return"] is SeriesFile
