"""Training by a recipe, and where it stands after a kill.

Everything random is a function of (seed, epoch, step): the order of the samples, their augmentation, dropout. So a
checkpoint needs no state of any generator, and a run that was killed at any step ends with the same weights, bit by
bit, as one that was not (on the same machine with the same number of threads and processes).
"""

import hashlib
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import nn

from stexplain.cards import Recipe
from stexplain.errors import InputError
from stexplain.train.evaluate import check_classes
from stexplain.train.loop import Job, Spawned, selected, train_all
from stexplain.train.schedules import make_optimizer
from stexplain.train.state import Epoch, load_state

if TYPE_CHECKING:
    from stexplain.data.clips import Clips

CHECKPOINT = "training.safetensors"


@dataclass(frozen=True)
class History:
    """What a training gave, epoch by epoch.

    Attributes:
        epochs: in order.
        kept: the epoch (from 1) whose weights the model now has.
        stopped_early: whether `patience` ended it before the recipe's last epoch.
    """

    epochs: tuple[Epoch, ...]
    kept: int
    stopped_early: bool

    def to_frame(self) -> pd.DataFrame:
        """One row per epoch, with the fields of `Epoch` as columns; what was not measured is NaN.

        Example:
            >>> epoch = Epoch(1, 2.3, 0.1, None, None, 0.1, 7.5, 128.0)
            >>> History((epoch,), kept=1, stopped_early=False).to_frame().loc[0, "loss"]
            np.float64(2.3)
        """
        frame = pd.DataFrame([asdict(epoch) for epoch in self.epochs], columns=[field.name for field in fields(Epoch)])
        return frame.astype({"validation_loss": float, "validation_accuracy": float})

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON holds it."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "kept": self.kept,
            "stopped_early": self.stopped_early,
        }


def fit(
    model: nn.Module,
    train: "Clips",
    *,
    recipe: Recipe,
    validation: "Clips | None" = None,
    out: Path | None = None,
    seed: int = 0,
    progress: bool = True,
    accelerator: str = "auto",
    devices: int = 1,
    save_every: float = 300.0,
) -> History:
    r"""Trains a classifier by a recipe: minimises the mean cross-entropy of its logits.

    Each epoch goes through all samples in a new order, in ceil(n / batch) batches whose sizes differ by at most one.
    The model changes in place; afterwards it is in eval mode and has `recipe` and `class_names`, as a loaded one has.

    With `devices` > 1 as many processes are spawned (a script then needs ``if __name__ == "__main__":``). Each
    takes an equal share of every batch, their gradients are averaged, and batch statistics are per process.

    Args:
        model: takes ``x [B, M, T, N, C]`` and ``valid [B, M, T]``, gives logits ``[B, K]``.
        train: the training samples. They are given as the recipe samples them, whatever the view says.
        recipe: of a model card, such as ``model_card("stgcn10").recipe("small")``.
        validation: for early stopping and for selecting the best epoch. Never the test split.
        out: folder for `training.safetensors`, which a later call with the same arguments goes on from; none: nothing
            is kept.
        seed: of order, augmentation and dropout; at least 0. The weights at the start are the caller's.
        progress: show a bar where standard error is a terminal. One line per epoch goes to the log either way.
        accelerator: of Lightning Fabric: ``"auto"``, ``"cpu"``, ``"cuda"``.
        devices: how many processes train, each on its own device (a CPU counts as any number).
        save_every: seconds between checkpoints within an epoch; there is one after each epoch anyway.

    Returns:
        What each epoch gave, and which epoch's weights the model has.

    Raises:
        InputError: where a split is empty, labels are out of range, classes or nodes are not the model's, the recipe
            wants a validation part that was not given, or `out` holds the checkpoint of another training.
        DataError: where the loss becomes NaN or infinite, or the checkpoint is broken.
    """
    job = _checked(model, train, recipe, validation, out, seed, progress, devices, save_every)
    # Fabric takes seconds to import.
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator=accelerator, devices=devices, strategy="auto" if devices == 1 else "ddp_spawn")
    if devices == 1:
        device = next(model.parameters()).device
        state = train_all(fabric, job)
        model.to(device)
    else:
        # The weights come back by the checkpoint: it outlives the processes that wrote it.
        with tempfile.TemporaryDirectory() as folder:
            path = job.path or Path(folder) / CHECKPOINT
            fabric.launch(Spawned(replace(job, path=path)))
            state = load_state(path, model, make_optimizer(recipe, model.parameters()), job.fingerprint)
    kept = selected(model, state, recipe)
    model.eval()
    model.recipe = recipe  # type: ignore[assignment]
    model.class_names = list(train.classes)  # type: ignore[assignment]
    return History(tuple(state.epochs), kept, state.stopped)


def _checked(
    model: nn.Module,
    train: "Clips",
    recipe: Recipe,
    validation: "Clips | None",
    out: Path | None,
    seed: int,
    progress: bool,
    devices: int,
    save_every: float,
) -> Job:
    check_classes(model, train, "train")
    train = train.with_recipe(recipe)
    if validation is not None:
        check_classes(model, validation, "validation")
        validation = validation.with_recipe(recipe)
        if list(validation.classes) != list(train.classes):
            raise InputError("validation has other classes than train. Take both from one dataset and protocol.")
        if shared := set(validation.ids) & set(train.ids):
            raise InputError(
                f"validation shares {len(shared)} samples with train, such as {min(shared)!r}. "
                "Take them from two splits of one protocol."
            )
    elif recipe.patience is not None or recipe.select == "best":
        asks = "patience" if recipe.patience is not None else 'select = "best"'
        raise InputError(f"the recipe asks for {asks}, which needs a validation part. Give `validation`.")
    if seed < 0 or devices < 1:
        raise InputError(f"seed is {seed} and devices is {devices}; wanted at least 0 and 1.")
    if recipe.batch % devices:
        raise InputError(f"a batch of {recipe.batch} cannot be shared equally by {devices} devices.")
    fingerprint = {
        "recipe": recipe.model_dump(mode="json"),
        "seed": int(seed),
        "devices": int(devices),
        "model": _described(model),
        "train": _samples(train),
        "validation": None if validation is None else _samples(validation),
    }
    path = None if out is None else Path(out) / CHECKPOINT
    return Job(model, train, validation, recipe, path, int(seed), progress, save_every, fingerprint)


def _described(model: nn.Module) -> dict[str, Any]:
    tensors = [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in model.state_dict().items()]
    graph = getattr(model, "graph", None)
    return {
        "class": type(model).__qualname__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tensors": hashlib.sha256(repr(tensors).encode()).hexdigest(),
        "graph": str(getattr(graph, "hash", None)),
    }


def _samples(clips: "Clips") -> dict[str, Any]:
    labelled = "\n".join(f"{name}\t{label}" for name, label in zip(clips.ids, clips.labels, strict=True))
    ids = hashlib.sha256(labelled.encode()).hexdigest()
    return {"card": getattr(clips.card, "name", None), "count": len(clips), "ids": ids}
