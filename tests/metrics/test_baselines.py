import pytest
import torch

from stexplain.data.baselines import mean
from stexplain.errors import InputError
from stexplain.metrics.baselines import attenuated
from tests.explainers.small_models import signals


def test_attenuation_moves_chosen_nodes_only():
    x, valid = signals(3, 2, 8, 5, 2), torch.ones(3, 2, 8, dtype=torch.bool)
    towards = mean(x, valid)
    chosen = torch.zeros(3, 5, dtype=torch.bool)
    chosen[0, 2] = chosen[2, 4] = True
    found = attenuated(x, towards, chosen, 0.25)
    assert torch.allclose(found[0, :, :, 2], 0.75 * x[0, :, :, 2] + 0.25 * towards[0, :, :, 2])
    assert torch.equal(found[1], x[1])
    assert torch.equal(found[0, :, :, [0, 1, 3, 4]], x[0, :, :, [0, 1, 3, 4]])
    assert torch.equal(attenuated(x, towards, ~chosen, 1.0)[1], towards[1])
    with pytest.raises(InputError, match="chosen has shape"):
        attenuated(x, towards, chosen[:, :4], 0.5)
