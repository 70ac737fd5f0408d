import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph

NODES = ("spine", "left hand", "right hand", "left foot", "right foot")


@pytest.fixture
def graph() -> STGraph:
    return STGraph(
        NODES,
        [(1, 0), (2, 0), (3, 0), (4, 0)],
        groups={"arms": ["left hand", "right hand"], "legs": ["left foot", "right foot"]},
        positions=[[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -2.0], [-1.0, -2.0]],
    )


@pytest.fixture
def coordinates() -> np.ndarray:
    """Two bodies over twelve frames, [M, T, N, 3]."""
    return np.random.default_rng(3).normal(size=(2, 12, 5, 3)).astype(np.float32)


@pytest.fixture
def explanation(graph: STGraph) -> Explanation:
    """Two samples; the second body of the first is absent from frame 8 on, but has values there."""
    values = np.random.default_rng(4).normal(size=(2, 2, 12, 5)).astype(np.float32)
    valid = np.ones((2, 2, 12), bool)
    valid[0, 1, 8:] = False
    return Explanation(
        values, valid, NODES, method="some method", targets=np.array([1, 0]), classes=("sit", "throw"),
        ids=("clip 1", "clip 2"), graph=graph,
    )  # fmt: skip
