"""An explanation in files: what is read again is what was written, and a file is what its name says."""

import importlib.util
import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
import xarray
from torch import nn

from stexplain import Class, Explanation, InputGradient, ShapleyValueSampling, STGraph
from stexplain.errors import DataError, InputError
from stexplain.explainers.saving.formats import READERS, WRITERS

GRAPH = STGraph.from_edges(["hip", "knie", "Hände"], [("hip", "knie"), ("hip", "Hände")], groups={"leg": ["hip"]})
MODEL = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def explanation(method=InputGradient, **options):
    x = torch.randn(2, 2, 6, 3, generator=torch.Generator().manual_seed(0))
    explain = method(MODEL, inputs="b c t n", graph=GRAPH, classes=["sit", "stand", "écouter"], **options)
    valid = torch.arange(6).expand(2, 1, 6) < torch.tensor([6, 4])[:, None, None]
    return explain(x, target=Class(2), ids=["p1", 7], valid=valid)


def with_errors():
    return explanation(ShapleyValueSampling, orders=4, window=3)


@pytest.mark.parametrize("made", [explanation, with_errors])
@pytest.mark.parametrize("suffix", READERS)
def test_all_of_it_is_read_again(tmp_path, suffix, made):
    e = made()
    e.save(tmp_path / f"e{suffix}")
    back = Explanation.load(tmp_path / f"e{suffix}")
    for name, value in e._fields().items():
        got = getattr(back, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(got, value, err_msg=name)
            assert got.dtype == value.dtype, name
        elif name == "graph":
            assert got == value
        elif name == "extra":
            assert got.keys() == value.keys()
            assert all(np.array_equal(got[key], numbers) for key, numbers in value.items())
        elif name != "call":  # of the model, which is not in the file
            assert got == value, name


def test_tables_are_the_table(tmp_path):
    e = explanation()
    e.save(tmp_path / "e.csv")
    table = pd.read_csv(tmp_path / "e.csv")
    assert len(table) == (6 + 4) * 3
    assert table["sample"].unique().tolist() == ["p1", "7"]
    np.testing.assert_allclose(table["value"], e.values[e.present], rtol=1e-6)
    if importlib.util.find_spec("pyarrow"):
        e.save(tmp_path / "e.parquet")
        back = pd.read_parquet(tmp_path / "e.parquet")
        pd.testing.assert_frame_equal(back, e.to_pandas())
        assert back.attrs.get("made_by", {}) == e.made_by
    else:
        with pytest.raises(InputError, match="pip install pyarrow"):
            e.save(tmp_path / "e.parquet")
        assert not (tmp_path / "e.parquet").exists()


@pytest.mark.parametrize("name", ["e.xyz", "e", "e.json", "e.pkl"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"expected a name that ends in \.nc, \.zarr, \.npz"):
        explanation().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="expected a name that ends in"):
        Explanation.load(tmp_path / name)


def test_a_table_is_not_an_explanation(tmp_path):
    explanation().save(tmp_path / "e.csv")
    with pytest.raises(InputError, match="A table does not hold all"):
        Explanation.load(tmp_path / "e.csv")


@pytest.mark.parametrize("suffix", [suffix for suffix in READERS if suffix != ".zarr"])
def test_a_broken_file_is_named(tmp_path, suffix):
    path = tmp_path / f"e{suffix}"
    explanation().save(path)
    whole = path.read_bytes()
    for content in (b"", b"no such thing", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=str(path)):
            Explanation.load(path)
    with pytest.raises(DataError, match="is missing"):
        Explanation.load(tmp_path / f"none{suffix}")


class Hostile:
    def __reduce__(self):
        return pytest.fail, ("it was executed",)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "e.npz"
    np.savez(path, about=np.array([Hostile()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=str(path)):
        Explanation.load(path)


def test_every_ending_that_is_read_is_written():
    assert set(READERS) <= set(WRITERS)


def test_it_is_an_array():
    e = explanation()
    assert np.shares_memory(np.asarray(e), e.values)
    assert np.array(e, dtype=np.float64).dtype == np.float64


def test_a_zarr_folder_that_declares_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "e.zarr"
    explanation().save(path)
    for file in (path / ".zmetadata", path / "values" / ".zarray"):
        about = json.loads(file.read_text())
        entry = about.get("metadata", {}).get("values/.zarray", about)
        entry["shape"][3] = 10**9
        file.write_text(json.dumps(about))
    with pytest.raises(
        DataError, match=r"e\.zarr could not be read as a zarr folder: its files hold \d+ bytes; its arr"
    ):
        Explanation.load(path)


def test_a_zarr_folder_whose_chunks_say_other_sizes_is_refused(tmp_path):
    path = tmp_path / "e.zarr"
    explanation().save(path)
    chunk = next(file for file in sorted((path / "values").iterdir()) if not file.name.startswith("."))
    content = bytearray(chunk.read_bytes())
    # Blosc's own header: the size when unpacked.
    content[4:8] = (2**31 - 64).to_bytes(4, "little")
    chunk.write_bytes(content)
    with pytest.raises(DataError, match=r"e\.zarr could not be read as a zarr folder: .* Save the explanation again"):
        Explanation.load(path)


def test_a_zarr_folder_with_a_pipe_in_it_is_refused(tmp_path):
    path = tmp_path / "e.zarr"
    explanation().save(path)
    (path / "values" / ".zarray").unlink()
    os.mkfifo(path / "values" / ".zarray")
    with pytest.raises(DataError, match=r"\.zarray could not be read: it is a pipe"):
        Explanation.load(path)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("map.svg", r"stexplain\.viz\.save\(e\.plot\(\), path\)"),
        ("map.html", r"viz\.save"),
        ("map.mp4", r"e\.animate\(path\)"),
    ],
)
def test_who_asks_for_a_chart_is_told_how_it_is_saved(tmp_path, name, way):
    e = Explanation(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2), bool))
    with pytest.raises(InputError, match=way):
        e.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_xarray_writes_by_default_is_named_and_its_remedy_works(tmp_path):
    made = explanation()
    (tmp_path / "four.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(DataError, match=r'netCDF 4.*expected netCDF 3.*to_netcdf\(path, engine="scipy"\)'):
        Explanation.load(tmp_path / "four.nc")
    made.save(tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as dataset:
        changed = dataset.load().assign_attrs(project="a study")
    changed.to_netcdf(tmp_path / "three.nc", engine="scipy")
    np.testing.assert_array_equal(Explanation.load(tmp_path / "three.nc").values, made.values)


def test_a_file_of_another_version_is_not_read_by_halves(tmp_path):
    made = explanation()
    made.save(tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as dataset:
        dataset.load().assign_attrs(format=np.int32(2)).to_netcdf(tmp_path / "b.nc", engine="scipy")
    with pytest.raises(DataError, match=r"the format is 2; this version reads format 1\. Another version"):
        Explanation.load(tmp_path / "b.nc")


def test_a_file_of_something_else_is_named_with_what_it_holds(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(2), b=np.zeros(3))
    with pytest.raises(DataError, match=r"x\.npz: holds no explanation: got arrays a, b; expected a file that"):
        Explanation.load(tmp_path / "x.npz")
    np.savez(tmp_path / "many.npz", *[np.zeros(1)] * 10)
    with pytest.raises(DataError, match=r"got arrays arr_0, .*, arr_7 and 2 more; expected"):
        Explanation.load(tmp_path / "many.npz")
    xarray.Dataset({"wind": ("x", np.zeros(3))}).to_netcdf(tmp_path / "x.nc", engine="scipy")
    with pytest.raises(DataError, match=r"x\.nc: holds no explanation: got variables wind; expected a file that"):
        Explanation.load(tmp_path / "x.nc")
    xarray.Dataset().to_netcdf(tmp_path / "none.nc", engine="scipy")
    with pytest.raises(DataError, match=r"got no variables; expected"):
        Explanation.load(tmp_path / "none.nc")
