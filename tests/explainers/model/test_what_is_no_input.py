"""What is given in the place of signals and is none: refused with how to get them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.data.samples import Sample
from stexplain.errors import InputError
from stexplain.explainers.model.model_input import ModelInput, as_tensor, channel_index

SAMPLE = Sample(torch.zeros(1, 4, 3, 2), torch.ones(1, 4, dtype=torch.bool))


@pytest.mark.parametrize(
    ("x", "hint"),
    [
        (SimpleNamespace(edge_index=1, x=2, batch=3), "Of PyTorch Geometric give its tensors"),
        (SimpleNamespace(edge_index=1), "Of PyTorch Geometric give its tensors"),
        (SimpleNamespace(batch=len), r"Give some of its samples: .batch\(range\(8\)\)"),
        ([SAMPLE, SAMPLE], r"Give Batch.of\(\*samples\)"),
        ((SAMPLE,), r"Give Batch.of\(\*samples\)"),
        (pd.DataFrame({"a": [1.0]}), "Of a table of times x nodes give windows"),
        ([SAMPLE, 1], r"an array, a Sample or a Batch\.$"),
        ([], r"an array, a Sample or a Batch\.$"),
        ([[1.0]], r"an array, a Sample or a Batch\.$"),
        ("text", r"Read it first: load_skeletons\(path\), load_sensors"),
        (Path("text"), r"Read it first: load_skeletons\(path\)"),
        (
            SimpleNamespace(ndata={"speed": 1}, num_nodes=len, batch_size=1),
            r"Of a DGLGraph give its signals.*graph.ndata\['speed'\], inputs='n t c'.*shared=\{'g': graph\}",
        ),
        (SimpleNamespace(ndata={}, num_nodes=len, batch_size=2), r"graph.ndata\['feat'\], inputs='\(b n\) t c'"),
        (None, r"got a NoneType; expected a tensor, an array, a Sample or a Batch\.$"),
        (np.array(["a"]), "expected a floating type. Use x.astype"),
        (torch.arange(3), "got type int64; expected a floating type. Use x.float"),
        (np.arange(3), "got type int64; expected a floating type"),
        (torch.zeros(2, 0), r"x has shape \(2, 0\): there is nothing to explain"),
    ],
)
def test_refused(x, hint):
    with pytest.raises(InputError, match=hint):
        as_tensor(x)


def test_taken():
    array = np.ones((2, 3), np.float32)
    tensor = as_tensor(array)
    tensor[0, 0] = 5
    assert array[0, 0] == 1
    own = torch.ones(2, requires_grad=True) * 2
    assert not as_tensor(own).requires_grad
    assert as_tensor(np.ones(2, np.float16)).dtype == torch.float16


def named(*names):
    return ModelInput(
        torch.zeros(1, 4, 3, 3), None, {"b": 1, "m": 1, "t": 4, "n": 3, "c": 3}, ("",), channel_names=names
    )


@pytest.mark.parametrize(("which", "expected"), [(0, 0), (2, 2), (-1, 2), (-3, 0), ("day", 1)])
def test_channels_by_index_and_name(which, expected):
    assert channel_index(which, named("speed", "day", "flow")) == expected


@pytest.mark.parametrize("which", [3, -4, 1.0, True, None])
def test_channels_that_do_not_exist(which):
    with pytest.raises(InputError, match=r"signals: got .*; expected channels from 0 to 2, or their names"):
        channel_index(which, named("speed", "day", "flow"))
    with pytest.raises(InputError, match="Did you mean 'day'"):
        channel_index("dat", named("speed", "day", "flow"))
