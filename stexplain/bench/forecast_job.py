"""One run of an experiment on forecasters: its series, the model, and the same model without its graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stexplain.cards import ModelCard, Recipe, SeriesCard
from stexplain.data.load import load_dataset
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.nn.traffic import STGCNForecaster, without_message_passing
from stexplain.training import fit
from stexplain.training.daily_average import HistoricalAverage

ALONE = "without-graph"
"""The folder of the same model in which each sensor hears only itself."""


@dataclass(frozen=True)
class ForecastJob:
    """One run: which model is trained by which recipe on which series, and where it is kept.

    Attributes:
        card: of the series.
        data: its files; none: the card's planted data.
        model_card: of the model.
        recipe_name: one of the model card's.
        seed: of the weights at the start, of training and of everything drawn later.
        folder: of the run.
        progress: whether progress bars are shown.
    """

    card: SeriesCard
    data: Path | None
    model_card: ModelCard
    recipe_name: str
    seed: int
    folder: Path
    progress: bool

    @property
    def recipe(self) -> Recipe:
        """How the model is trained."""
        return self.model_card.recipe(self.recipe_name)

    @cached_property
    def train_part(self) -> WindowedSeries:
        """The windows that the model learns from."""
        return load_dataset(self.card, self.data, "train")

    @cached_property
    def validation_part(self) -> WindowedSeries:
        """The windows by which an epoch is chosen."""
        return load_dataset(self.card, self.data, "validation")

    @cached_property
    def test_part(self) -> WindowedSeries:
        """The windows that nothing is learnt from."""
        return load_dataset(self.card, self.data, "test")

    @cached_property
    def usual(self) -> HistoricalAverage:
        """What is usual in the training part."""
        return HistoricalAverage.fit(self.train_part)

    def model(self, *, alone: bool = False) -> nn.Module:
        """The trained model, or the one without its graph."""
        return load_model(self.folder / ALONE if alone else self.folder)

    def about(self) -> dict[str, Any]:
        """What the results say of the run beside its numbers."""
        return {
            "model": self.model_card.name,
            "model_title": self.model_card.title,
            "model_hash": self.model_card.hash,
            "recipe": self.recipe_name,
            "recipe_summary": self.recipe.summary,
        }

    def train(self, *, alone: bool = False) -> Mapping[str, Any]:
        """Trains the model, or the one without its graph, in the same way from the same seed, and saves it.

        Raises:
            InputError: where how to take the model's graph away is not known.
        """
        folder = self.folder / ALONE if alone else self.folder
        train = self.train_part
        looks = self.recipe.patience is not None or self.recipe.select == "best"
        # The weights at the start come from the global generator; it is put back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = load_model(
                self.model_card,
                graph=train.graph,
                recipe=self.recipe_name,
                window=train.window,
                horizon=train.horizon,
                channels_in=len(train.channels),
                target_channel=train.target_channel,
            )
            if alone:
                if not isinstance(model, STGCNForecaster):
                    raise InputError(
                        f"the model card {self.model_card.name!r} makes a {type(model).__name__}, and how to take its "
                        "graph away is not known; wanted an STGCNForecaster."
                    )
                torch.manual_seed(self.seed)
                model = without_message_passing(model)
        history = fit(
            model,
            train,
            recipe=self.recipe,
            validation=self.validation_part if looks else None,
            out=folder,
            seed=self.seed,
            progress=self.progress,
        )
        with atomic_write(folder / "history.csv") as temporary:
            history.to_frame().to_csv(temporary, index=False)
        save_model(folder, model, card=self.model_card, recipe=self.recipe_name, seed=self.seed)
        return {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "kept_epoch": history.selected_epoch,
        }
