"""HDF5 that leads into other files: refused, by whatever way it leads there."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import stexplain as stx
from stexplain.data.readers.metr_la_h5 import read_frame
from stexplain.errors import DataError
from tests.fuzz import corpus

h5py = pytest.importorskip("h5py")


def _external_group(file, elsewhere):
    del file["df"]
    file["df"] = h5py.ExternalLink(elsewhere, "/df")


def _external_dataset(file, elsewhere):
    del file["df/block0_values"]
    file["df/block0_values"] = h5py.ExternalLink(elsewhere, "/df/block0_values")


def _by_a_soft_link(file, elsewhere):
    file["away"] = h5py.ExternalLink(elsewhere, "/df")
    del file["df/block0_values"]
    file["df/block0_values"] = h5py.SoftLink("/away/block0_values")


def _external_storage(file, elsewhere):
    shape = file["df/block0_values"].shape
    del file["df/block0_values"]
    file["df"].create_dataset("block0_values", shape, "f8", external=[(elsewhere, 0, h5py.h5f.UNLIMITED)])


def _virtual(file, elsewhere):
    shape = file["df/block0_values"].shape
    del file["df/block0_values"]
    layout = h5py.VirtualLayout(shape, "f8")
    layout[:] = h5py.VirtualSource(elsewhere, "df/block0_values", shape)
    file["df"].create_virtual_dataset("block0_values", layout)


@pytest.mark.parametrize("lead", [_external_group, _external_dataset, _by_a_soft_link, _external_storage, _virtual])
def test_what_lies_in_another_file_is_refused(tmp_path, lead):
    corpus.metr_la(tmp_path)
    (tmp_path / "metr-la.h5").rename(tmp_path / "other.h5")
    corpus.metr_la(tmp_path)
    np.testing.assert_allclose(read_frame(tmp_path / "metr-la.h5"), corpus.VALUES)
    with h5py.File(tmp_path / "metr-la.h5", "a") as file:
        lead(file, str(tmp_path / "other.h5"))
    with pytest.raises(DataError, match=r"metr-la.h5 could not be read as HDF5: '\S+' lies in another file \('.*other"):
        read_frame(tmp_path / "metr-la.h5")


def test_a_link_within_the_file_is_followed(tmp_path):
    corpus.metr_la(tmp_path)
    with h5py.File(tmp_path / "metr-la.h5", "a") as file:
        file.move("df/block0_values", "values")
        file["df/block0_values"] = h5py.SoftLink("/values")
    np.testing.assert_allclose(read_frame(tmp_path / "metr-la.h5"), corpus.VALUES)


def test_netcdf_that_lies_in_another_file_is_refused(tmp_path):
    pytest.importorskip("h5netcdf")
    corpus.netcdf_4(tmp_path)
    (tmp_path / "speeds.nc").rename(tmp_path / "other.nc")
    corpus.netcdf_4(tmp_path)
    with h5py.File(tmp_path / "speeds.nc", "a") as file:
        file["more"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "/speed")
    with pytest.raises(DataError, match=r"speeds.nc could not be read as netCDF: 'more' lies in another file"):
        stx.load_sensors(tmp_path / "speeds.nc")


def test_a_zarr_with_a_link_out_of_it_is_refused(tmp_path):
    pytest.importorskip("zarr")
    corpus.zarr_2(tmp_path)
    made = tmp_path / "speeds.zarr"
    chunk = next(path for path in sorted((made / "speed").iterdir()) if not path.name.startswith("."))
    chunk.rename(made / "speed" / "kept")
    chunk.symlink_to("kept")
    assert len(stx.load_sensors(made).graph.edges) == 2
    (made / "speed" / "kept").rename(tmp_path / "elsewhere")
    chunk.unlink()
    chunk.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"is a link to .*elsewhere, out of the folder .*speeds.zarr"):
        stx.load_sensors(made)


def test_a_folder_that_is_itself_a_link_is_read(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "disk").mkdir()
    corpus.zarr_2(tmp_path / "disk")
    Path(tmp_path / "speeds.zarr").symlink_to(tmp_path / "disk" / "speeds.zarr", target_is_directory=True)
    assert stx.load_sensors(tmp_path / "speeds.zarr", links="none").nodes == corpus.NODES


@pytest.mark.skipif(os.name != "posix", reason="limits of a processor's time are of POSIX")
def test_a_file_that_is_never_read_ends(tmp_path, monkeypatch):
    from stexplain.reading import child_process

    (tmp_path / "endless.py").write_text("def arrays(path):\n    while True:\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(child_process, "_SECONDS", 1.0)
    with pytest.raises(DataError, match="endless.py could not be read as HDF5: it was not read after 1 s"):
        child_process.arrays_in_child("endless", tmp_path / "endless.py", "HDF5")


def test_a_library_that_crashes_ends_alone(tmp_path, monkeypatch):
    from stexplain.reading.child_process import arrays_in_child

    (tmp_path / "crashing.py").write_text("import os\n\n\ndef arrays(path):\n    os.abort()\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match="crashing.py could not be read as HDF5: the library ended with -6"):
        arrays_in_child("crashing", tmp_path / "crashing.py", "HDF5")


def test_of_several_frames_one_must_be_chosen(tmp_path):
    corpus.metr_la(tmp_path)
    with h5py.File(tmp_path / "metr-la.h5", "a") as file:
        file.copy("df", "flow")
    with pytest.raises(DataError, match=r"it holds 2 DataFrames .*: df, flow; expected one.*pd.read_hdf\(path, key\)"):
        read_frame(tmp_path / "metr-la.h5")


class Limits:
    """Stands in for `resource`, of a system that has its own limits or takes none."""

    RLIMIT_AS, RLIMIT_CPU, RLIM_INFINITY = "memory", "seconds", -1

    def __init__(self, hard: int, takes: bool = True) -> None:
        self.hard, self.takes, self.set = hard, takes, {}

    def getrlimit(self, which):
        return self.hard, self.hard

    def setrlimit(self, which, limits):
        # As Python does on macOS, and anywhere for more than the hard limit.
        if not self.takes or (self.hard != self.RLIM_INFINITY and limits[0] > self.hard):
            raise ValueError("current limit exceeds maximum limit")
        self.set[which] = limits[0]


def test_a_system_that_takes_no_limits_reads_all_the_same(monkeypatch):
    from stexplain.reading import child_process

    monkeypatch.setitem(sys.modules, "resource", Limits(-1, takes=False))
    child_process._limit(1000, 8)
    # A process may have been given less before.
    less = Limits(5)
    monkeypatch.setitem(sys.modules, "resource", less)
    child_process._limit(1000, 8)
    assert less.set["seconds"] == 5


def test_memory_is_limited_where_it_is_known(monkeypatch):
    from stexplain.reading import child_process

    found = Limits(-1)
    monkeypatch.setitem(sys.modules, "resource", found)
    child_process._limit(1000, 8)
    assert found.set["seconds"] == 8
    known = Path("/proc/self/statm").exists()
    assert ("memory" in found.set) == known
    # On macOS there is no such file: more is reserved than any limit.
    monkeypatch.setattr(Path, "exists", lambda path: False)
    other = Limits(-1)
    monkeypatch.setitem(sys.modules, "resource", other)
    child_process._limit(1000, 8)
    assert set(other.set) == {"seconds"}
