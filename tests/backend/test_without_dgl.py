"""Where DGL has no wheel: torch computes the same, without a word, and a graph of DGL alone is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest

# With "without", a system that has no DGL: its import fails, and nothing finds it.
SCRIPT = """
import importlib.abc, json, sys, tempfile
from pathlib import Path

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "dgl":
            raise ModuleNotFoundError("No module named 'dgl'", name="dgl")

if sys.argv[1] == "without":
    sys.meta_path.insert(0, Missing())
    import stexplain.backend.dgl as backend
    backend.find_spec = lambda name: None

import torch
import stexplain as stx
from stexplain.backend.aggregation import implementation
from stexplain.nn import save_model

torch.manual_seed(0)
graph = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
model = stx.load_model("stgcn2", graph=graph, classes=["x", "y"], channels_in=2).eval().double()
x = torch.randn(2, 1, 16, 3, 2, dtype=torch.float64)
e = stx.explain(model, x, method="STGGradCAM", target=0)
save_model(Path(tempfile.mkdtemp()) / "model", model)
try:
    graph.to_dgl()
    refused = ""
except stx.errors.InputError as error:
    refused = str(error)
print(json.dumps([implementation(), e.values.tolist(), model(x).tolist(), refused, "dgl" in sys.modules]))
"""


@pytest.fixture(scope="module")
def runs():
    def run(how):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT, how], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return run("with"), run("without")


def test_torch_takes_the_place_of_dgl_without_a_word(runs):
    assert (runs[0][0], runs[1][0]) == ("dgl", "torch")
    assert runs[0][4]
    assert not runs[1][4]


def test_maps_and_outputs_are_the_same(runs):
    np.testing.assert_allclose(runs[1][1], runs[0][1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(runs[1][2], runs[0][2], rtol=1e-12, atol=1e-12)


def test_a_graph_of_dgl_alone_is_refused(runs):
    assert runs[0][3] == ""
    assert runs[1][3].startswith("DGL is not installed, and backend='dgl' was requested.")
