"""What is trained for: classes by cross-entropy, or forecasts by their absolute error. The loop is the same."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from stexplain.data.samples import Batch
from stexplain.data.scaler import Scaler
from stexplain.errors import DataError, InputError
from stexplain.training.evaluate import answers, check_classes, check_logits
from stexplain.training.forecaster_call import ForecasterCall, check_series
from stexplain.training.state import Epoch

if TYPE_CHECKING:
    from stexplain.cards import Recipe
    from stexplain.data.clips import Clips
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Step:
    """What a batch gave.

    Attributes:
        loss: the mean over what counts, to be differentiated.
        count: how much counts, a number as a tensor: samples, or observed targets.
        right: how many samples were right; none where that means nothing.
    """

    loss: torch.Tensor
    count: torch.Tensor
    right: torch.Tensor | None


class Measured(NamedTuple):
    """What the validation part gave: mean loss, and the share that was right, where that means something."""

    loss: float
    accuracy: float | None


class Task(Protocol):
    """What a training loop asks of what it trains for."""

    def __len__(self) -> int:
        """How many training samples there are."""
        ...

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> Batch:
        """Training samples, with random changes."""
        ...

    def step(self, model: nn.Module, batch: Any) -> Step:
        """Asks the model about a batch."""
        ...

    def validate(self, model: nn.Module) -> Measured | None:
        """Measures on the validation part, where there is one, in eval mode."""
        ...

    def score(self, epoch: Epoch) -> float | None:
        """How good an epoch is on validation; the higher, the better."""
        ...

    def words(self, loss: float, accuracy: float | None, validation: Measured | None = None) -> list[str]:
        """These numbers in words, for a person who watches."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """What tells this data from other, as JSON."""
        ...


class Classification:
    """Classes, by mean cross-entropy; the better epoch has the higher accuracy.

    Args:
        model: to be trained.
        train: the training samples; given as the recipe samples them.
        validation: likewise, or none.
        recipe: of the training.

    Raises:
        InputError: where a part is empty, classes do not fit, or the parts share samples.
    """

    def __init__(self, model: nn.Module, train: "Clips", validation: "Clips | None", recipe: "Recipe"):
        check_classes(model, train, "train")
        self.train = train.with_recipe(recipe)
        self.validation: Clips | None = None
        if validation is not None:
            check_classes(model, validation, "validation")
            self.validation = validation.with_recipe(recipe)
            if list(validation.classes) != list(train.classes):
                raise InputError("validation has other classes than train. Take both from one dataset and protocol.")
            if shared := set(validation.ids) & set(train.ids):
                raise InputError(
                    f"validation shares {len(shared)} samples with train, such as {min(shared)!r}. "
                    "Take them from two splits of one protocol."
                )

    def __len__(self) -> int:
        return len(self.train)

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> Batch:
        """Training samples, augmented as the recipe says."""
        return self.train.batch(indices, generator)

    def step(self, model: nn.Module, batch: Batch) -> Step:
        """Mean cross-entropy, and how many were right."""
        logits = model(batch.x, batch.valid)
        check_logits(logits, len(batch), self.train.classes)
        right = (logits.detach().argmax(1) == batch.label).sum()
        return Step(cross_entropy(logits, batch.label), torch.full_like(right, len(batch)), right)

    def validate(self, model: nn.Module) -> Measured | None:
        """Mean cross-entropy and accuracy."""
        if self.validation is None:
            return None
        logits = answers(model, self.validation, VALIDATION_BATCH)
        labels = torch.as_tensor(np.asarray(self.validation.labels, dtype=np.int64))
        return Measured(float(cross_entropy(logits, labels)), float((logits.argmax(1) == labels).double().mean()))

    def score(self, epoch: Epoch) -> float | None:
        """The accuracy on validation."""
        return epoch.validation_accuracy

    def words(self, loss: float, accuracy: float | None, validation: Measured | None = None) -> list[str]:
        """Loss and accuracy, and accuracy on validation."""
        said = [f"loss {loss:.4f}", f"accuracy {accuracy:.3f}"]
        return said if validation is None else [*said, f"validation {validation.accuracy:.3f}"]

    def fingerprint(self) -> dict[str, Any]:
        """Names and labels of the samples."""
        return {
            name: None if part is None else _samples(part)
            for name, part in (("train", self.train), ("validation", self.validation))
        }


class Forecasting:
    """Forecasts, by their mean absolute error over observed targets; the better epoch has the lower one.

    Args:
        model: to be trained.
        train: the training part.
        validation: a later part, or none.
        recipe: of the training.

    Raises:
        InputError: where a part is empty, does not fit the model, the parts share frames, or the recipe is for clips.
    """

    def __init__(
        self, model: nn.Module, train: "WindowedSeries", validation: "WindowedSeries | None", recipe: "Recipe"
    ):
        if recipe.frames is not None:
            raise InputError(
                f"this recipe ({recipe.summary}) samples clips, {recipe.frames} frames each, and a series came. Take a "
                "recipe without `frames` and `sampling`, of a model for forecasts."
            )
        check_series(model, train, "train")
        if validation is not None:
            check_series(model, validation, "validation")
            _check_apart(train, validation)
        self.train, self.validation = train, validation
        self.asking = ForecasterCall.of(model)

    def __len__(self) -> int:
        return len(self.train)

    def set_scaler(self, model: nn.Module) -> None:
        """Gives a model that can be told a scaler, and has none yet, that of the training part."""
        if getattr(model, "scaler", self) is None and callable(tell := getattr(model, "set_scaler", None)):
            tell(Scaler.fit(self.train))

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> "WindowBatch":
        """Training windows; nothing about them is random."""
        return self.train.batch(indices)

    def step(self, model: nn.Module, batch: "WindowBatch") -> Step:
        """Mean absolute error over the observed targets."""
        total, count = _absolute(self.asking(model, batch), batch)
        return Step(total / count.clamp(min=1), count, None)

    def validate(self, model: nn.Module) -> Measured | None:
        """Mean absolute error over the observed targets of the whole part."""
        if self.validation is None:
            return None
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        total = count = 0.0
        was_training = model.training
        model.eval()
        try:
            with torch.inference_mode():
                for batch in self.validation.batches(VALIDATION_BATCH):
                    moved = batch.to(device)
                    sums = _absolute(self.asking(model, moved).double(), moved)
                    total, count = total + float(sums[0]), count + float(sums[1])
        finally:
            model.train(was_training)
        if not count:
            raise DataError("the validation part holds no observed target. Is `missing` right, or the split?")
        return Measured(total / count, None)

    def score(self, epoch: Epoch) -> float | None:
        """The error on validation, negative."""
        return None if epoch.validation_loss is None else -epoch.validation_loss

    def words(self, loss: float, accuracy: float | None, validation: Measured | None = None) -> list[str]:
        """The error, and that on validation, in the target's unit."""
        said = [f"MAE {loss:.3f} {self.train.unit}"]
        return said if validation is None else [*said, f"validation {validation.loss:.3f} {self.train.unit}"]

    def fingerprint(self) -> dict[str, Any]:
        """Sizes of the parts, and what their first and last windows hold."""
        return {
            name: None if part is None else _windows(part)
            for name, part in (("train", self.train), ("validation", self.validation))
        }


