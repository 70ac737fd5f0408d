"""Whether the model knows anything: its accuracy against a guess, and against itself with its weights shuffled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.checking.labels import refuse_booleans
from stexplain.checking.values import as_numbers
from stexplain.checking.words import shown
from stexplain.checks.randomisation import copied, shuffled, stages
from stexplain.checks.trust.labels import check_classes
from stexplain.checks.trust.result import TrustCheck
from stexplain.checks.trust.simple_forecasts import simple_forecasts
from stexplain.checks.trust.subject import TrustSubject
from stexplain.data.windows import WindowBatch
from stexplain.errors import InputError, StexplainError
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.targets import Forecast, NodeClass, Predicted, Target
from stexplain.intervals.bootstrap import Interval
from stexplain.metrics.masked_model import MaskedModel
from stexplain.wording import agree

_NAME, CHANCE = "accuracy", "the chance level"
# Wider than elsewhere: this is the check that a network without any training must not pass.
_CONFIDENCE = 0.99


def predictor_of(target: Target) -> Target:
    """What predicts a class where the target explains one."""
    if isinstance(target, NodeClass):
        return NodeClass(target.node, horizon=target.horizon, layout=target.layout.pattern)
    return Predicted()


@dataclass(frozen=True)
class Accuracy:
    """How right a model is against true labels, sample by sample, in the units of a guess.

    Attributes:
        labels: classes ``[B]`` int64, or true values ``[B, ...]`` float64.
        target: what is explained, before predicted classes are fixed.
        guess: the accuracy of guessing, or guessed values; none: measured.
        windows: those of a series whose targets the labels are; none: they are other samples.
        given: the labels as they were given.
    """

    labels: NDArray[Any]
    target: Target
    guess: "ArrayLike | None"
    windows: WindowBatch | None = None
    given: Any = None

    @property
    def of_classes(self) -> bool:
        """Whether labels are classes, not values."""
        return self.labels.dtype.kind == "i"

    @property
    def unit(self) -> str:
        """The unit of the labels, after a space; empty where it is not known."""
        unit = "" if self.windows is None else self.windows.measured.target
        return f" {unit}" if unit else ""

    def read(self, masked: MaskedModel) -> NDArray[np.float64]:
        """What the model predicts for the samples: a class each, ``[B]``, or values of the labels' shape."""

        def read(output: Any, rows: slice) -> Tensor:
            tensor = masked._returned(output, rows.stop - rows.start).tensor
            if self.of_classes:
                return self._classes(masked, output, rows, tensor)
            return self._values(masked, output, rows, tensor)

        predicted: NDArray[np.float64] = masked.evaluate(lambda _: masked.batch.x, 1, read)[0]
        return predicted

    def _classes(self, masked: MaskedModel, output: Any, rows: slice, tensor: Tensor) -> Tensor:
        single = tensor.ndim == 1 or tensor.shape[1:] == (1,)
        if tensor.ndim <= 2:
            count = 2 if single else tensor.shape[1]
            check_classes(self.labels, count)
            refuse_booleans("labels", self.given, count)
        # Numbers between 0 and 1 alone are probabilities of class 1: their sign says nothing.
        if single and bool(((tensor >= 0) & (tensor <= 1)).all()):
            return (tensor.flatten() > 0.5).double()
        return masked.scores(predictor_of(self.target), output, rows).classes.double()

    def _values(self, masked: MaskedModel, output: Any, rows: slice, tensor: Tensor) -> Tensor:
        own = self.labels.shape[1:]
        if tensor.shape[1:] == own:
            return tensor.double()
        if tensor[0].numel() == int(np.prod(own)) and {*tensor.shape[1:]} - {1} == {*own} - {1}:
            # Axes of one entry, such as a single channel, need not be in the labels.
            return tensor.reshape(len(tensor), *own).double()
        found = masked.scores(self.target, output, rows) if own == () else None
        # The score of a class is no value that could have been observed.
        if found is not None and not bool((found.classes >= 0).any()):
            return found.scores.double()
        hint = " Give classes as whole numbers: labels.astype(int)." if (self.labels % 1 == 0).all() else ""
        raise InputError(
            f"labels: got values of shape {self.labels.shape} for an output of shape {tuple(tensor.shape)}, samples "
            f"first; expected the output's shape, or one value per sample and a target, such as Forecast(...).{hint}"
        )

    def benefit(self, predicted: NDArray[np.float64], guess: Any) -> NDArray[np.float64]:
        """By how much the model is better than the guess, ``[B]``: its mean is what is tested.

        Of classes, ``n / (K n_c) (right - guess)`` for a sample of class c, of which there are n_c: the mean is the
        balanced accuracy minus the guess. Of values, the guess's absolute error minus the model's.
        """
        if not self.of_classes:
            return _errors(guess, self.labels) - _errors(predicted, self.labels)
        present, which, counts = np.unique(self.labels, return_inverse=True, return_counts=True)
        weight = len(self.labels) / (len(present) * counts[which])
        return np.asarray(weight * ((predicted == self.labels) - guess), np.float64)

    def guesses(self, masked: MaskedModel) -> dict[str, Any]:
        """What a guess without any model gets right, or says, by name."""
        if self.of_classes:
            # Whatever it says, and however often: a guess is right in one of K classes, each counted alike.
            given: Any = 1 / len(np.unique(self.labels)) if self.guess is None else self.guess
            share = as_numbers("guess", given)
            if share.ndim or not 0 <= share <= 1:
                raise InputError(f"guess: got {shown(given)}; expected the chance level, an accuracy from 0 to 1.")
            return {CHANCE: float(share)}
        if self.guess is not None:
            given = as_numbers("guess", self.guess).astype(np.float64)
            try:
                return {"the guess": np.broadcast_to(given, self.labels.shape)}
            except ValueError:
                raise InputError(
                    f"guess: got shape {given.shape}; expected the labels', {self.labels.shape}, or one that "
                    "broadcasts to it."
                ) from None
        found = {"the mean of the labels": np.broadcast_to(np.nanmean(self.labels, 0), self.labels.shape)}
        if self.windows is not None:
            return found | simple_forecasts(self.windows)
        last = self._last_observation(masked)
        return found if last is None else {**found, "the last observation": last}

    def _last_observation(self, masked: MaskedModel) -> NDArray[np.float64] | None:
        """Each node's last value at all horizons, in the labels' shape; none where the output's layout is not known.

        A tensor does not say which of its channels is forecast: the one that is nearest to the labels is taken, which
        makes the comparison harder for the model and never easier. Where the output has other units than the input it
        is a bad guess, and the mean is the better one.
        """
        layout = getattr(self.target, "layout", None) or masked.output_info.layout
        if not isinstance(layout, Layout) or "n" not in layout.letters or masked.batch.x.shape[1] != 1:
            return None
        present, x = masked.observed[..., None], masked.batch.x
        frames = torch.arange(x.shape[2], device=x.device)[:, None, None]
        last = torch.where(present, frames, 0).amax(2, keepdim=True)
        values = x.gather(2, last.expand(*x.shape[:2], 1, *x.shape[3:]))  # [B, 1, 1, N, C]
        found = [self._at_all_horizons(one[..., None], layout, masked) for one in values.unbind(-1)]
        guesses = [one for one in found if one is not None]
        return min(guesses, key=lambda one: float(_errors(one, self.labels).mean()), default=None)

    def _at_all_horizons(self, values: Tensor, layout: Layout, masked: MaskedModel) -> NDArray[np.float64] | None:
        """Values of one channel, ``[B, 1, 1, N, 1]``, as forecasts in the labels' shape; none where they have none."""
        if self.labels.ndim == 1 and isinstance(self.target, Forecast):
            steps = values.expand(-1, -1, max(self.target.horizon), -1, -1)
            return np.asarray(self.target._score(steps, layout, masked.output_info).scores.cpu(), np.float64)
        sizes = layout.groups
        if self.labels.ndim != len(sizes) or sizes[0] != ["b"] or any(len(group) > 1 for group in sizes):
            return None
        horizon = self.labels.shape[sizes.index(["t"])] if ["t"] in sizes else 1
        laid_out = layout.from_batch(values.expand(-1, -1, horizon, -1, -1)).cpu().numpy().astype(np.float64)
        return laid_out if laid_out.shape == self.labels.shape else None


