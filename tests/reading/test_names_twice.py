"""A first line that has a name twice is refused: pandas would call the second column by a name of its own."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.readers.number_table import read_table
from stexplain.errors import DataError
from stexplain.reading.table import read_csv

TIMES = pd.date_range("2012-03-01", periods=30, freq="5min")


def table(names, index=None):
    values = np.random.default_rng(0).normal(size=(30, len(names)))
    return pd.DataFrame(values, index=index, columns=names)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_the_places_of_both_are_named(tmp_path, separator):
    path = tmp_path / "a.csv"
    table(["a", "b", "a"]).to_csv(path, index=False, sep=separator)
    with pytest.raises(DataError, match=r"a\.csv: the first line names 'a' twice, in columns 1 and 3; expected each"):
        read_csv(path, sep=separator)
    with pytest.raises(DataError, match="names 'a' twice"):
        read_csv(path, sep=None, engine="python", dtype=str)
    assert read_csv(path, sep=separator, header=None).shape == (31, 3)


def test_names_that_only_look_so_are_kept(tmp_path):
    path = tmp_path / "a.csv"
    table(["s1", "s1.1", "s1.2"]).to_csv(path, index=False)
    assert list(read_table(path).columns) == list(read_csv(path).columns) == ["s1", "s1.1", "s1.2"]


def test_sensors_and_regions_are_refused(tmp_path):
    table(["s1", "s1", "s3"], TIMES).to_csv(tmp_path / "s.csv")
    with pytest.raises(DataError, match=r"s\.csv: the first line names 's1' twice, in columns 2 and 3"):
        stx.load_sensors(tmp_path / "s.csv", links="none")
    table(["v1", "m1", "v1"]).to_csv(tmp_path / "sub-1.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=r"sub-1\.tsv: the first line names 'v1' twice"):
        stx.load_regions(tmp_path / "sub-1.tsv", train="all")


def test_tables_of_joints_and_labels_are_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("sample,frame,joint,x,y,x\n" + "".join(f"a,{t},nose,1,2,3\n" for t in range(4)))
    with pytest.raises(DataError, match=r"s\.csv: the first line names 'x' twice, in columns 4 and 6"):
        stx.load_skeletons(path)
