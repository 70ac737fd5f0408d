"""The drawn networks once more, in numpy and by loops; gradients by the complex step."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.properties.drawn_networks import DrawnNetwork

Array = NDArray[np.float64]
ACTIVATIONS: dict[str, Callable[[NDArray], NDArray]] = {"tanh": np.tanh, "square": np.square}


class SlowNetwork:
    """The function of a drawn network, of one sample at a time.

    Args:
        network: whose weights are taken.
        activation: an analytic one, as the complex step needs.
    """

    def __init__(self, network: DrawnNetwork, activation: str):
        self.activation = ACTIVATIONS[activation]
        self.blocks = [
            ([each.detach().numpy() for each in (one.adjacency, one.weight, one.bias, one.taps)], one.stride)
            for one in network.blocks
        ]
        self.weight, self.bias = network.head.weight.detach().numpy(), network.head.bias.detach().numpy()

    def features(self, x: NDArray, valid: NDArray[np.bool_]) -> tuple[NDArray, NDArray[np.bool_]]:
        """The last block's output of copies of a sample, ``[P, M, T, N, C]`` to ``[P, M, T', N, K]``; and its mask."""
        for (adjacency, weight, bias, taps), stride in self.blocks:
            copies, instances, frames, nodes, _ = x.shape
            mixed = np.zeros((copies, instances, frames, nodes, len(bias)), x.dtype)
            for t in range(frames):
                for v in range(nodes):
                    received = sum(adjacency[u, v] * x[:, :, t, u] for u in range(nodes))
                    mixed[:, :, t, v] = (received @ weight + bias) * valid[:, t, None]
            positions = -(-frames // stride)
            x = np.zeros((copies, instances, positions, nodes, len(bias)), x.dtype)
            after = np.zeros((instances, positions), bool)
            for i in range(positions):
                after[:, i] = valid[:, i * stride : (i + 1) * stride].any(1)
                for k, tap in enumerate(taps):
                    t = i * stride + k - len(taps) // 2
                    if 0 <= t < frames:
                        x[:, :, i] += mixed[:, :, t] @ tap
            features, valid = self.activation(x), after
            x = features * valid[None, :, :, None, None]
        return features, valid

    def head(self, features: NDArray, valid: NDArray[np.bool_]) -> NDArray:
        """Logits ``[P, classes]`` from the last block's output."""
        pooled = sum(
            features[:, m, i, n] for m, i in zip(*np.nonzero(valid), strict=True) for n in range(features.shape[3])
        ) / (valid.sum() * features.shape[3])
        return pooled @ self.weight.T + self.bias

    def score(self, x: NDArray, valid: NDArray[np.bool_], label: int) -> NDArray:
        """The logit of a class, of copies of a sample: ``[P]``."""
        return self.head(*self.features(x, valid))[:, label]


def complex_step(function: Callable[[NDArray], NDArray], x: Array) -> Array:
    """The gradient of a scalar function of copies, exact to rounding: Im f(x + ih) / h.

    Squire & Trapp, "Using complex variables to estimate derivatives of real functions" (SIAM Review 1998).
    """
    copies = np.repeat(x[None], x.size, 0).astype(complex)
    copies.reshape(x.size, -1)[np.arange(x.size), np.arange(x.size)] += 1e-100j
    return (function(copies).imag / 1e-100).reshape(x.shape)