def check_accuracy(subject: TrustSubject, accuracy: Accuracy, draws: int) -> TrustCheck:
    """Accuracy above guessing, and above that of every copy of the network whose weights are shuffled.

    A network without training is exchangeable with copies of itself whose weights are shuffled: it is better than all
    of `draws` of them with probability 1 / (draws + 1), whatever the labels are, as long as it had no part in them.
    """
    if accuracy.of_classes and len(np.unique(accuracy.labels)) < 2:
        return TrustCheck.not_checked(_NAME, "Not shown: got labels of one class; expected at least two.")
    call = ModelCall(subject.options, None, subject.shared, subject.per_sample)
    masked = MaskedModel(subject.model, **subject.options)
    masked.load(subject.batch, call)
    with masked.frozen():
        predicted = accuracy.read(masked)
        guesses = accuracy.guesses(masked)
    # The guess that the model is least shown to beat: who is ahead of this one is ahead of each, so no correction is
    # due. Not the one that it beats by least on average, as by how much may rest on a few samples.
    benefits = {name: accuracy.benefit(predicted, guess) for name, guess in guesses.items()}
    intervals = {name: subject.interval(benefit, confidence=_CONFIDENCE) for name, benefit in benefits.items()}
    name = min(intervals, key=lambda one: intervals[one].low)
    estimate = intervals[name]
    try:
        others = _of_shuffled(subject.model, accuracy, subject, call, draws)
    except InputError as error:
        # An untrained network could not be distinguished from a trained one.
        return TrustCheck.not_checked(_NAME, f"Not shown: {str(error).splitlines()[0]}")
    found = [float(accuracy.benefit(other, guesses[name]).mean()) for other in others]
    return _verdict(accuracy, estimate, name, guesses[name], predicted, found)


