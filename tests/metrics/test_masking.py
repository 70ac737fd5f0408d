import pytest
import torch

from stexplain.data.baselines import mean
from stexplain.errors import InputError
from stexplain.metrics.masking import mask_nodes
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
