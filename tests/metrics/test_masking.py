import numpy as np
import pytest
import torch

from stexplain.data.baselines import mean
from stexplain.errors import InputError
from stexplain.metrics import forecast_masking_curve, masking_curve
from stexplain.metrics.masking import beta_interval, mask_nodes, masking_steps, mean_over_masking
from tests.explainers.small_models import signals


def test_masking_moves_the_given_nodes_only():
    x, valid = signals(3, 2, 8, 5, 2), torch.ones(3, 2, 8, dtype=torch.bool)
    baseline = mean(x, valid)
    nodes = torch.zeros(3, 5, dtype=torch.bool)
    nodes[0, 2] = nodes[2, 4] = True
    masked = mask_nodes(x, baseline, nodes, 0.25)
    assert torch.allclose(masked[0, :, :, 2], 0.75 * x[0, :, :, 2] + 0.25 * baseline[0, :, :, 2])
    assert torch.equal(masked[1], x[1])
    assert torch.equal(masked[0, :, :, [0, 1, 3, 4]], x[0, :, :, [0, 1, 3, 4]])
    assert torch.equal(mask_nodes(x, baseline, ~nodes, 1.0)[1], baseline[1])
    with pytest.raises(InputError, match="nodes has shape"):
        mask_nodes(x, baseline, nodes[:, :4], 0.5)
    with pytest.raises(InputError, match="baseline has shape"):
        mask_nodes(x, baseline[:, :1], nodes, 0.5)
    for wrong in (-0.1, 1.1):
        with pytest.raises(InputError, match="masking: got"):
            mask_nodes(x, baseline, nodes, wrong)
    assert torch.equal(mask_nodes(x, baseline, nodes, 0.0), x)


def test_the_mean_over_masking_is_the_area_over_its_range():
    # 1 falls to 0 until 0.2 and rises to 1 until 1: half of each triangle.
    assert mean_over_masking(np.array([0.0, 0.2, 1.0]), np.array([[1.0], [0.0], [1.0]])).tolist() == [0.5]
    found = mean_over_masking(np.array([0.5, 0.75, 1.0]), np.array([[4.0, 1.0], [4.0, 3.0], [4.0, 3.0]]))
    assert found.tolist() == [4.0, 2.5]
    assert mean_over_masking(np.array([0.0, 1.0]), np.array([[1.0], [0.0]])).tolist() == [0.5]
    assert mean_over_masking(np.array([0.3]), np.array([[7.0, 8.0]])).tolist() == [7.0, 8.0]


def test_beta_counts_a_rise_that_is_more_than_chance_and_no_other():
    masking, unmasked = np.array([0.0, 0.5, 1.0]), np.ones(20)
    # Accuracy falls by 0.2 at 0.5, and rises by 0.3 at 1: surely, or by chance in as many up as down but one.
    sure = np.array([np.zeros(20), np.full(20, 0.2), np.full(20, -0.3)])
    assert beta_interval(masking, sure, unmasked, published=0.4, signed=True).value == pytest.approx(0.1 - 0.3)
    found = beta_interval(masking, sure, unmasked, published=0.4, signed=False)
    # No spread: the interval is around 0.1 + 0.3, as 20 samples that are alike leave it.
    unseen = 1 - 0.05 ** (1 / 20)
    assert found == pytest.approx((0.4, 0.4 - 0.4 * unseen, 0.4 + 0.6 * unseen))
    chance = np.array([np.zeros(20), np.full(20, 0.2), np.tile([1.0, -1.0], 10)])
    chance[2, 0] = -1.0
    signed = beta_interval(masking, chance, unmasked, published=0.2, signed=True)
    plain = beta_interval(masking, chance, unmasked, published=0.2, signed=False)
    assert signed.value == pytest.approx(0.1 - 0.1)
    assert (plain.value, plain.low, plain.high) == (0.2, max(signed.low, 0.0), max(signed.high, 0.2))


@pytest.mark.parametrize("masking", [[0.9, 0.5], [0.5, 0.5], [0.5, 1.5], [np.nan], [-0.1]])
def test_values_of_m_ascend_each_once(masking):
    """Out of order areas are of another curve, and what is there twice counts twice in Eq. 7."""
    with pytest.raises(InputError, match="ascending order, each once"):
        masking_steps(masking)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match="masking: got"):
        masking_curve(model, torch.ones(1, 2), np.eye(2), nodes=1, labels=[0], masking=masking, inputs="b n")
    last = type("Last", (torch.nn.Module,), {"forward": lambda self, x: x[:, -1:]})
    options = {"y": torch.ones(1, 1, 2), "layout": "b t n", "inputs": "b t n"}
    with pytest.raises(InputError, match="masking: got"):
        forecast_masking_curve(last(), torch.ones(1, 2, 2), [0.0, 1.0], nodes=1, masking=masking, **options)


def test_a_rise_that_groups_have_by_chance_is_not_counted_as_a_loss():
    """Samples of a group rise and fall together: as single samples five groups would make a sure rise of chance."""
    by_group = np.array([-1.0, -1.0, 1.0, -1.0, 0.0])
    losses = np.array([np.zeros(50), np.repeat(by_group, 10)])
    masking, unmasked, groups = np.array([0.0, 1.0]), np.ones(50), np.repeat(np.arange(5), 10)
    options = {"published": 0.4, "groups": groups}
    signed = beta_interval(masking, losses, unmasked, signed=True, **options)
    plain = beta_interval(masking, losses, unmasked, signed=False, **options)
    assert signed.value == pytest.approx(-0.4)
    assert signed.low < 0 < signed.high
    assert (plain.low, plain.high) == (0.0, max(signed.high, 0.4))
    # Of as many samples that are independent it is sure.
    assert beta_interval(masking, losses, unmasked, signed=False, published=0.4).low > 0
