"""Evaluation of a classifier over a whole split: accuracy, top-5 accuracy, loss and confusion matrix."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.checking import checked
from stexplain.errors import DataError, InputError
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.wording import counted

if TYPE_CHECKING:
    from stexplain.data.clips import Clips

TOP = 5


@checked
@dataclass(frozen=True)
class Evaluation:
    """A classifier's results on n samples of K classes.

    Attributes:
        accuracy: share of samples whose highest logit is at their label, in [0, 1].
        interval: of the accuracy, 95%, over the groups of the data where it has some, such as persons; see
            `stexplain.intervals.bootstrap.interval`. Its ends are NaN where there are fewer than five groups.
        top5: share of samples whose label is among the five highest logits (all of them where K < 5), in [0, 1].
        loss: mean cross-entropy, in nats.
        confusion: ``[K, K]``, int64, samples by label (row) and predicted class (column).
        logits: ``[n, K]``, float32.
        labels: ``[n]``, int64.
        ids: n names of samples.
        classes: K names.

    Example:
        >>> import stexplain as stx
        >>> chain = stx.STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> x, classes = np.ones((4, 1, 12, 3, 3)), ["sit", "stand"]  # clips that are alike
        >>> clips = stx.Clips.from_arrays(x, [0, 0, 0, 1], classes=classes, graph=chain)
        >>> result = evaluate(stx.nn.STGCN(chain, classes=2, channels=[4], strides=[1]), clips)
        >>> result.correct.mean().item() == result.accuracy, len(set(result.predicted.tolist()))
        (True, 1)
    """

    accuracy: float
    interval: Interval
    top5: float
    loss: float
    confusion: NDArray[np.int64]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the highest logit, ``[n]``."""
        return np.asarray(self.logits.argmax(1), dtype=np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the predicted class is the label, ``[n]``."""
        return np.equal(self.predicted, self.labels)

    def __repr__(self) -> str:
        found = self.interval
        within = f"no interval: {found.reason}" if found.reason else f"95%: {found.low:.3f} to {found.high:.3f}"
        return (
            f"Evaluation of {counted(len(self.ids), 'sample')}, {len(self.classes)} classes: "
            f"accuracy {self.accuracy:.3f} ({within}), top-5 {self.top5:.3f}"
        )


@checked
def evaluate(model: nn.Module, clips: "Clips", *, batch: int = 64) -> Evaluation:
    """Evaluates a classifier on every sample of a split, in eval mode.

    A model with a recipe (trained or loaded by this package) gets the samples preprocessed by it; any other model gets
    them as they are.

    Args:
        model: takes ``x [B, M, T, N, C]`` and ``valid [B, M, T]``, gives logits ``[B, K]``. The mode
            of each of its modules is restored.
        clips: the split.
        batch: samples at a time; the result does not depend on it beyond rounding.

    Returns:
        Accuracy, in [0, 1], and the prediction of each sample.

    Raises:
        InputError: if the split is empty, a label is out of range, or the classes are not the model's.
        DataError: if a logit is NaN or infinite.

    Example:
        >>> from stexplain.data import Clips
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn import STGCN
        >>> chain = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> x = np.random.default_rng(0).normal(size=(8, 1, 12, 3, 3)).astype("f4")
        >>> clips = Clips.from_arrays(x, labels=[0, 1] * 4, classes=["sit", "stand"], graph=chain)
        >>> evaluate(STGCN(chain, classes=2, channels=[4], strides=[1]), clips).confusion.sum(1).tolist()
        [4, 4]
    """
    # Imported here, because torchmetrics takes a second to import.
    from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

    check_classes(model, clips, "clips")
    if batch < 1:
        raise InputError(f"batch: got {batch}; expected at least 1 sample at a time.")
    # A model sees at evaluation what it saw in training, whichever recipe the split was loaded with.
    recipe = getattr(model, "recipe", None)
    if recipe is not None:
        clips = clips.with_recipe(recipe)
    logits, labels = predict_logits(model, clips, batch), torch.as_tensor(np.asarray(clips.labels, dtype=np.int64))
    classes = len(clips.classes)
    # With fewer than five classes all of them are in the top five, which torchmetrics refuses to count.
    top = multiclass_accuracy(logits, labels, classes, average="micro", top_k=min(TOP, classes))
    confusion = multiclass_confusion_matrix(logits, labels, classes)
    correct = (logits.argmax(1) == labels).numpy().astype(np.float64)
    return Evaluation(
        accuracy=float(multiclass_accuracy(logits, labels, classes, average="micro")),
        # Clips of one person are not independent, of one performance even less.
        interval=interval(correct, groups=getattr(clips, "groups", None), bounds=(0, 1)),
        top5=float(top),
        loss=float(nn.functional.cross_entropy(logits, labels)),
        confusion=confusion.numpy().astype(np.int64),
        logits=logits.numpy(),
        labels=labels.numpy(),
        ids=tuple(clips.ids),
        classes=tuple(clips.classes),
    )


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Keeps a model in eval mode for the length of the block; afterwards every module has its own mode again.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
        >>> with eval_mode(model):
        ...     model.training
        False
        >>> [part.training for part in model]
        [True, False]
    """
    # Not by model.train(): what trains may hold parts in eval mode, such as frozen batch norms.
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def predict_logits(model: nn.Module, clips: "Clips", batch: int) -> torch.Tensor:
    """The logits of a model for every sample of a split in order, ``[n, K]`` float32, from eval mode and on the CPU.

    Args:
        model: the mode of each of its modules is restored.
        clips: given to the model as they are.
        batch: samples at a time.

    Raises:
        InputError: if the output is not one logit per sample and class.
        DataError: if a logit is NaN or infinite.
    """
    # A model without parameters has no device of its own and stays on the CPU.
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    # One tensor for all: small ones between the large ones of a pass would split what is free of the memory.
    logits, done = torch.empty(len(clips), len(clips.classes)), 0
    with eval_mode(model), torch.inference_mode():
        for samples in clips.batches(batch):
            # On the CPU, and in float32 whatever the model computes in, so that results compare across devices.
            found = model(samples.x.to(device), samples.valid.to(device)).float().cpu()
            check_logits(found, len(samples), clips.classes)
            logits[done : done + len(samples)] = found
            done += len(samples)
    # argmax of NaN is a class like any other: broken weights would show as a low accuracy.
    broken = ~torch.isfinite(logits).all(1)
    if broken.any():
        raise DataError(
            f"the model's output: got NaN or infinite logits for {int(broken.sum())} of {len(logits)} samples, the "
            f"first {clips.ids[int(broken.int().argmax())]!r}; expected finite ones. The weights are broken: train "
            "the model again at a lower rate, or load another checkpoint."
        )
    return logits


def check_classes(model: nn.Module, clips: "Clips", name: str) -> None:
    """Refuses an empty split, labels out of range, and classes or nodes that differ from the model's.

    Args:
        model: its `class_names`, `classes` and `graph` are compared if it has them.
        clips: the split.
        name: of the argument, for the message.

    Raises:
        InputError: with what it got and expected.
    """
    classes, labels = list(clips.classes), np.asarray(clips.labels)
    if not len(clips):
        raise InputError(
            f"{name}: got no samples; expected at least one. Does the split exist, and did `stexplain data prepare` "
            "keep any?"
        )
    # One class alone is always right: there would be nothing to learn or to explain.
    if len(classes) < 2:
        raise InputError(f"{name}: got {len(classes)} class; expected at least 2. List all classes in the card.")
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if outside.size:
        first = int(outside[0])
        raise InputError(
            f"{name}: got {outside.size} labels outside 0 to {len(classes) - 1}, the first {int(labels[first])} of "
            f"sample {clips.ids[first]!r}; expected none. Does the card list every class of the data?"
        )
    count, names = getattr(model, "classes", None), getattr(model, "class_names", None)
    if isinstance(count, int) and count != len(classes):
        raise InputError(
            f"{name}: got {len(classes)} classes; expected the model's {count}. Build the model with the data's "
            "classes."
        )
    if names is not None and list(names) != classes:
        # None if one list is the beginning of the other.
        differs = next((pair for pair in zip(names, classes, strict=False) if pair[0] != pair[1]), None)
        what = f"{differs[1]!r} in the place of {differs[0]!r}" if differs else f"{len(classes)} for {len(names)}"
        raise InputError(f"{name}: got {what}; expected the model's classes. Train on this data, or load its model.")
    nodes = getattr(getattr(model, "graph", None), "nodes", None)
    if nodes is not None and tuple(nodes) != tuple(clips.graph.nodes):
        raise InputError(
            f"{name}: got a graph of {len(clips.graph.nodes)} nodes; expected the model's {len(nodes)} nodes in their "
            "order. Build the model with the data's graph."
        )


def check_logits(logits: torch.Tensor, samples: int, classes: list[str]) -> None:
    """Refuses a model's output that is not one logit per sample and class."""
    if tuple(logits.shape) != (samples, len(classes)):
        raise InputError(
            f"the model's output: got shape {tuple(logits.shape)}; expected {(samples, len(classes))} for {samples} "
            f"samples of {len(classes)} classes. Build the model with as many classes as the data has."
        )
