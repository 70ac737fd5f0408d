"""Tables with two rows of names, (sensor, channel): right to the number, or refused."""

import warnings

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError

HOW = {"links": "none", "window": 4, "horizon": 2}
TIMES = pd.date_range("2020-01-01", periods=30, freq="h")
VALUES = np.random.default_rng(0).uniform(1, 9, (30, 2, 2)).round(3)
PAIRS = [("a", "speed"), ("a", "flow"), ("b", "speed"), ("b", "flow")]


def table(names=(None, None), index=True):
    columns = pd.MultiIndex.from_tuples(PAIRS, names=names)
    return pd.DataFrame(VALUES.reshape(30, 4), index=TIMES if index else None, columns=columns)


def right(series, time=True):
    assert (series.graph.nodes, series.channels) == (("a", "b"), ("speed", "flow"))
    ((values, observed),) = series.observations()
    np.testing.assert_allclose(values, VALUES, rtol=1e-6)
    assert observed.all()
    assert (series.time is not None) == time
    if time:
        assert (series.time == TIMES).all()


@pytest.mark.parametrize("names", [("sensor", "channel"), ("station", "variable"), ("node", "feature")])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("separator", [",", ";"])
def test_headings_say_which_row_is_of_sensors(tmp_path, names, turned, separator):
    given = table(names).swaplevel(axis=1) if turned else table(names)
    given.rename_axis("time").to_csv(tmp_path / "a.csv", sep=separator)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right(stx.load_sensors(tmp_path / "a.csv", **HOW))


@pytest.mark.parametrize("index", [True, False])
def test_without_headings_the_choice_is_said(tmp_path, index):
    table(index=index).to_csv(tmp_path / "a.csv", index=index)
    with pytest.warns(UserWarning, match=r"the first is taken for sensors \(a, b\), the second for channels \(speed"):
        right(stx.load_sensors(tmp_path / "a.csv", **HOW), time=index)


@pytest.mark.filterwarnings("ignore:.*two rows of names the first:UserWarning")
def test_names_over_several_columns_and_decimal_commas(tmp_path):
    lines = [";a;;b;", ";speed;flow;speed;flow"]
    lines += [
        ";".join([f"{time:%d.%m.%Y %H:%M}", *(f"{value:.3f}5".replace(".", ",") for value in row.ravel())])
        for time, row in zip(TIMES, VALUES, strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    series = stx.load_sensors(tmp_path / "a.csv", **HOW)
    ((values, _),) = series.observations()
    np.testing.assert_allclose(values, VALUES + 0.0005, rtol=1e-6)
    assert (series.time == TIMES).all()


def test_empty_cells_and_wrong_ones(tmp_path):
    table(("sensor", "channel")).to_csv(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    cell = f"{VALUES[1, 0, 1]}"
    (tmp_path / "a.csv").write_text(text.replace(f",{cell},", ",,", 1))
    ((_, observed),) = stx.load_sensors(tmp_path / "a.csv", channels=["flow"], **HOW).observations()
    assert (~observed).sum() == 1
    assert not observed[1, 0, 0]
    (tmp_path / "a.csv").write_text(text.replace(f",{cell},", ",off,", 1))
    line = 4 + ("\n2020-01-01 01" in text.split("\n2020-01-01 00")[0])
    with pytest.raises(DataError, match=rf"line {line}: column 'a flow' holds 'off'"):
        stx.load_sensors(tmp_path / "a.csv", **HOW)


def test_a_sensor_without_a_channel_is_refused(tmp_path):
    table(("sensor", "channel")).iloc[:, :3].to_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="the sensor 'b' has no channel 'flow'"):
        stx.load_sensors(tmp_path / "a.csv", **HOW)


def test_a_name_that_stands_twice_by_mistake_is_refused_as_before(tmp_path):
    plain = pd.DataFrame(VALUES.reshape(30, 4), index=TIMES, columns=["a", "b", "a", "c"])
    plain.to_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="names 'a' twice"):
        stx.load_sensors(tmp_path / "a.csv", **HOW)
