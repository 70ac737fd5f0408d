"""Archives of arrays that unpack to far more than they hold."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import DataError
from stexplain.reading.npy import opened_npz


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros((300, 300, 25, 10), np.float32))
    said = r"x\.npz, array 'x': it unpacks to 90 MB, and holds 0\.0\d+ MB"
    with pytest.raises(DataError, match=said):
        stx.load_skeletons(path, graph="kinect-v2", axes="b t n c")
    with opened_npz(path, any_ratio=True) as arrays:
        assert arrays["x"].shape == (300, 300, 25, 10)
    # As the message says.
    np.savez(tmp_path / "y.npz", **np.load(path))
    with opened_npz(tmp_path / "y.npz") as arrays:
        assert arrays["x"].shape == (300, 300, 25, 10)