def _absolute(forecast: torch.Tensor, batch: "WindowBatch") -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of absolute errors over the observed targets, and how many these are."""
    error = (forecast - batch.y).abs().masked_fill(~batch.y_observed, 0.0)
    return error.sum(), batch.y_observed.sum()


def _check_apart(train: "WindowedSeries", validation: "WindowedSeries") -> None:
    """Refuses parts of one series that share frames."""
    if train._source is not validation._source:
        return
    shared = np.intersect1d(train.covered, validation.covered)
    if shared.size:
        raise InputError(f"validation shares {shared.size} frames with train. Take both from `WindowedSeries.split`.")


def _samples(clips: "Clips") -> dict[str, Any]:
    labelled = "\n".join(f"{name}\t{label}" for name, label in zip(clips.ids, clips.labels, strict=True))
    return {"card": getattr(clips.card, "name", None), "count": len(clips), "ids": _hash(labelled.encode())}


def _windows(series: "WindowedSeries") -> dict[str, Any]:
    ends = series.batch([0, len(series) - 1])
    return {
        "count": len(series),
        "window": series.window,
        "horizon": series.horizon,
        "starts": _hash(series.starts.tobytes()),
        "channels": list(series.channels),
        "readings": _hash(*(part.numpy().tobytes() for part in (ends.x, ends.y, ends.observed, ends.y_observed))),
    }


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def task_of(
    model: nn.Module, train: "Clips | WindowedSeries", validation: "Clips | WindowedSeries | None", recipe: "Recipe"
) -> "Classification | Forecasting":
    """What to train for on this data: a series is forecast, clips are told apart.

    Raises:
        InputError: where the parts are of two kinds, or do not fit the model.
    """
    from stexplain.data.series import WindowedSeries

    if isinstance(train, WindowedSeries):
        if validation is not None and not isinstance(validation, WindowedSeries):
            raise InputError(f"train is a series and validation a {type(validation).__name__}; wanted a series.")
        return Forecasting(model, train, validation, recipe)
    if isinstance(validation, WindowedSeries):
        raise InputError(f"validation is a series and train a {type(train).__name__}; wanted two of one kind.")
    return Classification(model, train, validation, recipe)
