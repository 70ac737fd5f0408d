"""The scores of samples of which some regions are masked."""

from collections.abc import Callable

import torch
from torch import Tensor

from stexplain.explainers.methods.perturbation.regions import Regions
from stexplain.explainers.model.perturb import PerturbedInputs


def masked_scores(
    perturbed: PerturbedInputs, baseline: Tensor, regions: Regions, players: Tensor
) -> Callable[..., Tensor]:
    """A function from which regions are shown to scores.

    There is a switch per region rather than a mask of the signals, so that regions may overlap and the signals may be
    in any layout: one shows a region, zero masks it by the baseline.

    Args:
        perturbed: the samples, whose copies are scored.
        baseline: what masked observations are replaced by, ``[B, M, T, N, C]``.
        regions: those that can be masked, of nodes, or of channels of nodes as in `by_channel`.
        players: which of them have a switch, as indices into all regions, ``[P]``.

    Returns:
        A function of switches ``[K * B, P]``, copy by copy, that gives scores ``[K * B]``.
    """

    def scores(switches: Tensor) -> Tensor:
        # Regions without a switch are never masked.
        masked = torch.zeros(len(switches), len(regions), dtype=switches.dtype, device=switches.device)
        masked[:, players] = 1 - switches
        mask = regions.covered(masked > 0)
        # [K, B, M, T, N, C], or 1 in place of C where regions hold all channels of their nodes.
        mask = mask.view(-1, *perturbed.present.shape, mask.shape[-1] // perturbed.present.shape[-1])
        return perturbed.scores(torch.where(mask, baseline, perturbed.x).flatten(0, 1))

    return scores
