"""Which observations of a plain tensor are there, as its caller says."""

from typing import Any

import torch
from torch import Tensor

from stexplain.checking.values import tensor_of_numbers
from stexplain.errors import InputError
from stexplain.wording import agree, an, counted


def observed_in(given: Any, missing: Tensor) -> Tensor:
    """The missing-value mask that was given with a tensor.

    Args:
        given: ``[B, M, T, N]``, or ``[B, T, N]`` where M is 1; bool.
        missing: where the tensor is NaN, ``[B, M, T, N, C]``, bool.

    Returns:
        ``[B, M, T, N]``, bool.

    Raises:
        InputError: for another shape or type, and where something that is said to be observed is NaN.

    Example:
        >>> observed_in([[[True, False]]], torch.zeros(1, 1, 1, 2, 3, dtype=torch.bool)).tolist()
        [[[[True, False]]]]
    """
    mask: Tensor = tensor_of_numbers("observed", given).to(missing.device)
    expected = tuple(missing.shape[:4])
    if mask.dtype != torch.bool:
        raise InputError(f"observed: got type {str(mask.dtype).removeprefix('torch.')}; expected bool.")
    if tuple(mask.shape) == (expected[0], *expected[2:]) and expected[1] == 1:
        mask = mask[:, None]
    if tuple(mask.shape) != expected:
        short = f", or {[expected[0], *expected[2:]]}" if expected[1] == 1 else ""
        raise InputError(
            f"observed: got shape {list(mask.shape)}; expected [B, M, T, N], here {list(expected)}{short}."
        )
    wrong = (missing.any(-1) & mask).nonzero()
    if len(wrong):
        sample, instance, frame, node = wrong[0].tolist()
        raise InputError(
            f"x is NaN at {counted(len(wrong), 'position')} that `observed` says "
            f"{agree(len(wrong), 'was', 'were')} observed, the first in sample {sample}, "
            f"instance {instance}, frame {frame}, node {node}. Mark them as not observed."
        )
    return mask


def observed_twice(x: Any) -> InputError:
    """What is raised where a mask is given beside samples that have their own, or beside several tensors.

    Args:
        x: the samples.
    """
    return InputError(
        f"observed: got it with {an(type(x).__name__)}; expected it with one tensor. Samples of a dataset bring "
        "it themselves: Sample(x, valid, observed=...)."
    )
