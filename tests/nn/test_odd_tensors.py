"""Networks that are given no samples, tensors without values, and what is no dense tensor."""

import pytest
import torch

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import STGCNForecaster

ROAD = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], center="b")


def networks():
    recogniser = STGCN(ROAD, classes=2, channels=(4, 4), strides=(1, 2), temporal_kernel=3).eval()
    forecaster = STGCNForecaster(ROAD, window=12, horizon=3, blocks=[[4, 2, 4]]).eval()
    return [(recogniser, (1, 12, 3, 3), (2,)), (forecaster, (1, 12, 3, 1), (3, 3))]


@pytest.mark.parametrize("number", [0, 1])
def test_sparse_and_nested_tensors_are_refused(number):
    model, shape, _ = networks()[number]
    x = torch.zeros(2, *shape)
    for odd in (x.to_sparse(), torch.nested.nested_tensor(list(x), layout=torch.jagged)):
        with pytest.raises(InputError, match="^x: got a sparse or nested tensor; expected a dense one"):
            model(odd)


def test_a_forecast_of_no_windows_is_refused():
    model, shape, _ = networks()[1]
    with pytest.raises(InputError, match=r"^x: got no samples, shape \(0, 1, 12, 3, 1\); expected one at least"):
        model(torch.zeros(0, *shape))


@pytest.mark.parametrize("number", [0, 1])
def test_shapes_alone_on_the_meta_device(number):
    """As torch counts parameters and operations of large models."""
    model, shape, output = networks()[number]
    assert model.to("meta")(torch.zeros(2, *shape, device="meta")).shape == (2, *output)
