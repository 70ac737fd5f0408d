"""What every reader that a bundled card names must hold to."""

import inspect

import pytest

from stexplain.cards import card_names, dataset_card, imported
from stexplain.data.recording import Recording
from stexplain.errors import DataError

CARDS = card_names("datasets")


@pytest.fixture(params=CARDS)
def card(request):
    return dataset_card(request.param)


def test_an_empty_folder_holds_nothing(card, tmp_path):
    assert imported(card.reader, card.name).find(tmp_path, card) == []


@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage \n 1 2 3\n", b"1\r\n", b"{}", b"9999999999999999999\r\n"])
def test_a_broken_file_is_named_and_nothing_else_is_raised(card, tmp_path, content):
    path = tmp_path / "broken file.x"
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken file"):
        imported(card.reader, card.name).read(path)


def test_a_missing_file_is_named(card, tmp_path):
    with pytest.raises(DataError, match="not there"):
        imported(card.reader, card.name).read(tmp_path / "not there")


def test_read_gives_a_recording(card):
    hints = inspect.get_annotations(imported(card.reader, card.name).read, eval_str=True)
    assert hints["return"] is Recording
