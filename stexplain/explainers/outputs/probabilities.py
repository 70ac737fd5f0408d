"""Outputs that are probabilities, or their logarithms, in place of logits."""

from torch import Tensor

from stexplain.explainers.outputs.model_output import ModelOutput


def is_probability(rows: Tensor) -> bool:
    """Whether rows ``[B, classes]`` are probabilities: none is negative, and they sum to one.

    Example:
        >>> import torch
        >>> is_probability(torch.tensor([[0.2, 0.8]])), is_probability(torch.tensor([[2.0, -1.0]]))
        (True, False)
    """
    return rows.shape[1] > 1 and bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() <= 1e-4).all())


def notes_of_probabilities(output: ModelOutput) -> tuple[str, ...]:
    """What to say where what is read as logits looks like probabilities."""
    values = output.tensor.detach()
    if values.ndim == 2 and (is_probability(values) or is_probability(values.exp())):
        return (
            "The model gives probabilities, or their logarithms, which saturate: LogOdds(class) explains log-odds.",
        )
    # A single logit may lie there by chance, so this is said as a condition.
    if (values.ndim == 1 or values.shape[1:] == (1,)) and bool(((values >= 0) & (values <= 1)).all()):
        return (
            "Each output lies between 0 and 1. If it is the probability of class 1, its sign tells no side: give "
            "LogOdds(class); if it is a regression, Output().",
        )
    return ()
