import numpy as np
import pytest
import torch

from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.methods.baselines import Motion, Random
from stexplain.explainers.targets import Predicted
from tests.explainers.small_models import PlainSTGCN, signals


def batch(x, valid, ids):
    return Batch(x * valid[..., None, None], valid, torch.zeros(len(x), dtype=torch.int64), ids)


def test_motion_by_loops():
    x = signals(2, 2, 7, 3, 3)
    valid = torch.ones(2, 2, 7, dtype=torch.bool)
    valid[0, 0, 3] = False
    valid[1, 1, 1:] = False
    with Motion() as motion:
        values = motion(x, target=Predicted(), valid=valid).values
    for b, m, t, n in np.ndindex(2, 2, 7, 3):
        steps = [
            float((x[b, m, t, n] - x[b, m, other, n]).norm())
            for other in (t - 1, t + 1)
            if 0 <= other < 7 and valid[b, m, t] and valid[b, m, other]
        ]
        assert np.isclose(values[b, m, t, n], np.mean(steps) if steps else 0.0, atol=1e-6)


def test_a_still_node_does_not_move_wherever_it_is():
    assert (Motion()(torch.full((1, 1, 5, 2, 3), 7.0)).values == 0).all()


def test_random_is_a_samples_own():
    x, valid = signals(3, 1, 6, 4, 2), torch.ones(3, 1, 6, dtype=torch.bool)
    valid[1, 0, 4:] = False
    whole = Random(seed=3)(batch(x, valid, ("a", "b", "c"))).values
    turned = Random(seed=3)(batch(x[[2, 1]], valid[[2, 1]], ("c", "b"))).values
    assert np.array_equal(turned, whole[[2, 1]])
    longer = torch.cat([x, torch.zeros(3, 1, 5, 4, 2)], 2)
    longer_valid = torch.cat([valid, torch.zeros(3, 1, 5, dtype=torch.bool)], 2)
    assert np.array_equal(Random(seed=3)(batch(longer, longer_valid, ("a", "b", "c"))).values[:, :, :6], whole)
    assert not np.array_equal(Random(seed=4)(batch(x, valid, ("a", "b", "c"))).values, whole)
    assert not np.array_equal(whole[0], whole[2])
    assert (whole[1, 0, 4:] == 0).all()


def test_random_is_uniform():
    values = Random(seed=0)(signals(4, 1, 100, 25, 3)).values
    # The mean of 10,000 uniform numbers has a standard deviation of 0.0029.
    assert abs(values.mean() - 0.5) < 0.015
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1


def test_a_sample_of_a_read_only_file():
    x = np.ones((1, 4, 3, 2), np.float32)
    x.flags.writeable = False
    valid = np.ones((1, 4), bool)
    valid.flags.writeable = False
    e = Motion()(Sample(x, valid, id="one"))
    assert e.ids == ("one",)
    assert e.values.shape == (1, 1, 4, 3)


def test_the_model_only_tells_the_layout():
    model = PlainSTGCN()
    model.inputs = "b c t n m"
    assert Motion(model)(signals(2, 3, 9, 5, 2)).values.shape == (2, 2, 9, 5)
    with pytest.raises(InputError, match="NaN"):
        Motion(model)(torch.full((2, 3, 9, 5, 2), torch.nan))
