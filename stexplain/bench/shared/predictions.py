"""What the model of a run predicts for every test sample, as the stage `accuracy` writes it."""

import numpy as np
from numpy.typing import NDArray

from stexplain.bench.run import Run
from stexplain.files import atomic_write
from stexplain.training import Evaluation

FILE = "predictions.npz"


def save_predictions(run: Run, evaluation: Evaluation) -> None:
    """Writes `predictions.npz`: logits ``[n, K]``, labels ``[n]``, and whether each is correct, ``[n]``."""
    with atomic_write(run.folder / FILE) as temporary:
        np.savez(temporary, logits=evaluation.logits, labels=evaluation.labels, correct=evaluation.correct)


def load_predictions(run: Run) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The logits of all test samples, ``[n, K]``, and which were classified correctly, ``[n]``."""
    # No pickle: a run folder of unknown origin must not run code.
    with np.load(run.folder / FILE, allow_pickle=False) as arrays:
        return arrays["logits"], arrays["correct"]
