"""Training tasks: classification by cross-entropy, forecasting by absolute error. The training loop is the same."""

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
from stexplain.training.evaluate import check_classes, check_logits, eval_mode, predict_logits
from stexplain.training.forecaster_call import ForecasterCall, check_series
from stexplain.training.state import Epoch
from stexplain.wording import an, counted

if TYPE_CHECKING:
    from stexplain.cards import Recipe
    from stexplain.data.clips import Clips
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

# Samples at a time in validation, which keeps no gradients; this bounds memory and changes no number beyond rounding.
VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Step:
    """The result of a training step.

    Attributes:
        loss: the mean over samples, or observed targets, to be differentiated.
        count: how many these are, a number as a tensor.
        correct: how many samples were classified correctly; none for forecasts.
    """

    loss: torch.Tensor
    count: torch.Tensor
    correct: torch.Tensor | None


class Validation(NamedTuple):
    """The result on the validation split: mean loss, and the accuracy of a classifier."""

    loss: float
    accuracy: float | None


class Task(Protocol):
    """The data, loss and validation of a training, as the training loop uses them."""

    def __len__(self) -> int:
        """The number of training samples."""
        ...

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> Batch:
        """Training samples, augmented."""
        ...

    def step(self, model: nn.Module, batch: Any) -> Step:
        """The loss of the model on a batch."""
        ...

    def validate(self, model: nn.Module) -> Validation | None:
        """Evaluates on the validation split, if there is one, in eval mode."""
        ...

    def score(self, epoch: Epoch) -> float | None:
        """The validation score of an epoch; higher is better."""
        ...

    def summary(self, loss: float, accuracy: float | None, validation: Validation | None = None) -> list[str]:
        """These numbers as text, for the progress bar and the log."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """The identity of the data, as JSON: a checkpoint of a training on other data is refused."""
        ...


class Classification:
    """Classification by mean cross-entropy; the better epoch has the higher accuracy.

    Args:
        model: to be trained.
        train: the training split, preprocessed by the recipe.
        validation: the validation split, or none.
        recipe: of the training.

    Raises:
        InputError: if a split is empty, classes do not fit, or the splits share samples.
    """

    def __init__(self, model: nn.Module, train: "Clips", validation: "Clips | None", recipe: "Recipe"):
        check_classes(model, train, "train")
        self.train = train.with_recipe(recipe)
        self.validation: Clips | None = None
        if validation is not None:
            check_classes(model, validation, "validation")
            self.validation = validation.with_recipe(recipe)
            # In the same order too: a label is an index into the classes.
            if list(validation.classes) != list(train.classes):
                raise InputError(
                    "validation: got other classes than train; expected the same. Take both from one dataset and "
                    "protocol."
                )
            # Accuracy on samples that were trained on would select the epoch that overfits most.
            if shared := set(validation.ids) & set(train.ids):
                raise InputError(
                    f"validation: got {counted(len(shared), 'sample')} of train, such as {min(shared)!r}; "
                    "expected none. Take two "
                    "splits of one protocol."
                )

    def __len__(self) -> int:
        return len(self.train)

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> Batch:
        """Training samples, augmented as the recipe says."""
        return self.train.batch(indices, generator)

    def step(self, model: nn.Module, batch: Batch) -> Step:
        """Mean cross-entropy, and the number of correct predictions."""
        logits = model(batch.x, batch.valid)
        # Before the loss: cross_entropy would broadcast or fail without saying what is wrong.
        check_logits(logits, len(batch), self.train.classes)
        correct = (logits.detach().argmax(1) == batch.label).sum()
        # The count as a tensor: the loop sums it over processes in one call with the others.
        return Step(cross_entropy(logits, batch.label), torch.full_like(correct, len(batch)), correct)

    def validate(self, model: nn.Module) -> Validation | None:
        """Mean cross-entropy and accuracy."""
        if self.validation is None:
            return None
        logits = predict_logits(model, self.validation, VALIDATION_BATCH)
        labels = torch.as_tensor(np.asarray(self.validation.labels, dtype=np.int64))
        return Validation(float(cross_entropy(logits, labels)), float((logits.argmax(1) == labels).double().mean()))

    def score(self, epoch: Epoch) -> float | None:
        """The accuracy on validation."""
        return epoch.validation_accuracy

    def summary(self, loss: float, accuracy: float | None, validation: Validation | None = None) -> list[str]:
        """Loss and accuracy, and validation accuracy."""
        parts = [f"loss {loss:.4f}", f"accuracy {accuracy:.3f}"]
        return parts if validation is None else [*parts, f"validation {validation.accuracy:.3f}"]

    def fingerprint(self) -> dict[str, Any]:
        """Names and labels of the samples."""
        return {
            name: None if part is None else _samples(part)
            for name, part in (("train", self.train), ("validation", self.validation))
        }


class Forecasting:
    """Forecasting by mean absolute error over observed targets; the better epoch has the lower error.

    Args:
        model: to be trained.
        train: the training split.
        validation: a later split, or none.
        recipe: of the training.

    Raises:
        InputError: if a split is empty or does not fit the model, the splits share frames, or the recipe is for clips.
    """

    def __init__(
        self, model: nn.Module, train: "WindowedSeries", validation: "WindowedSeries | None", recipe: "Recipe"
    ):
        if recipe.frames is not None:
            raise InputError(
                f"recipe: got one that samples clips of {recipe.frames} frames ({recipe.summary}) for a series; "
                "expected a recipe without `frames` and `sampling`, of a forecaster."
            )
        check_series(model, train, "train")
        if validation is not None:
            check_series(model, validation, "validation")
            _check_apart(train, validation)
        self.train, self.validation = train, validation
        self.call = ForecasterCall.of(model)

    def __len__(self) -> int:
        return len(self.train)

    def set_scaler(self, model: nn.Module) -> None:
        """Fits a scaler to the training split for a model that takes one and has none yet."""
        # The default `self` tells a model without the attribute from one whose scaler is not set.
        if getattr(model, "scaler", self) is None and callable(set_scaler := getattr(model, "set_scaler", None)):
            set_scaler(Scaler.fit(self.train))

    def batch(self, indices: NDArray[np.int64], generator: np.random.Generator) -> "WindowBatch":
        """Training windows; they are not augmented."""
        return self.train.batch(indices)

    def step(self, model: nn.Module, batch: "WindowBatch") -> Step:
        """Mean absolute error over the observed targets."""
        total, count = _absolute(self.call(model, batch), batch)
        # A batch may have no observed target at all: its loss is then 0.
        return Step(total / count.clamp(min=1), count, None)

    def validate(self, model: nn.Module) -> Validation | None:
        """Mean absolute error over the observed targets of the whole split."""
        if self.validation is None:
            return None
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        total = count = 0.0
        with eval_mode(model), torch.inference_mode():
            for batch in self.validation.batches(VALIDATION_BATCH):
                windows = batch.to(device)
                # Summed in float64 over the whole split: batches differ in how many targets are observed.
                error, observed = _absolute(self.call(model, windows).double(), windows)
                total, count = total + float(error), count + float(observed)
        if not count:
            raise DataError(
                "validation: got no observed target; expected at least one. Is `missing` right, or the split?"
            )
        if not np.isfinite(total):
            # No epoch is better than one of NaN, which would stay the best.
            raise DataError(
                "validation: got forecasts that are NaN or infinite; expected finite ones. Train at a lower rate, or "
                "set clip_norm in the recipe."
            )
        return Validation(total / count, None)

    def score(self, epoch: Epoch) -> float | None:
        """The negative validation error."""
        return None if epoch.validation_loss is None else -epoch.validation_loss

    def summary(self, loss: float, accuracy: float | None, validation: Validation | None = None) -> list[str]:
        """Error and validation error, in the target's unit."""
        unit = f" {self.train.unit}" if self.train.unit else ""
        parts = [f"MAE {loss:.3f}{unit}"]
        return parts if validation is None else [*parts, f"validation {validation.loss:.3f}{unit}"]

    def fingerprint(self) -> dict[str, Any]:
        """Sizes of the splits, and the data of their first and last windows."""
        return {
            name: None if part is None else _windows(part)
            for name, part in (("train", self.train), ("validation", self.validation))
        }


