"""The events of a run that are explained: their windows, targets and explanations, as the stage `events` wrote them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.bench.run import Run
from stexplain.bench.shared.baseline_tests import RANDOM
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.grouping import window_blocks
from stexplain.data.series import WindowedSeries
from stexplain.data.windows import WindowBatch
from stexplain.explainers.by_name import explainer, takes
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Random
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Forecast, PerSample
from stexplain.metrics.comparison.baselines import SERIES_BASELINE_EXPLAINERS

PRIORS = ("TrainingMap", "TimePrior")
"""Baseline explainers that know the ground truth of the training split."""
GRADIENT_CHANGE = "GradientTimesChange"
"""The gradient times the difference from the historical average, in the unit of the forecast."""
BASELINES = (*SERIES_BASELINE_EXPLAINERS, RANDOM)
"""Explainers of events that use no model."""
UNSIGNED = ("InputGradient", "ExpectedFall", *BASELINES)
"""Methods whose values have no sign: they say how much a position matters, not which way it moves the forecast."""
LOWERED, EITHER_WAY = "what lowered the forecast", "magnitude, either way"
"""What a method's positions are ranked by."""
RANKING = (
    f"Slowdowns are explained: methods with a sign are ranked by {LOWERED}, all others by magnitude, whichever way the "
    "forecast moves; the column ranked by says which."
)
"""The same as a sentence, of tables with a column of that name."""


@dataclass(frozen=True)
class Events:
    """The events that are explained.

    Attributes:
        batch: their windows, B; with ground truth where it is known.
        node: index of the node whose forecast is explained, ``[B]``.
        nodes: its name, B of them; the index where the series has no graph.
        horizon: how many steps ahead, B of them.
    """

    batch: WindowBatch
    node: NDArray[np.int64]
    nodes: tuple[str | int, ...]
    horizon: tuple[int, ...]

    @property
    def target(self) -> PerSample:
        """The forecasts that are explained."""
        return PerSample([Forecast(node, step) for node, step in zip(self.nodes, self.horizon, strict=True)])


def events_of(run: Run, explained: Sequence[Mapping[str, Any]]) -> Events:
    """The events of a run.

    Args:
        run: whose test split holds them.
        explained: a row per event, as the stage `events` gives them: ``target``, ``window``, ``horizon``, and where
            events are planted ``event``.
    """
    test: WindowedSeries = run.windows("test")
    names = list(test.graph.nodes) if test.graph else [str(index) for index in range(test.nodes)]
    node = np.array([names.index(row["target"]) for row in explained], np.int64)
    # Only planted events carry their ground truth, which belongs to the event and not to the window.
    batch = (
        test.events_batch(np.array([row["event"] for row in explained]))
        if test.planted
        else test.batch(np.array([row["window"] for row in explained]))
    )
    nodes = tuple(row["target"] for row in explained) if test.graph else tuple(node.tolist())
    return Events(batch, node, nodes, tuple(row["horizon"] for row in explained))


def explanations(
    model: nn.Module,
    events: Events,
    average: HistoricalAverage,
    *,
    training: WindowedSeries,
    seed: int,
    steps: int,
) -> dict[str, Explanation]:
    """The explanation of each event by each method, with the historical average as baseline, and baseline explainers.

    Args:
        model: a forecaster.
        events: what is explained.
        average: of the training split.
        training: that split, which some baseline explainers know.
        seed: of `Random`.
        steps: points of integrated gradients.
    """
    batch = events.batch
    averages = average.in_window(batch)  # [B, 1, T, N, C]
    # The order counts: figures and summary show the first method.
    explainers: dict[str, Explainer] = {}
    explainers["IntegratedGradients"] = IntegratedGradients(model, baseline=averages, steps=steps)
    # With its sign, summed over channels; the default takes the magnitude.
    explainers[GRADIENT_CHANGE] = InputGradient(model, reduce="sum")
    explainers["InputGradient"] = InputGradient(model)
    # Of a forecast it counts rises as falls, and has no sign either.
    explainers["ExpectedFall"] = ExpectedFall(model, baseline=averages)
    explainers["STGGradCAM"] = STGGradCAM(model)
    explainers |= _baseline_explainers(model, training, seed)
    by_method = {name: explainer(batch, target=events.target) for name, explainer in explainers.items()}
    by_method[GRADIENT_CHANGE] = _times_change(by_method[GRADIENT_CHANGE], batch, averages)
    return by_method


def _times_change(gradient: Explanation, batch: WindowBatch, averages: Tensor) -> Explanation:
    """The gradient times the difference of observations from the historical average, channel by channel."""
    assert gradient.channels is not None
    # Channel by channel, then summed: sums of channels that are multiplied mix what one has with the gradient of
    # another, such as of a calendar, whose historical average is its value.
    change = ((batch.x - averages) * batch.observed[..., None]).numpy()
    channels = gradient.channels * change
    # Explanations are immutable: the map is replaced in a copy, with the gradient's targets and ids.
    return replace(gradient, values=channels.sum(-1), channels=channels, method="gradient x change")


def _baseline_explainers(model: nn.Module, training: WindowedSeries, seed: int) -> dict[str, Explainer]:
    """Those that this series allows: a prior needs ground truth, what is near the target a graph."""
    # A part of a series need not hold an event, and a user's own series has none.
    truth = training.planted and not training.events.empty
    explainers: dict[str, Explainer] = {}
    for name in SERIES_BASELINE_EXPLAINERS:
        options: dict[str, Any] = {}
        if takes(name, "channel"):
            options["channel"] = training.target_channel
        if takes(name, "training"):
            if name in PRIORS and not truth:
                continue
            options["training"] = training
        if takes(name, "hops"):
            if training.graph is None:
                continue
            options["graph"] = training.graph
        explainers[name] = explainer(name, model, **options)
    return {**explainers, RANDOM: Random(model, seed=seed)}


def saved_explanations(run: Run, methods: list[str]) -> dict[str, Explanation]:
    """The explanations that the stage `events` wrote."""
    return {name: Explanation.load(run.folder / explanation_file(name)) for name in methods}


def explanation_file(method: str) -> str:
    """The file of a method's explanations in the folder of a run."""
    return f"explanations-{method}.nc"


def lowering(explanations: Mapping[str, Explanation]) -> dict[str, NDArray[np.float32]]:
    """How much each position lowered the forecast, or where a method has no sign how much it matters; ``[B, 1, T, N]``.

    Never negative: what raised the forecast has zero.
    """
    # A negative value lowered the forecast.
    return {
        name: np.maximum(e.values if ranked_by(name) == EITHER_WAY else -e.values, 0)
        for name, e in explanations.items()
    }


def ranked_by(method: str) -> str:
    """What the positions of a method are ranked by: which question its row of a table answers.

    Example:
        >>> ranked_by("IntegratedGradients"), ranked_by("ExpectedFall")
        ('what lowered the forecast', 'magnitude, either way')
    """
    return EITHER_WAY if method in UNSIGNED else LOWERED


def event_groups(series: WindowedSeries, explained: Sequence[Mapping[str, Any]]) -> list[str]:
    """The groups of explained events: blocks of time in which their windows begin; see `window_blocks`.

    Windows that overlap share observations, and one slowdown reaches several sensors: such events are not independent.

    Args:
        series: the split that holds them.
        explained: a row per event, with its ``window``.
    """
    starts = series.starts[np.array([row["window"] for row in explained], np.int64)]
    return [f"block {block}" for block in window_blocks(starts, series.window + series.horizon, series.time)[0]]
