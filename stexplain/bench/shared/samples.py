"""Which samples a comparison explains, and what of them: clips for their predicted class, events for their forecast."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.shared.events import event_groups, events_of
from stexplain.bench.shared.predictions import load_predictions
from stexplain.bench.stage import Results
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target
from stexplain.explainers.targets import Forecast, PerSample, Predicted

BATCH = 20
"""Clips explained at a time."""


class Samples(NamedTuple):
    """Samples that every method explains alike.

    Attributes:
        batch: the samples, with ground truth.
        target: what is explained of them; what contributes to it is important.
        historical_average: of windows of a series, ``[B, 1, T, N, C]``: the baseline of that name.
    """

    batch: Batch
    target: Target
    historical_average: Tensor | None = None


def draw(run: Run, results: Results, count: int) -> dict[str, Any]:
    """Draws samples: correctly classified test clips at random, or the events of a series in their order.

    Raises:
        InputError: where there are none.
    """
    if run.task == FORECASTING:
        events = len(results["events"]["explained"])
        if not events:
            raise InputError(
                f"the model of the run {run.name!r} forecast no event of the test split. Train it for longer."
            )
        # Evenly over time: neighbouring events are alike.
        chosen = np.linspace(0, events - 1, min(count, events)).round().astype(np.int64)
        return {"indices": chosen.tolist(), "samples": len(chosen)}
    _, correct = load_predictions(run)
    candidates = np.flatnonzero(correct)
    if not len(candidates):
        raise InputError(f"the model of the run {run.name!r} classifies no test clip correctly. Train it for longer.")
    # A wrong prediction has no reason in the ground truth of the sample's class.
    # A permutation cut short: a larger count keeps the samples of a smaller one.
    drawn = np.random.default_rng(run.seed).permutation(candidates)[:count]
    # Sorted: batches and tables then follow the test split, whatever was drawn first.
    return {"indices": sorted(drawn.tolist()), "samples": len(drawn)}


def load(run: Run, results: Results, indices: Sequence[int], *, size: int | None = None) -> list[Samples]:
    """The samples that were drawn, in batches.

    Args:
        run: the run.
        results: of its stages.
        indices: as `draw` gives them.
        size: of a batch; default: `BATCH`.
    """
    size = size or BATCH
    parts = [list(indices[start : start + size]) for start in range(0, len(indices), size)]
    if run.task != FORECASTING:
        clips = run.clips("test")
        return [Samples(without_absent_instances(clips.batch(part)), Predicted()) for part in parts]
    explained: list[Mapping[str, Any]] = results["events"]["explained"]
    samples = []
    for part in parts:
        events = events_of(run, [explained[index] for index in part])
        # Slowdowns: what lowers the forecast must count as important, so its sign is turned.
        targets = PerSample([Decrease(node, step) for node, step in zip(events.nodes, events.horizon, strict=True)])
        samples.append(Samples(events.batch, targets, run.historical_average.in_window(events.batch)))
    return samples


def groups_of(run: Run, results: Results, indices: Sequence[int]) -> Any:
    """The groups of the samples: of the recordings, or of the events."""
    if run.task == FORECASTING:
        return event_groups(run.windows("test"), [results["events"]["explained"][index] for index in indices])
    groups = run.groups("test")
    return None if groups is None else np.asarray(groups)[list(indices)]


def has_truth(run: Run) -> bool:
    """Whether the test data carries ground truth."""
    return run.windows("test").planted if run.task == FORECASTING else run.clips("test").planted


def without_absent_instances(batch: Batch) -> Batch:
    """The batch without the last instances that none of its clips has: they cost time and change no output."""
    # The last instance that is present in any clip; the first of a clip is always present.
    count = int(batch.valid.any(2).any(0).nonzero().max()) + 1
    truth = None if batch.truth is None else batch.truth[:, :count]
    # A node that was not observed is zero, which is a place like any other without its mask.
    observed = None if batch.observed is None else batch.observed[:, :count]
    x, valid = batch.x[:, :count], batch.valid[:, :count]
    return Batch(x, valid, batch.label, batch.ids, truth, observed=observed, groups=batch.groups)


class Decrease(Forecast):
    """A forecast with the opposite sign: what lowers it contributes to a slowdown. Arguments are those of `Forecast`.

    Example:
        >>> import torch
        >>> Decrease(1, 1, layout="b t n")(torch.tensor([[[1.0, 2.0]]])).tolist()
        [-2.0]
    """

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        scores = super().score(output, info)
        return scores._replace(scores=-scores.scores)

    def text(self) -> str:
        """See `Target.text`."""
        return f"minus {super().text()}"
