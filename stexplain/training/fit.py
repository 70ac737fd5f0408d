"""Training by a recipe, with checkpoints from which a killed run resumes.

Everything random is a function of (seed, epoch, step): the order of the samples, their augmentation, dropout. So a
checkpoint needs no generator state, and a run that was killed at any step ends with the same weights, bit by bit, as
one that was not (on the same machine with the same number of threads and processes).
"""

import atexit
import hashlib
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import nn

from stexplain.cards import Recipe
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.nn.normalisation import ChannelNorm
from stexplain.reading.contents import reason_of
from stexplain.result import Charted
from stexplain.training.loop import Job, Spawned, leave, selected, train_all
from stexplain.training.schedules import make_optimizer
from stexplain.training.state import Epoch, load_state
from stexplain.training.tasks import Classification, Forecasting, task_of
from stexplain.wording import an, counted

if TYPE_CHECKING:
    from stexplain.data.clips import Clips
    from stexplain.data.series import WindowedSeries

CHECKPOINT = "training.safetensors"


@checked
@dataclass(frozen=True, repr=False)
class History(Charted):
    """The history of a training, epoch by epoch.

    Attributes:
        epochs: in order.
        selected_epoch: the epoch (from 1) whose weights the model now has.
        stopped_early: whether `patience` ended the training before the recipe's last epoch.

    Example:
        >>> epochs = [Epoch(n, 1 / n, None, 1 / n, None, 0.1, 7.5, 128.0) for n in (1, 2)]
        >>> history = History(tuple(epochs), selected_epoch=2, stopped_early=False)
        >>> history.to_frame()["loss"].tolist()
        [1.0, 0.5]
    """

    epochs: tuple[Epoch, ...]
    selected_epoch: int
    stopped_early: bool

    def __repr__(self) -> str:
        last = self.epochs[self.selected_epoch - 1] if self.epochs else None
        rate = "" if last is None else f", training loss {last.loss:.3g}"
        right = "" if last is None or last.accuracy is None else f", training accuracy {last.accuracy:.2f}"
        return f"<History of {counted(len(self.epochs), 'epoch')}{rate}{right}; to_frame() has all>"

    def to_frame(self) -> pd.DataFrame:
        """One row per epoch, with the fields of `Epoch` as columns; NaN for values that were not measured.

        Example:
            >>> epoch = Epoch(1, 2.3, 0.1, None, None, 0.1, 7.5, 128.0)
            >>> History((epoch,), selected_epoch=1, stopped_early=False).to_frame().loc[0, "loss"]
            np.float64(2.3)
        """
        # A column that is None throughout would be of objects: as floats, None becomes NaN.
        frame = pd.DataFrame([asdict(epoch) for epoch in self.epochs], columns=[field.name for field in fields(Epoch)])
        return frame.astype({"accuracy": float, "validation_loss": float, "validation_accuracy": float})

    _CHART = "history"

    def _drawn_with(self) -> dict[str, Any]:
        return {"selected_epoch": self.selected_epoch}

    def to_dict(self) -> dict[str, Any]:
        """The history in JSON's own types."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "selected_epoch": self.selected_epoch,
            "stopped_early": self.stopped_early,
        }


@checked
def fit(
    model: nn.Module,
    train: "Clips | WindowedSeries",
    *,
    recipe: Recipe | None = None,
    validation: "Clips | WindowedSeries | None" = None,
    out: Path | None = None,
    seed: int = 0,
    progress: bool = True,
    accelerator: str = "auto",
    devices: int = 1,
    save_every: float = 300.0,
    share_statistics: bool = False,
) -> History:
    r"""Trains a model by a recipe: a classifier on clips, a forecaster on a series.

    A classifier minimises the mean cross-entropy of its logits. A forecaster minimises the masked mean absolute error,

        sum of |forecast - target| over observed targets / their number,

    over all horizons and nodes of a batch, in the unit of the target; missing targets do not count.

    Each epoch goes through all samples in a new order, in ceil(n / batch) batches whose sizes differ by at most one.
    The model is trained in place; afterwards it is in eval mode and has `recipe` (and a classifier `class_names`), like
    a loaded model. A forecaster whose scaler is not set gets that of the training split first. What was frozen stays
    so: parameters without `requires_grad`, and modules that were put in eval mode, such as batch norms. Of a model that
    is in eval mode as a whole, as a loaded one is, these are the modules in which nothing requires a gradient.

    With `devices` > 1, one process per device is spawned (a script then needs ``if __name__ == "__main__":``). Under
    ``torchrun`` the processes that it started train together, on one machine or several (a process group that this call
    made is ended as the process ends). Each takes a share of every batch, whose sizes differ by at most one, so that
    every sample is used once; the gradient is that of the mean over the whole batch. Batch statistics are per process,
    or over all shares with `share_statistics`.

    Args:
        model: takes ``x [B, M, T, N, C]`` and ``valid [B, M, T]``, gives logits ``[B, K]``; or a forecaster, which
            takes x, and `valid` and `observed` where its forward has parameters of these names, and gives
            ``[B, H, N]`` in the unit of the target (other layouts: its `inputs` and `outputs`).
        train: the training samples. Clips are preprocessed by the recipe, whatever recipe they had.
        recipe: of a model card, such as ``model_card("stgcn10").recipe("small")``; default: the model's own, as of
            ``load_model("stgcn2", recipe="quick", ...)``.
        validation: for early stopping and for selecting the best epoch (by accuracy, or by the error). Never the test
            split.
        out: folder for `training.safetensors`, from which a later call with the same arguments resumes; none: no
            checkpoint is written.
        seed: of order, augmentation and dropout; at least 0. The initial weights are the caller's.
        progress: show the progress on standard error: a bar on a terminal, else a line now and then. One line per
            epoch goes to the log either way.
        accelerator: of Lightning Fabric: ``"auto"``, ``"cpu"``, ``"cuda"``.
        devices: how many processes train, each on its own device (a CPU counts as any number). Under ``torchrun``,
            which sets it, leave it out.
        save_every: seconds between checkpoints within an epoch; there is one after each epoch anyway.
        share_statistics: where several processes train, whether batch statistics are over the whole batch, as with one
            process. Each forward pass then waits for all. For the networks of this package; give others through
            ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``.

    Returns:
        The history, with the epoch whose weights the model has.

    Raises:
        InputError: if a split is empty, labels are out of range, classes, nodes or sizes are not the model's, the
            recipe needs a validation split that was not given, nothing of the model requires a gradient, or `out` holds
            the checkpoint of another training.
        DataError: if the loss becomes NaN or infinite, no target is observed, or the checkpoint is broken.

    Example:
        >>> import numpy as np
        >>> from stexplain.cards import model_card
        >>> from stexplain.data import Clips
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn import STGCN
        >>> chain = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> x = np.random.default_rng(0).normal(size=(8, 1, 12, 3, 3)).astype("f4")
        >>> clips = Clips.from_arrays(x, labels=[0, 1] * 4, classes=["sit", "stand"], graph=chain)
        >>> recipe = model_card("stgcn2").recipe("quick").model_copy(update={"epochs": 1, "frames": 12})
        >>> model = STGCN(chain, classes=2, channels=[4], strides=[1])
        >>> len(fit(model, clips, recipe=recipe, progress=False).epochs)
        1
    """
    recipe = recipe or getattr(model, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise InputError(
            "recipe: got none, and the model has none; expected how to train, such as "
            "stexplain.cards.model_card('stgcn2').recipe('quick'). Or load the model with its own: "
            "load_model('stgcn2', recipe='quick', ...)."
        )
    launched = torch.distributed.is_torchelastic_launched()
    processes = _processes_of_torchrun(devices) if launched else devices
    job = _checked_job(model, train, recipe, validation, out, seed, progress, processes, save_every, share_statistics)
    # Imported here, because Fabric takes seconds to import.
    from lightning_fabric import Fabric

    try:
        if launched:
            local = int(os.environ["LOCAL_WORLD_SIZE"])
            fabric = Fabric(accelerator=accelerator, devices=local, num_nodes=processes // local, strategy="ddp")
        else:
            fabric = Fabric(accelerator=accelerator, devices=devices, strategy="auto" if devices == 1 else "ddp_spawn")
    except ValueError as error:
        raise InputError(f"accelerator: got {accelerator!r}, devices: got {devices!r}: {reason_of(error)}.") from error
    joins = launched and not torch.distributed.is_initialized()
    if launched:
        fabric.launch()
    if launched or devices == 1:
        # Fabric moves the model to its device; the caller gets it back where it was.
        device = next(model.parameters()).device
        state = train_all(fabric, job)
        model.to(device)
        if joins:
            # A process that ends while its group's threads still run may abort ("terminate called without an active
            # exception"). Not before: a second training of the script could not find the others again.
            fabric.barrier()
            atexit.register(leave)
    else:
        # The weights return through the checkpoint, because the spawned processes train copies of the model.
        with tempfile.TemporaryDirectory() as folder:
            path = job.path or Path(folder) / CHECKPOINT
            fabric.launch(Spawned(replace(job, path=path)))
            # The optimizer only receives its part of the file, and is dropped: training is over.
            state = load_state(path, model, make_optimizer(recipe, model.parameters()), job.fingerprint)
    selected_epoch = selected(model, state, recipe)
    model.eval()
    # Explainers and evaluation preprocess raw samples by the recipe that they find on the model.
    model.recipe = recipe  # type: ignore[assignment]  # torch types a module's attributes as Tensor or Module
    if isinstance(job.task, Classification):
        model.class_names = list(job.task.train.classes)  # type: ignore[assignment]  # torch types a module's attributes as Tensor or Module
    return History(tuple(state.epochs), selected_epoch, state.stopped)


def _checked_job(
    model: nn.Module,
    train: "Clips | WindowedSeries",
    recipe: Recipe,
    validation: "Clips | WindowedSeries | None",
    out: Path | None,
    seed: int,
    progress: bool,
    devices: int,
    save_every: float,
    share_statistics: bool,
) -> Job:
    task = task_of(model, train, validation, recipe)
    if validation is None and (recipe.patience is not None or recipe.select == "best"):
        option = "patience" if recipe.patience is not None else 'select = "best"'
        raise InputError(f"validation: got None; expected a split, because the recipe has {option}. Give `validation`.")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "model: got no parameter that requires a gradient; expected some to train. "
            "model.requires_grad_() lets all of them be trained."
        )
    if seed < 0 or devices < 1:
        raise InputError(f"seed, devices: got {seed} and {devices}; expected at least 0 and 1.")
    # The smallest batch of an epoch: a process without a sample would have no gradient, and no batch statistics.
    smallest = len(task) // -(-len(task) // recipe.batch)
    if devices > smallest:
        raise InputError(
            f"devices: got {devices} processes for batches of {counted(smallest, 'sample')}; expected at most "
            "one process per "
            "sample of a batch. Train with fewer, or with larger batches."
        )
    if share_statistics:
        _check_norms(model)
    # Before the fingerprint: the scaler's buffers are part of the model.
    if isinstance(task, Forecasting):
        task.set_scaler(model)
    fingerprint = {
        "recipe": recipe.model_dump(mode="json"),
        "seed": int(seed),
        "devices": int(devices),
        # Only where it is requested: checkpoints of older versions go on.
        **({"share_statistics": True} if share_statistics else {}),
        "model": _model_fingerprint(model),
        **task.fingerprint(),
    }
    path = None if out is None else Path(out) / CHECKPOINT
    return Job(model, task, recipe, path, int(seed), progress, save_every, fingerprint, share_statistics)


def _processes_of_torchrun(devices: int) -> int:
    """How many processes torchrun started, on all machines."""
    processes = int(os.environ["WORLD_SIZE"])
    if devices not in (1, processes):
        raise InputError(
            f"devices: got {devices}; expected none, as torchrun started {processes} processes. Leave `devices` out."
        )
    return processes


def _check_norms(model: nn.Module) -> None:
    """Refuses a model with batch normalisation whose statistics cannot be shared."""
    for name, module in model.named_modules():
        known = isinstance(module, ChannelNorm | nn.SyncBatchNorm)
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not known:
            raise InputError(
                f"share_statistics: got a model whose {name!r} is {an(type(module).__name__)}; expected the batch "
                "normalisation of this package's networks. On CUDA, give "
                "torch.nn.SyncBatchNorm.convert_sync_batchnorm(model); else leave share_statistics out."
            )


def _model_fingerprint(model: nn.Module) -> dict[str, Any]:
    """Class, size, tensor shapes and graph of the model, as JSON; not its weights, which training changes."""
    # As one hash: a line for each tensor would fill the message about a difference.
    tensors = [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in model.state_dict().items()]
    graph = getattr(model, "graph", None)
    return {
        "class": type(model).__qualname__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tensors": hashlib.sha256(repr(tensors).encode()).hexdigest(),
        "graph": str(getattr(graph, "hash", None)),
    }
