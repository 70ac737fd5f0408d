"""The way to captum, an optional library of attribution methods, which is imported when it is first needed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.regions import Regions
from stexplain.explainers.model.perturb import PerturbedInputs


def captum_attr(method: str) -> Any:
    """The module `captum.attr`.

    Args:
        method: what needs it, for the message.

    Raises:
        InputError: where captum is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise InputError(
            f"{method} goes through captum, which cannot be imported ({error}). pip install 'stexplain[captum]'"
        ) from error
    return captum.attr


def hidden_scores(copies: PerturbedInputs, towards: Tensor, regions: Regions, players: Tensor) -> Callable[..., Tensor]:
    """The function that captum asks: from which regions are shown to scores.

    captum alters one input tensor. It is given a switch per region rather than the signals, so that regions may
    overlap and the signals may be laid out in any way: one is shown, zero is hidden behind the baseline.

    Args:
        copies: of the samples.
        towards: what a hidden reading is replaced by, ``[B, M, T, N, C]``.
        regions: those that can be hidden.
        players: which of them, as indices into all regions, ``[P]``.

    Returns:
        A function of switches ``[K * B, P]``, copy by copy, that gives scores ``[K * B]``.
    """

    def scores(switches: Tensor) -> Tensor:
        hidden = torch.zeros(len(switches), len(regions), dtype=switches.dtype, device=switches.device)
        hidden[:, players] = 1 - switches
        covered = regions.covered(hidden > 0)
        covered = covered.view(-1, *copies.there.shape)
        return copies.scores(torch.where(covered[..., None], towards, copies.x).flatten(0, 1))

    return scores
