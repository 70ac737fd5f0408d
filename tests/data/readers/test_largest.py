from pathlib import Path

import numpy as np
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.largest import read
from stexplain.errors import DataError
from tests.data.series_cards import small_card

FLOW = np.random.default_rng(0).uniform(0, 300, (40, 3))


@pytest.fixture
def card(tmp_path):
    return small_card(tmp_path / "card", "stexplain.data.readers.largest", ("flow",), "start = 2019-01-01T00:00:00")


def write(folder: Path, *, adjacency=None, frames: int = 40, **arrays) -> Path:
    """`his.npz` as LargeST's script writes it: scaled flow, time of day, day of week; the network a folder above."""
    folder.mkdir(parents=True)
    mean, std = FLOW[:20].mean(), FLOW[:20].std()
    calendar = np.zeros((40, 3, 2))
    data = np.concatenate([((FLOW - mean) / std)[..., None], calendar], axis=-1)[:frames]
    np.savez_compressed(folder / "his.npz", **{"data": data, "mean": mean, "std": std, **arrays})
    for name, index in (("train", np.arange(11, 30)), ("val", np.arange(30, 34)), ("test", np.arange(34, 38))):
        np.save(folder / f"idx_{name}.npy", index)
    network = np.array([[1, 0.5, 0], [0, 1, 0], [0, 0.25, 1]]) if adjacency is None else adjacency
    np.save(folder.parent / "sd_rn_adj.npy", network)
    return folder


def test_flow_comes_back_in_its_own_unit(card, tmp_path):
    found = read(write(tmp_path / "sd" / "2019"), card)
    assert found.values.shape == (40, 3, 1)
    np.testing.assert_allclose(found.values[..., 0], FLOW, rtol=1e-5)
    assert found.graph.edges.tolist() == [[0, 1], [2, 1]]
    assert found.graph.weight.tolist() == [0.5, 0.25]
    assert str(found.time[0]) == "2019-01-01 00:00:00"
    assert len(load_dataset(card, tmp_path / "sd" / "2019")) == 36


def test_what_does_not_fit_is_named(card, tmp_path):
    with pytest.raises(DataError, match=r"sd_rn_adj.npy has shape \(2, 2\); expected \[3, 3\]"):
        read(write(tmp_path / "a" / "2019", adjacency=np.eye(2)), card)
    with pytest.raises(DataError, match=r"idx_test.npy names the frame 37; his.npz holds 30"):
        read(write(tmp_path / "b" / "2019", frames=30), card)
    with pytest.raises(DataError, match="expected numbers"):
        read(write(tmp_path / "c" / "2019", adjacency=np.full((3, 3), "a")), card)
    with pytest.raises(DataError, match=r"mean \(3,\)"):
        read(write(tmp_path / "d" / "2019", mean=np.ones(3)), card)
    with pytest.raises(DataError, match=r"sd_rn_adj.npy: matrix at \[0, 1\]: got inf"):
        read(write(tmp_path / "f" / "2019", adjacency=np.array([[0, np.inf, 0], [0] * 3, [0] * 3])), card)
    np.save(write(tmp_path / "g" / "2019") / "idx_test.npy", np.array([34.0, np.nan]))
    with pytest.raises(DataError, match="idx_test.npy holds float64; expected whole numbers"):
        read(tmp_path / "g" / "2019", card)
    (write(tmp_path / "e" / "2019").parent / "sd_rn_adj.npy").unlink()
    with pytest.raises(DataError, match=r"holds no \*_rn_adj.npy, the road network"):
        read(tmp_path / "e" / "2019", card)


@pytest.mark.parametrize(("mean", "std"), [(np.nan, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, np.inf)])
def test_a_scale_that_would_spoil_every_value_is_refused(card, tmp_path, mean, std):
    with pytest.raises(DataError, match="his.npz: got the mean .*; expected finite numbers, the second above 0"):
        read(write(tmp_path / "sd" / "2019", mean=np.float64(mean), std=np.float64(std)), card)


def test_a_scale_may_have_axes_of_one(card, tmp_path):
    plain = read(write(tmp_path / "a" / "2019"), card)
    axes = read(
        write(tmp_path / "b" / "2019", mean=np.full((1, 1), FLOW[:20].mean()), std=np.full(1, FLOW[:20].std())), card
    )
    np.testing.assert_array_equal(plain.values, axes.values)


def test_nothing_is_unpickled(card, tmp_path):
    folder = write(tmp_path / "sd" / "2019")
    np.save(folder.parent / "sd_rn_adj.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(DataError, match="could not be read as npy: Object arrays cannot be loaded"):
        read(folder, card)
