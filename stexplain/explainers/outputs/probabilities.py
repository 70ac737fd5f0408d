"""Outputs that are probabilities, or their logarithms, in place of logits."""

from torch import Tensor

from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.outputs.nested import shapes_of, tensors_in


def is_probability(rows: Tensor) -> bool:
    """Whether rows ``[B, classes]`` are probabilities: none is negative, and they sum to one.

    Example:
        >>> import torch
        >>> is_probability(torch.tensor([[0.2, 0.8]])), is_probability(torch.tensor([[2.0, -1.0]]))
        (True, False)
    """
    return rows.shape[1] > 1 and bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() <= 1e-4).all())


def notes_of_probabilities(output: ModelOutput) -> tuple[str, ...]:
    """What to say where what is read as logits looks like probabilities, or other tensors may be the logits."""
    values = output.tensor.detach()
    others = _other_rows(output) if values.ndim == 2 else []
    return (*others, *_of_values(values))


def _other_rows(output: ModelOutput) -> list[str]:
    """What to say where a tuple holds several tensors ``[B, K]`` and nobody said which is meant."""
    if output.which is not None or not isinstance(output.raw, tuple | list):
        return []
    first, read = output.chosen
    rows = {
        path: one
        for path, one in tensors_in(output.raw).items()
        if path != first and one.is_floating_point() and one.ndim == 2 and len(one) == len(read)
    }
    # Of the same width: shares beside logits, or the same head twice.
    if all(one.shape == read.shape for one in rows.values()):
        return []
    return [f"The model returned {shapes_of(output.raw)}: its first was read. Give `output` where another is meant."]


def _of_values(values: Tensor) -> tuple[str, ...]:
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
