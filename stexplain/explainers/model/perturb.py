"""Altered copies of samples, and what a model makes of them: for methods that change something and look again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from stexplain.data.baselines import as_baseline
from stexplain.errors import InputError
from stexplain.explainers.model.caller import ModelCaller, ModelInput
from stexplain.explainers.model.state import first_tensor
from stexplain.explainers.targets import Scores


class FixedTarget:
    """A target that holds to the classes it chose for the samples, so that altered copies are asked about the same.

    `Predicted()` would otherwise ask every copy about the class predicted for that copy. A target that names classes
    is linear in the logits: its slopes there are kept, and are what copies are scored by. Any other target is asked
    itself, copy by copy.

    Args:
        scored: the target, for the output of B samples.
        samples: B.

    Example:
        >>> from stexplain.explainers.targets import Predicted
        >>> target = FixedTarget(Predicted().score, samples=1)
        >>> target(torch.tensor([[1.0, 2.0]])).scores.tolist()
        [2.0]
        >>> target(torch.tensor([[5.0, 3.0], [6.0, 4.0]])).scores.tolist()
        [3.0, 4.0]
    """

    def __init__(self, scored: Callable[[Any], Scores], samples: int):
        self._scored = scored
        self._samples = samples
        self._slopes: Tensor | None = None
        self._classes: Tensor | None = None

    def __call__(self, output: Any) -> Scores:
        """The scores.

        Args:
            output: of the model, for the samples themselves at the first call, then for copies of them, ``[K * B]``
                samples, copy by copy.

        Raises:
            InputError: where the target does not fit the output.
        """
        if self._classes is None:
            return self._first(output)
        logits = first_tensor(output, "the model")
        if logits.ndim == 0 or len(logits) % self._samples:
            return self._scored(output)
        copies = logits.reshape(-1, self._samples, *logits.shape[1:])
        classes = self._classes.repeat(len(copies))
        linear = None
        if self._slopes is not None:
            linear = (copies * self._slopes).flatten(2).sum(2).flatten()
            if bool((self._classes >= 0).all()):
                return Scores(linear, classes)
        asked = torch.cat([self._scored(copy).scores for copy in copies])
        return Scores(asked if linear is None else torch.where(classes >= 0, linear, asked), classes)

    def _first(self, output: Any) -> Scores:
        found = self._scored(output)
        self._classes = found.classes.detach()
        if bool((self._classes >= 0).any()):
            with torch.enable_grad():
                logits = first_tensor(output, "the model").detach().clone().requires_grad_()
                (self._slopes,) = torch.autograd.grad(self._scored(logits).scores.sum(), logits)
        return found


class PerturbedInputs:
    """Samples, and scores of altered copies of them.

    Args:
        explainer: whose model is asked.
        asked: the samples.
        scored: the target.

    Attributes:
        x: the samples, ``[B, M, T, N, C]``.
        there: which cells hold a reading, ``[B, M, T, N]``, bool.
        found: the score of the samples themselves, without a gradient.
    """

    def __init__(self, explainer: ModelCaller, asked: ModelInput, scored: Callable[[Any], Scores]):
        self._explainer, self._asked = explainer, asked
        self._settled = FixedTarget(scored, asked.sizes["b"])
        self.x = explainer.inputs.to_batch(asked.x, **asked.sizes)
        self.there = observed_positions(asked)
        with torch.no_grad():
            # A copy goes in: the model may work in place.
            self.found = self._settled(explainer._output(asked, asked.x.clone()))

    def scores(self, x: Tensor) -> Tensor:
        """The target's scores of altered copies ``[K * B, M, T, N, C]``, copy by copy: ``[K * B]``.

        Differentiable in x, which the model gets a copy of where x has a gradient.
        """
        signals = self._explainer.inputs.from_batch(x.clone() if x.requires_grad else x)
        copies = repeated(self._asked, signals, len(x) // len(self.x))
        return self._settled(self._explainer._output(copies)).scores

    def differentiable_scores(self, x: Tensor) -> Tensor:
        """The same, of x that has a gradient.

        Raises:
            InputError: where the scores have none.
        """
        scores = self.scores(x)
        if not scores.requires_grad:
            raise InputError("the target does not depend on the input in a differentiable way.")
        return scores


def check_counts(**counts: int) -> None:
    """Refuses counts below one.

    Raises:
        InputError: naming the argument.

    Example:
        >>> check_counts(steps=0)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: steps is 0; wanted at least 1.
    """
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; wanted at least 1.")


def observed_positions(asked: ModelInput) -> Tensor:
    """Which cells hold a reading, ``[B, M, T, N]``, bool."""
    there = asked.known_valid[..., None].expand(*asked.known_valid.shape, asked.sizes["n"])
    return there if asked.observed is None else there & asked.observed


def with_baseline(asking: ModelCaller, asked: ModelInput, baseline: Any) -> Tensor:
    """What hidden readings are replaced by, ``[B, M, T, N, C]``; cells that hold no reading are left as they are.

    So padding, which is never evidence, is the same in every altered copy.

    Args:
        asking: an explainer, or whatever else asks a model; tells layout and graph.
        asked: the samples.
        baseline: a name, a function or a tensor; see `stexplain.data.baselines.as_baseline`.

    Raises:
        InputError: where there is no such baseline, or it does not fit.
    """
    x, there = asking.inputs.to_batch(asked.x, **asked.sizes), observed_positions(asked)
    known = asked.known_valid if asked.observed is None else there
    return torch.where(there[..., None], as_baseline(baseline)(x, known, asking.graph), x)


def repeated(asked: ModelInput, x: Tensor, copies: int) -> ModelInput:
    """Copies of samples, one after the other, with other signals.

    Args:
        asked: the samples.
        x: the signals of all copies, in the model's layout.
        copies: how many, K.
    """

    def each(mask: Tensor | None) -> Tensor | None:
        return None if mask is None else mask.repeat(copies, *[1] * (mask.ndim - 1))

    return replace(
        asked,
        x=x,
        valid=each(asked.valid),
        observed=each(asked.observed),
        sizes={**asked.sizes, "b": asked.sizes["b"] * copies},
        ids=asked.ids * copies,
        per_sample={name: value.repeat(copies, *[1] * (value.ndim - 1)) for name, value in asked.per_sample.items()},
    )
