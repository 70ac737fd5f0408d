"""Chunks of Blosc that were cut: it reads what is missing from elsewhere in memory, so they are refused."""

import numpy as np
import pytest

from stexplain.data.signals.sensors import load_sensors
from stexplain.errors import DataError
from stexplain.explainers.explanation import Explanation
from tests.data.signals.sensor_files import SHORT

xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")


def saved(path):
    values = np.random.default_rng(0).normal(size=(4, 1, 16, 3)).astype(np.float32)
    Explanation(values, np.ones((4, 1, 16), bool)).save(path)
    return path, values


def chunks(path):
    return [
        file for file in sorted(path.rglob("*")) if file.is_file() and "json" not in file.name and file.name[0] != "."
    ]


@pytest.mark.parametrize("cut", [1, 4, 30])
def test_a_cut_chunk_of_an_explanation(tmp_path, cut):
    path, values = saved(tmp_path / "e.zarr")
    np.testing.assert_array_equal(Explanation.load(path).values, values)
    chunk = next(one for one in chunks(path) if one.parent.name == "values")
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-cut])
    with pytest.raises(DataError, match=rf"values/0\S* holds {len(whole) - cut} bytes; its header says {len(whole)}"):
        Explanation.load(path)


@pytest.mark.parametrize("version", [2, 3])
def test_a_cut_chunk_of_sensors(tmp_path, version):
    values = np.random.default_rng(0).normal(50, 5, (64, 3)).astype(np.float32)
    time = np.datetime64("2024-01-01", "ns") + 5 * np.arange(64) * np.timedelta64(1, "m")
    data = xarray.Dataset({"speed": (("time", "sensor"), values)}, {"time": time, "sensor": np.arange(3)})
    blosc = zarr.codecs.BloscCodec() if version == 3 else None
    encoding = {"speed": {"compressors": [blosc]}} if blosc else None
    path = tmp_path / "speeds.zarr"
    data.to_zarr(path, zarr_format=version, encoding=encoding, consolidated=False)
    assert load_sensors(path, links="none", **SHORT).batch([0]).x[0, 0, 0, :, 0].tolist() == values[0].tolist()
    chunk = next(one for one in chunks(path) if one.relative_to(path).parts[0] == "speed")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"speed/\S+ holds \d+ bytes; its header says \d+"):
        load_sensors(path, links="none", **SHORT)
