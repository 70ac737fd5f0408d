import textwrap
from pathlib import Path

import numpy as np
import pytest

from stexplain.cards import model_card, trusting
from stexplain.data.load import load_dataset, load_series
from stexplain.data.planted.cache import planted_series
from stexplain.errors import CardError, DataError, InputError
from tests.data.series_cards import small_card

MODULE = """
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from stexplain.data.series_file import SeriesFile
    from stexplain.graph import STGraph


    def generate(card, out, *, seed=0):
        out.mkdir(parents=True)
        np.save(out / "values.npy", np.arange(120.0).reshape(60, 2) + seed)
        with open(Path(out).parent.parent / "calls", "a") as calls:
            calls.write("called\\n")


    def read(where, card):
        minutes = float((where / "minutes").read_text()) if (where / "minutes").exists() else 5
        time = pd.date_range("2024-01-01", periods=60, freq=pd.Timedelta(minutes=minutes))
        return SeriesFile(np.load(where / "values.npy", mmap_mode="r"), STGraph("ab", [(0, 1)]), time)
"""


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A card whose reader and generator are a module of its own."""
    (tmp_path / "own_series.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    card = small_card(tmp_path / "small", "own_series")
    path = card.path
    path.write_text(path.read_text().replace("[series]", 'planted = "own_series"\n[series]'))
    with trusting("own_series"):
        yield path


def test_planted_series_are_generated_once_per_seed(card, tmp_path):
    calls = tmp_path / "cache" / "calls"
    first = load_dataset(card)
    assert np.array_equal(load_dataset(card).batch([3]).x, first.batch([3]).x)
    assert calls.read_text().splitlines() == ["called"]
    assert load_dataset(card, seed=1).batch([0]).x[0, 0, 0, 0, 0] == 1
    assert calls.read_text().splitlines() == ["called", "called"]
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")]


def test_planted_series_of_another_card_are_made_anew(card):
    before = planted_series(card)
    card.write_text(card.read_text().replace("window = 3", "window = 4"))
    assert planted_series(card) != before
    assert load_series(card).batch([0]).x.shape == (1, 1, 4, 2, 1)


def test_a_memory_map_stays_one(card):
    series = load_dataset(card)
    assert isinstance(series._source.values, np.memmap)
    assert not series.planted
    assert series.events.empty


def test_readings_that_do_not_fit_the_card(card, tmp_path):
    folder = planted_series(card)
    (folder / "minutes").write_text("15")
    with pytest.raises(
        DataError, match=r"second frame is 0 days 00:15:00 after the first; the card 'small' says 5 min"
    ):
        load_dataset(card, folder)
    (folder / "minutes").unlink()
    card.write_text(card.read_text().replace('channels = ["speed"]', 'channels = ["speed", "flow"]'))
    with pytest.raises(DataError, match=r"does not fit the card 'small': values: got shape \(60, 2\)"):
        load_dataset(card, folder)


def test_a_recipe_is_not_for_a_series(card):
    recipe = model_card("stgcn10").recipe("quick")
    with pytest.raises(InputError, match="got a recipe for a series"):
        load_dataset(card, recipe=recipe)


def test_a_reader_that_is_not_there(tmp_path):
    card = small_card(tmp_path / "small", "nowhere_at_all")
    with trusting("nowhere_at_all"), pytest.raises(CardError, match="'nowhere_at_all' cannot be imported"):
        load_dataset(card, Path(tmp_path))
