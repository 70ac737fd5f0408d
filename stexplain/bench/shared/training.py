"""Trains the model of a run and saves it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stexplain.bench.run import FORECASTING, Run
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.nn.traffic import STGCNForecaster, without_message_passing
from stexplain.training import fit
from stexplain.wording import an

HISTORY = "history.csv"


def train(run: Run, folder: Path, *, message_passing: bool = True) -> Mapping[str, Any]:
    """Trains the model, or the same one without message passing, in the same way from the same seed.

    Writes the weights and `history.csv`.

    Args:
        run: the model and its data.
        folder: where the model is saved.
        message_passing: else every relation of the model is the identity.

    Raises:
        InputError: where message passing cannot be removed from the model.
    """
    # Only a recipe that looks at the validation split sets it aside; clips are learnt from else. Windows of a series
    # are split by time, and those of the validation split lie between training and test.
    train_split = "train" if run.selects or run.task == FORECASTING else "train+validation"
    data = run.dataset(train_split)
    validation = run.dataset("validation") if run.selects else None
    # The weights at the start come from torch's global generator, which is put back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        model = _model(run)
        if not message_passing:
            if not isinstance(model, STGCNForecaster):
                raise InputError(
                    f"the model card {run.model_card.name!r} makes {an(type(model).__name__)}, and how to remove its "
                    "message passing is not known; expected an STGCNForecaster."
                )
            # Both models then start from the same draws.
            torch.manual_seed(run.seed)
            model = without_message_passing(model)
    history = fit(
        model,
        data,
        recipe=run.recipe,
        validation=validation,
        out=folder,
        seed=run.seed,
        progress=run.progress,
    )
    with atomic_write(folder / HISTORY) as temporary:
        history.to_frame().to_csv(temporary, index=False)
    # Last: other stages take a saved model as the sign that training is complete.
    save_model(folder, model, card=run.model_card, recipe=run.recipe_name, seed=run.seed)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train": len(data),
        "validation": 0 if validation is None else len(validation),
        "selected_epoch": history.selected_epoch,
    }


def _model(run: Run) -> nn.Module:
    """The model with weights at random, in the sizes of the data."""
    if run.task == FORECASTING:
        series = run.windows("train")
        return load_model(
            run.model_card,
            graph=series.graph,
            recipe=run.recipe_name,
            window=series.window,
            horizon=series.horizon,
            channels_in=len(series.channels),
            target_channel=series.target_channel,
        )
    clips = run.clips("train" if run.selects else "train+validation")
    return load_model(
        run.model_card,
        classes=clips.classes,
        graph=clips.graph,
        recipe=run.recipe_name,
        channels_in=len(clips.channels),
    )
