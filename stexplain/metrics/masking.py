"""Masking: nodes are moved from their values towards a baseline; beta sums the losses, and has an interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from stexplain.axes import check_shape
from stexplain.errors import InputError
from stexplain.intervals.bootstrap import Interval, ratio_interval
from stexplain.intervals.groups import group_codes, group_sums

MASKINGS = tuple(tenth / 10 for tenth in range(10))
"""The values of m, where none are given: 0 to 0.9."""
# A step counts as a change to the other side where chance alone gives it once in a hundred.
_LEVEL = 0.99


def masking_steps(masking: Sequence[float]) -> NDArray[np.float64]:
    """The values of m at which a curve is measured, ``[A]``: 0 first, which all others are compared with.

    Raises:
        InputError: where they are no shares in ascending order: areas go from one to the next, and Eq. 7 counts each.

    Example:
        >>> masking_steps([0.5, 1]).tolist()
        [0.0, 0.5, 1.0]
    """
    steps = np.array([0.0, *[float(m) for m in masking if m != 0]])
    if not ((np.diff(steps) > 0).all() and steps[-1] <= 1):
        raise InputError(f"masking: got {list(masking)}; expected shares from 0 to 1 in ascending order, each once.")
    return steps


def mask_nodes(x: torch.Tensor, baseline: torch.Tensor, nodes: torch.Tensor, masking: float) -> torch.Tensor:
    """Moves some nodes towards a baseline, in all frames and instances: ``x -> (1 - m) x + m baseline``.

    Args:
        x: ``[B, M, T, N, C]``.
        baseline: values of x's shape.
        nodes: the nodes to mask in each sample, ``[B, N]``, bool.
        masking: m, in [0, 1]; 0 leaves x as it is, 1 replaces the nodes.

    Raises:
        InputError: if a shape does not fit or m is out of range.

    Example:
        >>> x = torch.tensor([2.0, 4.0]).view(1, 1, 1, 2, 1)
        >>> mask_nodes(x, torch.zeros_like(x), torch.tensor([[False, True]]), 0.75).flatten().tolist()
        [2.0, 1.0]
    """
    if not 0 <= masking <= 1:
        raise InputError(f"masking: got {masking}; expected a share in [0, 1].")
    sizes = check_shape("x", tuple(x.shape), "b m t n c")
    check_shape("baseline", tuple(baseline.shape), "b m t n c", **sizes)
    check_shape("nodes", tuple(nodes.shape), "b n", b=sizes["b"], n=sizes["n"])
    # [B, N] -> [B, 1, 1, N, 1]: m at the masked nodes, 0 elsewhere, for every instance, frame and channel.
    weight = masking * nodes[:, None, None, :, None].to(x.dtype)
    return (1 - weight) * x + weight * baseline


def mean_over_masking(masking: NDArray[np.float64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of curves over the masking values, by the trapezoidal rule: their area, in their own units.

    Args:
        masking: m_i, ``[A]``, ascending.
        curves: ``[A, n]``.

    Returns:
        One per curve, ``[n]``; of a single masking value, the curve's only value.

    Example:
        >>> mean_over_masking(np.array([0.0, 0.5, 1.0]), np.array([[1.0], [1.0], [0.0]])).tolist()
        [0.75]
    """
    if len(masking) < 2:
        first: NDArray[np.float64] = curves[0]
        return first
    width = np.diff(masking)[:, None]
    means: NDArray[np.float64] = (width * (curves[1:] + curves[:-1]) / 2).sum(axis=0) / (masking[-1] - masking[0])
    return means


def beta_interval(
    masking: NDArray[np.float64],
    losses: NDArray[np.float64],
    unmasked: NDArray[np.float64],
    *,
    published: float,
    signed: bool,
    groups: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Beta with an interval that holds 0 where masking does nothing.

    The absolute values of Eq. 7 turn noise into a loss: where nothing happens, beta is above 0 in every resample, and
    no interval of it holds 0. With its sign it is a ratio of two sums over samples, which has no such bias::

        signed beta = sum over i of m_i (a_0 - a_i) / a_0

    Where accuracy falls at every step both are the same number. The interval of Eq. 7's beta is that of the signed
    one, with the sign turned at the steps where accuracy rises by more than chance gives once in a hundred; its low
    end is at least 0, its high end at least beta.

    Args:
        masking: m_i, ``[A]``.
        losses: a_0 - a_i of every sample, or e_i - e_0 of errors, ``[A, n]``.
        unmasked: a_0 or e_0 of every sample, ``[n]``.
        published: beta as Eq. 7 gives it.
        signed: whether beta keeps its sign.
        groups: see `interval`.
        seed: of the draws.
        resamples: how many draws.
        confidence: in (0, 1).

    Example:
        >>> losses = np.array([[0.0, 0, 0, 0, 0, 0], [1, 0, -1, 1, 0, -1]])
        >>> found = beta_interval(np.array([0.0, 0.9]), losses, np.ones(6), published=0.0, signed=True)
        >>> found.value, found.low < 0 < found.high
        (0.0, True)
    """
    options = {"groups": groups, "seed": seed, "resamples": resamples}
    if signed:
        return ratio_interval(masking @ losses, unmasked, confidence=confidence, **options)
    # By what is independent: of samples of one group the sum varies by more than that of as many others.
    units = losses if groups is None else group_sums(losses.T, group_codes(groups, losses.shape[1])).T
    sums, n = units.sum(axis=1), units.shape[1]
    # The spread of a sum over units; a step at which all of them do the same has none, and its sign is sure.
    noise = units.std(axis=1) * np.sqrt(n)
    turned = np.where(sums < -float(norm.ppf(_LEVEL)) * noise, -1.0, 1.0)
    found = ratio_interval((masking * turned) @ losses, unmasked, confidence=confidence, **options)
    return Interval(published, max(found.low, 0.0), max(found.high, published), found.reason)
