"""The optimizer of a recipe, and its learning rate as a function of the step.

A rate that is a function of the step has no state, so that a resumed run needs only its step.
"""

import math
from collections.abc import Iterable

import torch

from stexplain.cards import Recipe

RISE = 0.3
"""The share of all steps in which the one-cycle rate rises."""
START = 25.0
"""The one-cycle rate starts at the highest rate divided by this."""
END = 1e4
"""The one-cycle rate ends at its start divided by this."""


def rate_at(recipe: Recipe, step: int, steps: int) -> float:
    r"""The learning rate of one training step.

    With :math:`S` = epochs x `steps` in all, :math:`s` the step from 0, :math:`e = \lfloor s / \text{steps} \rfloor`:

    - ``step``: :math:`r \cdot \text{decay}^{\#\{m \in \text{milestones}: e \ge m\}}`, as ST-GCN was trained (Yan et al.
      2018);
    - ``cosine``: :math:`\frac r 2 (1 + \cos(\pi s / S))` (Loshchilov & Hutter 2017, without restarts);
    - ``one-cycle``: from r / 25 up to r in 30% of the steps, then down to r / 250,000, both along half a cosine (Smith
      & Topin 2018, in the two-phase form that torch's `OneCycleLR` has; momentum stays as it is).

    Args:
        recipe: its `rate`, `schedule`, `milestones`, `decay` and `epochs` are used.
        step: from 0, over all epochs.
        steps: in one epoch.

    Example:
        >>> from stexplain.cards import Recipe
        >>> recipe = Recipe(
        ...     summary="", epochs=80, batch=64, frames=300, sampling="pad", rate=0.1, milestones=[10, 50]
        ... )
        >>> [round(rate_at(recipe, epoch * 7, 7), 6) for epoch in (0, 9, 10, 49, 50, 79)]
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """
    total = recipe.epochs * steps
    if recipe.schedule == "step":
        # Each milestone that was reached multiplies the rate by `decay` once.
        passed = sum(step // steps >= milestone for milestone in recipe.milestones)
        return recipe.rate * recipe.decay**passed
    if recipe.schedule == "cosine":
        return _half_cosine(recipe.rate, 0.0, step / total)
    start = recipe.rate / START
    # With fewer than four steps in all there is no room to rise: `top` is 0.
    top, last = max(RISE * total - 1, 0.0), total - 1
    if step < top:
        return _half_cosine(start, recipe.rate, step / top)
    return _half_cosine(recipe.rate, start / END, (step - top) / max(last - top, 1.0))


def _half_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def make_optimizer(recipe: Recipe, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of a recipe: SGD, AdamW with the momentum as its first beta, or RMSProp.

    RMSProp's decay of squared gradients is 0.9, as in TensorFlow, in which STGCN (Yu et al. 2018) was trained; torch's
    default is 0.99.

    Args:
        recipe: its `optimizer`, `rate`, `momentum`, `nesterov` and `weight_decay` are used.
        parameters: of the model.
    """
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters, lr=recipe.rate, betas=(recipe.momentum, 0.999), weight_decay=recipe.weight_decay
        )
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(
            parameters, lr=recipe.rate, alpha=0.9, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(
        parameters,
        lr=recipe.rate,
        momentum=recipe.momentum,
        # torch refuses Nesterov without momentum.
        nesterov=recipe.nesterov and recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )
