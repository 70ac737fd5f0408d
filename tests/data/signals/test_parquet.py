"""Series in parquet, where pandas has an engine for it: columns of sensors, times as index or column, channels."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError

HOURS = pd.date_range("2012-03-01", periods=30, freq="h")
VALUES = np.random.default_rng(0).uniform(1, 9, (30, 4)).round(2)
HOW = {"links": "none", "window": 4, "horizon": 2}


def has_engine():
    try:
        pd.io.parquet.get_engine("auto")
    except ImportError:
        return False
    return True


ENGINE = pytest.mark.skipif(not has_engine(), reason="pandas reads parquet by pyarrow or fastparquet: neither is there")


@ENGINE
@pytest.mark.parametrize("index", [True, False])
def test_times_are_the_index_or_the_only_column_of_times(tmp_path, index):
    table = pd.DataFrame(VALUES, HOURS.rename("time"), ["a", "b", "c", "d"])
    (table if index else table.reset_index()).to_parquet(tmp_path / "x.parquet")
    series = stx.load_sensors(tmp_path / "x.parquet", **HOW)
    ((found, _),) = series.observations()
    assert series.graph.nodes == ("a", "b", "c", "d")
    assert (series.time == HOURS).all()
    np.testing.assert_allclose(found[..., 0], VALUES, rtol=1e-6)


@ENGINE
def test_what_is_no_parquet_is_refused_with_its_name(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and then nothing PAR1")
    with pytest.raises(DataError, match=r"x\.parquet could not be read as parquet"):
        stx.load_sensors(tmp_path / "x.parquet", **HOW)


def test_without_an_engine_it_is_said_which_package_reads_it(tmp_path, monkeypatch):
    def without(path):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", without)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"x\.parquet is parquet, which needs pyarrow: pip install pyarrow"):
        stx.load_sensors(tmp_path / "x.parquet", **HOW)
