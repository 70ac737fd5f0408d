"""A target that scores perturbed copies for the classes chosen for the samples themselves."""

from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.inspection import first_tensor
from stexplain.explainers.target import Scores


class FixedTarget:
    """A score function that scores perturbed copies for the classes that it chose for the samples themselves.

    `Predicted()` alone would score every copy for the class predicted for that copy. A target that names classes is
    linear in the logits: its gradient with respect to them is kept, and scores the copies. Any other target, such as
    a forecast or a function, has nothing to fix: it scores each copy itself.

    Args:
        score_fn: the target's scores of the output for B samples.
        samples: B.

    Example:
        >>> from stexplain.explainers.targets import Predicted
        >>> target = FixedTarget(Predicted().score, samples=1)
        >>> target(torch.tensor([[1.0, 2.0]])).scores.tolist()
        [2.0]
        >>> target(torch.tensor([[5.0, 3.0], [6.0, 4.0]])).scores.tolist()
        [3.0, 4.0]
    """

    def __init__(self, score_fn: ScoreFn, samples: int):
        self._score_fn = score_fn
        self._samples = samples
        self._gradients: Tensor | None = None
        self._classes: Tensor | None = None

    def __call__(self, output: Any) -> Scores:
        """The scores.

        Args:
            output: of the model: for the samples themselves at the first call, then for copies of them, ``[K * B]``
                samples, copy by copy.

        Raises:
            InputError: where the target does not fit the output.
        """
        if self._classes is None:
            return self._fix(output)
        logits = first_tensor(output, "the model")
        if logits.ndim == 0 or len(logits) % self._samples:
            # Not copies of the samples: the score function explains what is wrong.
            return self._score_fn(output)
        copies = logits.reshape(-1, self._samples, *logits.shape[1:])  # [K, B, ...]
        classes = self._classes.repeat(len(copies))
        linear = None
        if self._gradients is not None:
            linear = (copies * self._gradients).flatten(2).sum(2).flatten()
            if bool((self._classes >= 0).all()):
                return Scores(linear, classes)
        # Some samples have a target without a class (-1): those are scored copy by copy.
        scores = torch.cat([self._score_fn(copy).scores for copy in copies])
        return Scores(scores if linear is None else torch.where(classes >= 0, linear, scores), classes)

    def _fix(self, output: Any) -> Scores:
        """The scores of the samples themselves; keeps their classes, and the gradient at the logits."""
        scores = self._score_fn(output)
        self._classes = scores.classes.detach()
        if bool((self._classes >= 0).any()):
            # Gradients may be off around this call.
            with torch.enable_grad():
                logits = first_tensor(output, "the model").detach().clone().requires_grad_()
                (self._gradients,) = torch.autograd.grad(self._score_fn(logits).scores.sum(), logits)
        return scores