def _verdict(
    accuracy: Accuracy,
    estimate: Interval,
    name: str,
    guess: Any,
    predicted: NDArray[np.float64],
    found: list[float],
) -> TrustCheck:
    if accuracy.of_classes:
        # As an accuracy, not as its distance from the guess.
        estimate = Interval(estimate.value + guess, max(estimate.low + guess, 0.0), min(estimate.high + guess, 1.0))
        threshold, best = guess, max(found, default=-1.0) + guess
        what = f"Balanced accuracy {estimate.value:.2f}; {name} is {guess:.2f}."
        others = f"{best:.2f}"
    else:
        error, other = (float(np.mean(_errors(each, accuracy.labels))) for each in (predicted, guess))
        threshold, best = 0.0, max(found, default=-np.inf)
        unit = accuracy.unit
        what = (
            f"Mean absolute error {error:.3g}{unit}; that of {name} is {other:.3g}{unit}, and the difference is tested."
        )
        # As an error, not as its distance from the guess.
        others = f"{other - best:.3g}{unit}"
    check = TrustCheck.of(_NAME, estimate, threshold, what)
    # Rounding must not make the network better than a copy that predicts the same.
    as_good = sum(one >= (estimate.value - (guess if accuracy.of_classes else 0)) - 1e-9 for one in found)
    if found:
        what += f" The best of {len(found)} copies with shuffled weights has {others}."
    passed = bool(check.passed) and not as_good
    if passed:
        what += " The model is better than both." if found else " The model is better."
    else:
        what += f" {as_good} of {len(found)} copies {agree(as_good, 'is', 'are')} as accurate." if check.passed else ""
        what += " It is not shown that the network has learned anything."
    return TrustCheck(_NAME, passed, what, estimate, threshold)


def _of_shuffled(
    model: nn.Module, accuracy: Accuracy, subject: TrustSubject, call: ModelCall, draws: int
) -> list[NDArray[np.float64]]:
    """What copies of the model with shuffled weights predict, but for those that give no finite number.

    Raises:
        InputError: where the model cannot be copied, or none of the copies gives a finite number.
    """
    other = copied(model)
    parts = stages(other)
    if not parts:
        # A function that is written down has no weights, and was not trained.
        return []
    masked = MaskedModel(other, **subject.options)
    masked.load(subject.batch, call)
    random = torch.Generator().manual_seed(subject.seed)
    predicted = []
    for _ in range(draws):
        # In place, of one copy: shuffled again and again, its weights are as random as shuffled once.
        for part in parts:
            shuffled(part, random)
        try:
            with masked.frozen():
                predicted.append(accuracy.read(masked))
        except StexplainError:
            continue
    if not predicted:
        raise InputError(
            f"model: none of {draws} copies with shuffled weights gives finite numbers; expected some, which a model "
            "that has learned something must beat."
        )
    return predicted


def _errors(predicted: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean absolute error of each sample, ``[B]``, over the labels that are no NaN."""
    errors: NDArray[np.float64] = np.nanmean(np.abs(predicted - labels).reshape(len(labels), -1), 1)
    return errors
