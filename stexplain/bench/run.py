"""A run: one model, trained by one recipe on one dataset, and the folder that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import nn

from stexplain.cards import DatasetCard, ModelCard, Recipe, SeriesCard
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.clips import Clips
from stexplain.data.load import load_clips, load_series
from stexplain.data.series import WindowedSeries
from stexplain.nn.checkpoint import load_model

Task = Literal["classification", "forecasting"]
CLASSIFICATION: Task = "classification"
FORECASTING: Task = "forecasting"
TASKS = (CLASSIFICATION, FORECASTING)


def task_of(card: DatasetCard | SeriesCard) -> Task:
    """What a model does with a dataset: recordings are classified, series are forecast."""
    return FORECASTING if isinstance(card, SeriesCard) else CLASSIFICATION


def run_label(name: str, protocol: str, model: str, title: str) -> str:
    """A short name of a run for readers: of its model and protocol, unless the experiment names the run.

    Args:
        name: of the run, as on disk and in the command.
        protocol: its split protocol; empty for a series.
        model: the name of its model card.
        title: of the model.

    Example:
        >>> run_label("xsub/stgcn10", "xsub", "stgcn10", "STGCN-10"), run_label("body", "xsub", "stgcn7", "STGCN-7")
        ('STGCN-10 xsub', 'body')
    """
    if model and name == model:
        return title
    return f"{title} {protocol}" if protocol and name == f"{protocol}/{model}" else name


@dataclass(frozen=True)
class Run:
    """One model on one dataset.

    Attributes:
        name: of the run.
        card: of the dataset.
        data: the prepared store, or the files of a series; none: generated (planted) data.
        protocol: the split protocol of recordings; empty for a series.
        model_card: of the model; its recipe of this name is the run's.
        recipe_name: of the recipe.
        seed: of the weights at the start, of training and of everything drawn later.
        folder: of the run.
        progress: whether progress bars are shown.
        published: what a paper prints for this run.
        first: of a further training: the name of the run of the first seed; else empty.
    """

    name: str
    card: DatasetCard | SeriesCard
    data: Path | None
    protocol: str
    model_card: ModelCard
    recipe_name: str
    seed: int = 0
    folder: Path = Path()
    progress: bool = False
    published: Mapping[str, float | str] = field(default_factory=dict)
    first: str = ""

    @property
    def label(self) -> str:
        """What figures and reports call it."""
        return run_label(self.first or self.name, self.protocol, self.model_card.name, self.model_card.title)

    @property
    def task(self) -> Task:
        """What the model does, see `task_of`."""
        return task_of(self.card)

    @property
    def recipe(self) -> Recipe:
        """How the model is trained and what it is given."""
        return self.model_card.recipe(self.recipe_name)

    @property
    def selects(self) -> bool:
        """Whether training looks at the validation split: to keep the best epoch, or to stop early."""
        return self.recipe.patience is not None or self.recipe.select == "best"

    def clips(self, part: str) -> Clips:
        """A part of the protocol's split of recordings, such as ``"test"``, sampled by the recipe."""
        assert isinstance(self.card, DatasetCard)
        # Not kept, unlike windows: a store is memory-mapped, and opening it is cheap.
        return load_clips(self.card, self.data, f"{self.protocol}/{part}", recipe=self.recipe)

    def windows(self, part: str) -> WindowedSeries:
        """A part of a series' time, such as ``"test"``; read once."""
        # Reading a series takes seconds, and every stage asks for it.
        if part not in self._windows:
            assert isinstance(self.card, SeriesCard)
            self._windows[part] = load_series(self.card, self.data, part)
        return self._windows[part]

    def dataset(self, part: str) -> Clips | WindowedSeries:
        """A part of the data: clips, or windows of a series."""
        return self.windows(part) if self.task == FORECASTING else self.clips(part)

    def groups(self, part: str) -> Any:
        """The groups of the samples of a part, which are not independent within one; none where none are known."""
        return getattr(self.dataset(part), "groups", None)

    def model(self, folder: str = "") -> nn.Module:
        """The trained model, or another one that a stage keeps in a folder of the run."""
        return load_model(self.folder / folder)

    @cached_property
    def historical_average(self) -> HistoricalAverage:
        """The mean observation of a series' training split, by node and time of day."""
        # Of the training split alone, as the model's: an average over the test split would know the answer.
        return HistoricalAverage.fit(self.windows("train"), weekdays=False)

    # Not a field: a cache takes no part in comparing or copying runs.
    @cached_property
    def _windows(self) -> dict[str, WindowedSeries]:
        return {}

    def about(self) -> dict[str, Any]:
        """What the results say of the run beside those of its stages."""
        # A series is split by time, and has no protocol.
        protocols = self.card.protocols if isinstance(self.card, DatasetCard) else {}
        return {
            "task": self.task,
            "dataset": self.card.name,
            "protocol": self.protocol or None,
            "protocol_title": protocols[self.protocol].title if self.protocol else None,
            "model": self.model_card.name,
            "model_title": self.model_card.title,
            "model_hash": self.model_card.hash,
            "recipe": self.recipe_name,
            "recipe_summary": self.recipe.summary,
            "epochs": self.recipe.epochs,
            "published": dict(self.published),
            "seed": self.seed,
            "first": self.first or None,
        }
