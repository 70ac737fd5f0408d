"""One run of an experiment: its data, its model, and the training of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stexplain.bench.experiment import Run
from stexplain.cards import DatasetCard, ModelCard, Recipe
from stexplain.data.clips import Clips
from stexplain.data.load import load_dataset
from stexplain.files import atomic_write
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.training import fit


@dataclass(frozen=True)
class Job:
    """One run: which model is trained by which recipe on which protocol of which store, and where it is kept.

    Attributes:
        card: of the dataset.
        store: its prepared store.
        run: protocol and model.
        model_card: of the model.
        recipe_name: one of the model card's.
        seed: of the weights at the start, of training and of everything drawn later.
        folder: of the run.
        progress: whether progress bars are shown.
    """

    card: DatasetCard
    store: Path
    run: Run
    model_card: ModelCard
    recipe_name: str
    seed: int
    folder: Path
    progress: bool

    @property
    def recipe(self) -> Recipe:
        """How the model is trained and what it is given."""
        return self.model_card.recipe(self.recipe_name)

    def clips(self, part: str) -> Clips:
        """A part of the protocol's split, such as ``"test"``, as the recipe samples it."""
        return load_dataset(self.card, self.store, f"{self.run.protocol}/{part}", recipe=self.recipe)

    def model(self) -> nn.Module:
        """The trained model."""
        return load_model(self.folder)

    def about(self) -> dict[str, Any]:
        """What the results say of the run beside its numbers."""
        return {
            "protocol": self.run.protocol,
            "protocol_title": self.card.protocols[self.run.protocol].title,
            "model": self.run.model,
            "model_title": self.model_card.title,
            "model_hash": self.model_card.hash,
            "recipe": self.recipe_name,
            "recipe_summary": self.recipe.summary,
        }

    def train(self) -> Mapping[str, Any]:
        """Trains the model and saves it in the folder.

        The validation part is set aside only by a recipe that looks at it; else the model learns from it too.
        """
        looks = self.recipe.patience is not None or self.recipe.select == "best"
        train = self.clips("train" if looks else "train+validation")
        validation = self.clips("validation") if looks else None
        # The weights at the start come from the global generator; it is put back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = load_model(self.model_card, classes=train.classes, graph=train.graph, recipe=self.recipe_name)
        history = fit(
            model,
            train,
            recipe=self.recipe,
            validation=validation,
            out=self.folder,
            seed=self.seed,
            progress=self.progress,
        )
        with atomic_write(self.folder / "history.csv") as temporary:
            history.to_frame().to_csv(temporary, index=False)
        save_model(self.folder, model, card=self.model_card, recipe=self.recipe_name, seed=self.seed)
        return {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "train": len(train),
            "validation": 0 if validation is None else len(validation),
            "kept_epoch": history.selected_epoch,
        }
