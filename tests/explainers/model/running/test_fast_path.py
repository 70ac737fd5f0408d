"""Attention's fast path, which has no gradients: off in a pass of ours, but where a prediction is made."""

import pytest
import torch
from torch import nn

from stexplain.explainers.model.running.execution import as_called_elsewhere, plain_execution


@pytest.mark.parametrize("before", [True, False])
def test_attention_takes_its_fast_path_as_before_where_no_gradient_is_needed(before):
    enabled, outer = torch.backends.mha.get_fastpath_enabled, torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(before)
    try:
        with plain_execution(nn.Linear(1, 1), torch.device("cpu")):
            assert not enabled()
            with as_called_elsewhere():
                assert not enabled()
            with torch.no_grad(), as_called_elsewhere():
                assert enabled() == before
            assert not enabled()
        with torch.no_grad(), as_called_elsewhere():
            assert enabled() == before
    finally:
        torch.backends.mha.set_fastpath_enabled(outer)
