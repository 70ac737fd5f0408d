"""Attenuation: moving nodes towards a baseline. The baselines are those of `stexplain.data.baselines`."""

import torch

from stexplain.axes import check_shape
from stexplain.data.baselines import BASELINES as BASELINES
from stexplain.data.baselines import Baseline as Baseline
from stexplain.data.baselines import baseline as baseline
from stexplain.data.baselines import interpolation as interpolation
from stexplain.data.baselines import mean as mean
from stexplain.data.baselines import neighbours as neighbours
from stexplain.data.baselines import zero as zero
from stexplain.errors import InputError


def attenuated(x: torch.Tensor, towards: torch.Tensor, chosen: torch.Tensor, masking: float) -> torch.Tensor:
    """Moves chosen nodes towards a baseline: ``x -> (1 - m) x + m baseline``.

    Args:
        x: ``[B, M, T, N, C]``.
        towards: the baseline, of x's shape.
        chosen: which nodes of each sample, ``[B, N]``, bool.
        masking: m, in [0, 1].

    Raises:
        InputError: where a shape does not fit or m is out of range.

    Example:
        >>> x = torch.tensor([2.0, 4.0]).view(1, 1, 1, 2, 1)
        >>> attenuated(x, torch.zeros_like(x), torch.tensor([[False, True]]), 0.75).flatten().tolist()
        [2.0, 1.0]
    """
    if not 0 <= masking <= 1:
        raise InputError(f"masking is {masking}; wanted a share in [0, 1].")
    sizes = check_shape("x", tuple(x.shape), "b m t n c")
    check_shape("towards", tuple(towards.shape), "b m t n c", **sizes)
    check_shape("chosen", tuple(chosen.shape), "b n", b=sizes["b"], n=sizes["n"])
    share = masking * chosen[:, None, None, :, None].to(x.dtype)
    return (1 - share) * x + share * towards
