"""The stub with simulated versions of DGL and torch, and with the real DGL 2.1.0 where a Python with it is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stexplain.backend.graphbolt_stub import stub_state

ROOT = Path(__file__).parents[2]
WORKS = "from .base import Sampler\nVALUE = 7\n"
FAILS = "from .base import Sampler\nraise ImportError('Cannot load Graphbolt C++ library')\n"


def fake_dgl(folder: Path, graphbolt: str | None, built_for: str = "", torch: str = "9.1.0+cpu") -> None:
    """A package `dgl` that imports `dgl.graphbolt` as the real one does, and a `torch` with a version only."""
    (folder / "torch.py").write_text(f"__version__ = {torch!r}\n")
    package = folder / "dgl"
    package.mkdir()
    if graphbolt is None:
        (package / "__init__.py").write_text("LOADED = True\n")
        return
    (package / "__init__.py").write_text("from . import graphbolt\nLOADED = True\n")
    (package / "graphbolt").mkdir()
    (package / "graphbolt" / "__init__.py").write_text(graphbolt)
    (package / "graphbolt" / "base.py").write_text("class Sampler: ...\n")
    for version in built_for.split():
        (package / "graphbolt" / f"libgraphbolt_pytorch_{version}.so").touch()


def run(python: str | Path, script: str, *paths: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT])), "DGLBACKEND": "pytorch"}
    done = subprocess.run([python, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


IMPORT = """
import sys
from stexplain.backend.graphbolt_stub import stub_state, graphbolt_or_stub
before = list(sys.meta_path)
with graphbolt_or_stub():
    import dgl
assert dgl.LOADED and sys.meta_path == before
state = stub_state()
print(state.in_use, "|", state.reason, "|", getattr(getattr(dgl, "graphbolt", None), "VALUE", None), "|",
      "dgl.graphbolt.base" in sys.modules)
"""


def test_matching_versions_use_graphbolt_itself(tmp_path: Path):
    fake_dgl(tmp_path, WORKS, built_for="9.0.0 9.1.0")
    assert run(sys.executable, IMPORT, tmp_path) == "False | GraphBolt itself is loaded | 7 | True"


def test_without_a_matching_binary_the_stub_is_used_and_graphbolt_does_not_run(tmp_path: Path):
    fake_dgl(tmp_path, "raise SystemExit('ran')", built_for="2.2.0 2.2.1")
    out = run(sys.executable, IMPORT, tmp_path)
    assert out == "True | it has binaries for torch 2.2.0, 2.2.1, and torch is 9.1.0 | None | False"


@pytest.mark.parametrize("built_for", ["", "9.1.0"])
def test_a_failing_graphbolt_is_replaced_completely(tmp_path: Path, built_for: str):
    fake_dgl(tmp_path, FAILS, built_for=built_for)
    out = run(sys.executable, IMPORT, tmp_path)
    assert out == "True | it fails with ImportError: Cannot load Graphbolt C++ library | None | False"


def test_a_dgl_without_graphbolt_is_unchanged(tmp_path: Path):
    fake_dgl(tmp_path, None)
    assert run(sys.executable, IMPORT, tmp_path) == "False | this DGL loads no GraphBolt at import | None | False"


def test_an_error_that_is_not_about_loading_is_not_hidden(tmp_path: Path):
    fake_dgl(tmp_path, "raise ZeroDivisionError")
    script = IMPORT.replace(
        "    import dgl\n", "    try:\n        import dgl\n    except ZeroDivisionError:\n        exit()\n"
    )
    assert run(sys.executable, script, tmp_path) == ""


def test_the_stub_can_be_probed(tmp_path: Path):
    fake_dgl(tmp_path, FAILS, built_for="2.2.1")
    script = """
import inspect, pickle, sys
from stexplain.backend.graphbolt_stub import GraphboltStub, graphbolt_or_stub
with graphbolt_or_stub():
    import dgl
stub = dgl.graphbolt
assert isinstance(stub, GraphboltStub) and sys.modules["dgl.graphbolt"] is stub
assert not hasattr(stub, "Sampler") and not hasattr(stub, "__wrapped__")
inspect.getmodule(inspect.getmodule)
for module in list(sys.modules.values()):
    getattr(module, "NoSuchName", None)
class Local: ...
pickle.dumps(Local())
try:
    import dgl.graphbolt.base
except ModuleNotFoundError:
    pass
try:
    stub.Sampler
except AttributeError as error:
    print(error)
"""
    assert run(sys.executable, script, tmp_path).startswith(
        "dgl.graphbolt has no 'Sampler': GraphBolt cannot be loaded: it"
    )


def test_here_the_stub_is_in_use_only_if_graphbolt_cannot_be_loaded():
    from stexplain.backend.dgl import dgl_version

    if dgl_version() == "1.1.3":
        assert not stub_state().in_use
    else:
        assert stub_state().in_use or "itself is loaded" in stub_state().reason


REAL = """
import torch
from stexplain.backend.aggregation import aggregate, aggregate_torch, implementation
from stexplain.backend.dgl import dgl_version
from stexplain.backend.topology import Topology
from stexplain.backend.graphbolt_stub import stub_state
generator = torch.Generator().manual_seed(0)
source, target = (torch.randint(30, (200,), generator=generator).numpy() for _ in range(2))
topology = Topology(source, target, 30, 30)
x = torch.randn(30, 8, generator=generator, dtype=torch.float64, requires_grad=True)
weight = torch.randn(200, generator=generator, dtype=torch.float64, requires_grad=True)
found = []
for function in (aggregate, aggregate_torch):
    out = function(topology, x, weight)
    found.append([out, *torch.autograd.grad((out**2).sum(), [x, weight])])
for ours, theirs in zip(*found):
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
inputs = [x[:, :2].detach().requires_grad_(), weight]
assert torch.autograd.gradcheck(lambda x, weight: aggregate(topology, x, weight), inputs)
assert torch.autograd.gradgradcheck(lambda x, weight: aggregate(topology, x, weight), inputs)
import sys
print(dgl_version(), implementation(), stub_state().in_use, stub_state().reason, "torchdata" in sys.modules)
"""


@pytest.mark.skipif(
    "STEXPLAIN_STUB_PYTHON" not in os.environ,
    reason="STEXPLAIN_STUB_PYTHON names no Python with dgl 2.1.0 installed",
)
def test_message_passing_under_the_real_dgl_2_1_0():
    python = os.environ["STEXPLAIN_STUB_PYTHON"]
    bare = subprocess.run(
        [python, "-c", "import dgl"], env={**os.environ, "DGLBACKEND": "pytorch"}, capture_output=True
    )
    assert bare.returncode != 0, "this DGL needs no stub: the test would prove nothing"
    out = run(python, REAL)
    assert out.startswith("2.1.0 dgl True it has binaries for torch 2.0.0, ")
    assert out.endswith(" False")
