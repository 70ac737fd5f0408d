"""What lies beside signals in the files of regions, or in their place, is not taken for one of them."""

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_regions
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph

SIGNALS = np.random.default_rng(0).normal(size=(4, 30, 5)) + np.random.default_rng(1).normal(size=(4, 30, 1))
LABELS = {f"sub-{number}": "ab"[number % 2] for number in range(4)}
REST = {"labels": LABELS, "train": "all", "density": 1.0, "tr": 2.0}


def written(folder, name=None, column=None, **options):
    for subject, signals in zip(LABELS, SIGNALS, strict=True):
        table = pd.DataFrame(signals, columns=list("vwxyz"))
        if name is not None:
            table.insert(0, name, column)
        table.to_csv(folder / f"{subject}.csv", **options)
    return folder


def test_the_index_that_pandas_writes_is_no_region(tmp_path):
    clips = load_regions(written(tmp_path), **REST)
    assert clips.graph.nodes == tuple("vwxyz")
    np.testing.assert_allclose(clips[1].x[0, :, :, 0], SIGNALS[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["time", "TR", "frame", "Volume"])
def test_times_are_no_region(tmp_path, name):
    with pytest.raises(DataError, match=f"the column '{name}' holds times"):
        load_regions(written(tmp_path, name, np.arange(30) * 2.0, index=False), **REST)
    table = pd.DataFrame(SIGNALS[0], columns=list("vwxyz"))
    if name.lower() != "volume":
        with pytest.raises(InputError, match="set_index"):
            STGraph.from_correlation(table.assign(**{name: np.arange(30) * 2.0}), density=0.5)


def test_a_column_without_a_name_is_no_region(tmp_path):
    with pytest.raises(DataError, match="a column has no name"):
        load_regions(written(tmp_path, "", SIGNALS[0, :, 0], index=False), **REST)


@pytest.mark.parametrize("rounded", [False, True])
def test_correlations_are_no_signals(rounded):
    matrices = np.stack([np.corrcoef(one.T) for one in SIGNALS])
    with pytest.raises(InputError, match="a matrix of correlations.*no signal over time"):
        load_regions(matrices.round(3) if rounded else matrices, labels=list("abab"), train="all", tr=2.0)
