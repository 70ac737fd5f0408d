"""Cards of series of one's own: a few lines, of any format that `load_sensors` reads."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.cards import new_card, series_card
from stexplain.errors import CardError, DataError, InputError

SHORT = """
name = "mine"
[series]
channels = ["flow", "speed"]
minutes = 5
"""


def folder(tmp_path):
    values = np.random.default_rng(0).normal(50, 5, (60, 4, 2)).astype(np.float32)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "mine.npz", data=values)
    (tmp_path / "data" / "road.csv").write_text("from,to,cost\n0,1,2\n1,2,3\n2,3,1\n")
    return tmp_path / "data", values


def card(tmp_path, text=SHORT):
    (tmp_path / "card.toml").write_text(text)
    return tmp_path / "card.toml"


def test_four_lines_are_a_card_of_a_series(tmp_path):
    found = series_card(card(tmp_path))
    part = found.series
    assert (part.target_channel, part.unit, part.window, part.horizon, part.missing) == ("flow", "", 12, 12, None)
    assert (found.title, found.licence, part.splits.train) == ("mine", "not stated", 0.7)


def test_it_loads_and_splits(tmp_path):
    data, values = folder(tmp_path)
    more = 'links = "neighbours"\nstart = 2024-01-01T00:00:00\nwindow = 2\nhorizon = 1\n'
    path = card(tmp_path, SHORT + more + '[files]\nlinks = "road.csv"\nvalues = "mine.npz"\n')
    series = stx.load_series(path, data)
    assert series.graph.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    np.testing.assert_array_equal(series.batch([3]).x[0, 0], values[3:5])
    assert str(series.time[1]) == "2024-01-01 00:05:00"
    assert len(stx.load_series(path, data, "train")) > 0


def test_what_is_missing_is_said_with_an_example(tmp_path):
    for line, example in (('channels = ["flow", "speed"]', 'channels = ["speed"]'), ("minutes = 5", "minutes = 5")):
        with pytest.raises(CardError) as error:
            series_card(card(tmp_path, SHORT.replace(line, "")))
        assert f"For example: {example}" in str(error.value)


def test_what_does_not_fit_names_the_card(tmp_path):
    data, _ = folder(tmp_path)
    (data / "road.csv").unlink()
    with pytest.raises(DataError, match=r"does not fit the card 'mine': .*has no links"):
        stx.load_series(card(tmp_path), data / "mine.npz")
    with pytest.raises(DataError, match=r"channels: got 1 names; .* holds 2 channels"):
        stx.load_series(card(tmp_path, SHORT.replace(', "speed"', "")), data / "mine.npz")


def test_a_new_card_is_commented(tmp_path):
    text = new_card(tmp_path / "my-sensors", "metr-la").read_text("utf-8")
    assert "# From frame to frame." in text
    assert 'links = "distances"' in text
    assert series_card(tmp_path / "my-sensors").series.channels == ["speed"]


@pytest.mark.parametrize("start", ["2025-03-28", "2025-10-24"])
@pytest.mark.parametrize("written", ["clocks", "offsets", "start", "columns"])
def test_a_card_says_whose_clocks_the_times_are_on(tmp_path, start, written):
    moments = pd.date_range(start, periods=100, freq="h", tz="Europe/Berlin", name="time")
    table = pd.DataFrame(np.random.default_rng(0).normal(50, 5, (100, 3)).round(2), columns=["a", "b", "c"])
    more = 'links = "none"\ntime_zone = "Europe/Berlin"\n'
    if written == "start":
        more += f"start = {start}T00:00:00\n"
    else:
        table = table.set_index(moments if written == "offsets" else moments.tz_localize(None))
    reader = 'reader = "stexplain.data.readers.speeds_csv"\n' if written == "columns" else ""
    (tmp_path / "data").mkdir()
    table.to_csv(tmp_path / "data" / "speeds.csv", index=written != "start")
    (tmp_path / "data" / "edges.csv").write_text("source,target\na,b\nb,c\n")
    text = SHORT.replace('["flow", "speed"]', '["flow"]').replace("minutes = 5", "minutes = 60")
    path = card(tmp_path, reader + text.lstrip() + more)
    series = stx.load_series(path, tmp_path / "data")
    assert str(series.time.tz) == "Europe/Berlin"
    assert (series.time == moments).all()


def test_a_zone_without_times_and_one_that_is_none_are_refused(tmp_path):
    data, _ = folder(tmp_path)
    text = SHORT + 'links = "none"\ntime_zone = "{}"\n'
    with pytest.raises(DataError, match=r"has no times, and the card 'mine' a time_zone\. Write start ="):
        stx.load_series(card(tmp_path, text.format("UTC")), data / "mine.npz")
    with pytest.raises((DataError, InputError), match="got 'Berlin'; expected a name such as 'Europe/Berlin'"):
        stx.load_series(card(tmp_path, text.format("Berlin") + "start = 2024-01-01T00:00:00\n"), data / "mine.npz")