def _absolute(forecast: torch.Tensor, batch: "WindowBatch") -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of absolute errors over the observed targets, and their number."""
    error = (forecast - batch.y).abs().masked_fill(~batch.y_observed, 0.0)
    return error.sum(), batch.y_observed.sum()


def _check_apart(train: "WindowedSeries", validation: "WindowedSeries") -> None:
    """Refuses splits of one series that share frames."""
    # Only views of one series can overlap; frames of different series have nothing in common but their numbers.
    if train._source is not validation._source:
        return
    shared = np.intersect1d(train.covered, validation.covered)
    if shared.size:
        raise InputError(
            f"validation: got {shared.size} frames of train; expected none. Take both from `WindowedSeries.split`."
        )


def _samples(clips: "Clips") -> dict[str, Any]:
    labelled = "\n".join(f"{name}\t{label}" for name, label in zip(clips.ids, clips.labels, strict=True))
    # Labels too: a card may be edited between two calls.
    return {"card": getattr(clips.card, "name", None), "count": len(clips), "ids": _hash(labelled.encode())}


def _windows(series: "WindowedSeries") -> dict[str, Any]:
    # The first and last window stand for all: hashing a whole series would take longer than an epoch.
    ends = series.batch([0, len(series) - 1])
    return {
        "count": len(series),
        "window": series.window,
        "horizon": series.horizon,
        "starts": _hash(series.starts.tobytes()),
        "channels": list(series.channels),
        "observations": _hash(*(part.numpy().tobytes() for part in (ends.x, ends.y, ends.observed, ends.y_observed))),
    }


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def task_of(
    model: nn.Module, train: "Clips | WindowedSeries", validation: "Clips | WindowedSeries | None", recipe: "Recipe"
) -> "Classification | Forecasting":
    """The task for the data: a series is forecast, clips are classified.

    Raises:
        InputError: if the splits are of two kinds, or do not fit the model.
    """
    from stexplain.data.series import WindowedSeries

    if isinstance(train, WindowedSeries):
        if validation is not None and not isinstance(validation, WindowedSeries):
            raise InputError(f"validation: got {an(type(validation).__name__)}; expected a series, as train is one.")
        return Forecasting(model, train, validation, recipe)
    if isinstance(validation, WindowedSeries):
        raise InputError(f"validation: got a series; expected {an(type(train).__name__)}, as train is one.")
    return Classification(model, train, validation, recipe)
