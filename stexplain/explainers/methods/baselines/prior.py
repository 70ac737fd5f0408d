"""What is known before the sample is seen: when, and where, training samples had their cause."""

from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from stexplain.checking import checked_kept
from stexplain.data import Batch, Clips, WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions

Training = Batch | Clips | WindowedSeries
PHASES = 64
"""Points of relative time at which the mean truth is kept."""


@checked_kept
class TrainingMap(BaselineExplainer):
    """The mean ground truth of training samples: one map for all samples, whatever they show.

    Where causes often lie at the same nodes and times, this map finds them without a look at the sample. Relative time
    counts: a sample's first and last valid frames are those of the training samples.

    Args:
        model: see `BaselineExplainer`.
        training: samples with ground truth, of the training split: a batch, clips, or a series with planted events.
        **options: see `BaselineExplainer`.

    Raises:
        InputError: where the training samples have no ground truth, or (when called) other nodes than the sample.

    Example:
        >>> truth = torch.tensor([[False, True], [True, True]]).view(1, 1, 2, 2)
        >>> seen = Batch(torch.zeros(1, 1, 2, 2, 3), torch.ones(1, 1, 2).bool(), torch.zeros(1), ("a",), truth)
        >>> TrainingMap(training=seen)(torch.zeros(1, 1, 2, 2, 3)).values[0, 0].tolist()
        [[0.0, 1.0], [1.0, 1.0]]
    """

    method = "mean training map"

    def __init__(self, model: nn.Module | None = None, *, training: Training, **options: Unpack[CallOptions]):
        super().__init__(model, **options)
        self._mean = mean_truth(training)

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        instances, nodes = self._mean.shape[0], self._mean.shape[2]
        if nodes != model_input.sizes["n"]:
            raise InputError(
                f"training: got samples of {nodes} nodes; expected {model_input.sizes['n']}, as the samples to explain."
            )
        # An instance that no training sample had is never a cause.
        expected = model_input.sizes["m"]
        mean = torch.cat(
            [self._mean, torch.zeros(max(expected - instances, 0), PHASES, nodes, dtype=torch.float32, device="cpu")]
        )[:expected]
        return Maps(_at_phases(mean, model_input.known_valid))


@checked_kept
class TimePrior(BaselineExplainer):
    """When causes usually are: the same value at all nodes of a frame.

    With s in [0, 1] the place of a frame among the valid ones::

        prior[b, m, t, n] = mean over nodes of the mean ground truth of training samples at s
                            or, without training samples, 4 s (1 - s)

    Args:
        model: see `BaselineExplainer`.
        training: samples with ground truth, see `TrainingMap`; none: the middle of the sample counts most.
        **options: see `BaselineExplainer`.

    Raises:
        InputError: where the training samples have no ground truth.

    Example:
        >>> TimePrior()(torch.zeros(1, 1, 5, 1, 3)).values.flatten().tolist()
        [0.0, 0.75, 1.0, 0.75, 0.0]
    """

    method = "time prior"

    def __init__(self, model: nn.Module | None = None, *, training: Training | None = None,
                 **options: Unpack[CallOptions]):  # fmt: skip
        super().__init__(model, **options)
        # Over instances too: a second person that is rarely there would else count as often as the first.
        self._mean = None if training is None else mean_truth(training).mean((0, 2))
        self.method = named(type(self), self.method, *([] if training is None else ["of training samples"]))

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        valid = model_input.known_valid
        if self._mean is None:
            phase = _phases(valid)
            over_time = 4 * phase * (1 - phase)
        else:
            over_time = _at_phases(self._mean.view(1, -1, 1).expand(valid.shape[1], -1, 1), valid)[..., 0]
        return Maps(over_time[..., None].repeat(1, 1, 1, model_input.sizes["n"]))


def mean_truth(training: Training) -> Tensor:
    """The mean ground truth of samples over relative time, ``[M, PHASES, N]`` in [0, 1].

    Raises:
        InputError: where there is none.
    """
    if isinstance(training, WindowedSeries):
        training = training.events_batch()
    if not isinstance(training, Batch | Clips):
        raise InputError(f"training: got {type(training).__name__}; expected a Batch, Clips or a WindowedSeries.")
    total, count = torch.zeros(1, dtype=torch.float32, device="cpu"), 0
    for batch in [training] if isinstance(training, Batch) else training.batches(64):
        if batch.truth is None:
            raise InputError("training: got samples without ground truth; expected generated data, which has one.")
        for truth, valid in zip(batch.truth.float(), batch.valid, strict=True):
            # Each instance over its own valid frames; one that is absent adds nothing.
            each = [_stretched(one[frames]) for one, frames in zip(truth, valid, strict=True)]
            total = total + torch.stack(each)
            count += 1
    return total / count


def _stretched(truth: Tensor) -> Tensor:
    """Values ``[t, N]`` at `PHASES` points of relative time."""
    if not len(truth):
        return torch.zeros(PHASES, truth.shape[1], dtype=torch.float32, device="cpu")
    # Both ends keep their places.
    return interpolate(truth.T[None], size=PHASES, mode="linear", align_corners=True)[0].T


def _phases(valid: Tensor) -> Tensor:
    """The place of each frame among its instance's valid ones, in [0, 1], ``[B, M, T]``; a half of a single one."""
    number, count = valid.cumsum(2) - 1, valid.sum(2, keepdim=True)
    return torch.where(count > 1, number.float() / (count - 1).clamp(min=1), 0.5).clamp(0, 1)


def _at_phases(mean: Tensor, valid: Tensor) -> Tensor:
    """The mean truth ``[M, PHASES, N]`` at the frames of samples, ``[B, M, T, N]``."""
    at = _phases(valid.cpu()) * (PHASES - 1)
    low = at.floor().long().clamp(max=PHASES - 2)
    weight = (at - low)[..., None]
    instance = torch.arange(len(mean), device="cpu")[None, :, None]
    return ((1 - weight) * mean[instance, low] + weight * mean[instance, low + 1]).to(valid.device)
