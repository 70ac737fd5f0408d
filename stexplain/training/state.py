"""The state of a training as one checkpoint file, from which a killed training resumes.

The file is safetensors: model and optimizer tensors by name, the rest as JSON in its header. It is one file, because
renaming one file is atomic, unlike two files or a folder. Reading it executes nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stexplain.checking import checked
from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write
from stexplain.reading import readable, regular_file
from stexplain.reading.shape import check_shape

# Counts up when the layout of the file changes, so that an older file is refused and not misread.
FORMAT = 3
Tensors = dict[str, torch.Tensor]


@checked
@dataclass(frozen=True)
class Epoch:
    """The results of an epoch.

    Attributes:
        epoch: from 1.
        loss: mean cross-entropy over the training samples, in nats, as seen while training; for forecasts, the mean
            absolute error over the observed targets, in their unit.
        accuracy: share of training samples classified correctly while training, with augmentation and dropout, in
            [0, 1]; none for forecasts.
        validation_loss: the same as `loss`, over the validation samples after the epoch; none without them.
        validation_accuracy: share of them classified correctly, in [0, 1]; none for forecasts.
        rate: the learning rate of the last step.
        seconds: of wall time, validation included.
        samples_per_second: training samples by wall time, without validation.

    Example:
        >>> last = Epoch(2, 0.25, 0.9, 0.5, 0.75, rate=0.1, seconds=7.5, samples_per_second=128.0)
        >>> f"epoch {last.epoch}: {last.validation_accuracy:.0%} of the validation samples"
        'epoch 2: 75% of the validation samples'
    """

    epoch: int
    loss: float
    accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    rate: float
    seconds: float
    samples_per_second: float


@dataclass
class TrainingState:
    """The state of a training.

    Attributes:
        epochs: the finished ones.
        step: finished steps of the running epoch.
        loss: sum of the loss over the running epoch's samples, or observed targets.
        count: how many these are.
        correct: how many samples were classified correctly; none for forecasts.
        samples: how many samples were trained on.
        seconds: wall time of the running epoch so far.
        best: the epoch (from 1) that is the best on validation, the earliest of equals; none without validation.
        stopped: whether training stopped early.
        best_weights: the model's tensors after the best epoch, if the recipe selects it.
    """

    epochs: list[Epoch] = field(default_factory=list)
    step: int = 0
    loss: float = 0.0
    count: int = 0
    correct: int | None = None
    samples: int = 0
    seconds: float = 0.0
    best: int | None = None
    stopped: bool = False
    best_weights: Tensors | None = None

    @property
    def mean_loss(self) -> float:
        """Mean loss of the running epoch; zero before its first step."""
        return self.loss / max(self.count, 1)

    @property
    def accuracy(self) -> float | None:
        """Accuracy of the running epoch; none for forecasts."""
        return None if self.correct is None else self.correct / max(self.samples, 1)

    def finish_epoch(self, epoch: Epoch, patience: int | None, score: Callable[[Epoch], float | None]) -> bool:
        """Closes the running epoch, and returns whether it is the best on validation so far.

        Args:
            epoch: its results.
            patience: stop after so many epochs in a row without a better one; none: never.
            score: how good an epoch is on validation, the higher the better; none without validation.
        """
        self.epochs.append(epoch)
        self.step, self.loss, self.count, self.correct, self.samples, self.seconds = 0, 0.0, 0, None, 0, 0.0
        value = score(epoch)
        if value is None:
            return False
        best = None if self.best is None else score(self.epochs[self.best - 1])
        # Strictly better: of equal epochs the earliest is the best.
        if best is None or value > best:
            self.best = epoch.epoch
            return True
        self.stopped = patience is not None and self.best is not None and epoch.epoch - self.best >= patience
        return False


def save_state(
    path: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    fingerprint: Mapping[str, Any],
) -> None:
    """Writes the state of a training: to a temporary file, which is then renamed.

    Args:
        path: of the file.
        state: of the training.
        model: its parameters and buffers are saved.
        optimizer: its state tensors are saved; its learning rate is a function of the step and is not saved.
        fingerprint: what distinguishes the training from others, as JSON.

    Raises:
        DataError: if the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in (state.best_weights or {}).items()}
    # Optimizers number the parameters; a buffer that is not in use may be None, which the format cannot hold.
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    numbers = {name: value for name, value in vars(state).items() if name not in ("epochs", "best_weights")}
    header = {
        "format": FORMAT,
        "fingerprint": dict(fingerprint),
        "state": {**numbers, "epochs": [asdict(epoch) for epoch in state.epochs]},
    }
    with atomic_write(path) as temporary:
        # Not `save_file`, whose error for a full disk is none of the system's.
        temporary.write_bytes(save(_plain(tensors), {"stexplain.training": json.dumps(header, allow_nan=False)}))


def load_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: Mapping[str, Any]
) -> TrainingState:
    """Reads a checkpoint into the model and the optimizer, and returns the state of the training.

    Raises:
        DataError: if the file is broken.
        InputError: if it is of another training; names each difference.
    """
    from safetensors import safe_open

    remedy = "Remove it to start over."
    with (
        readable(path, "a complete training checkpoint", remedy),
        safe_open(regular_file(path), framework="pt") as file,
    ):
        header = json.loads((file.metadata() or {}).get("stexplain.training", "{}"))
        tensors: Tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    check_shape(path, header, dict[str, Any], remedy)
    if header.get("format") != FORMAT:
        raise DataError(f"{path}: got training checkpoint format {header.get('format')}; expected {FORMAT}. {remedy}")
    differences = list(_differences("", header["fingerprint"], fingerprint))
    if differences:
        raise InputError(
            f"{path} is the checkpoint of another training: "
            + "; ".join(f"{key} is {saved} there, {now} here" for key, saved, now in differences)
            + ". Give another folder as `out`, or remove the file to start over."
        )
    # After all checks: a file that is refused changes nothing.
    model.load_state_dict(_under("model.", tensors))
    _load_optimizer(optimizer, _under("optimizer.", tensors))
    numbers = header["state"]
    epochs = [Epoch(**epoch) for epoch in numbers.pop("epochs")]
    return TrainingState(**numbers, epochs=epochs, best_weights=_under("best.", tensors) or None)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Restores an optimizer's state in the memory layout of its parameters, as its own steps would have left it."""
    fresh = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, Tensors] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        # Another memory layout would change the order of sums, and so the last bits of the weights.
        # Counters of steps have another shape, and no layout to follow.
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        state.setdefault(int(index), {})[name] = tensor
    # Rates and options come from the recipe, which the fingerprint holds equal.
    optimizer.load_state_dict({"state": state, "param_groups": fresh["param_groups"]})


def _plain(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Contiguous copies of the tensors, because safetensors refuses shared and strided memory."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }


def _under(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _differences(key: str, saved: Any, now: Any) -> list[tuple[str, Any, Any]]:
    """The differences of two nested JSON values, as (key, saved, now)."""
    if isinstance(saved, Mapping) and isinstance(now, Mapping):
        # dict.fromkeys keeps the order of the keys, where a set would not.
        names = list(dict.fromkeys([*saved, *now]))
        return [
            difference
            for name in names
            for difference in _differences(
                f"{key}.{name}" if key else name, saved.get(name, "missing"), now.get(name, "missing")
            )
        ]
    return [] if saved == now else [(key, repr(saved), repr(now))]
