"""Parameter randomisation (Adebayo et al., NeurIPS 2018): an explanation must change as the weights are randomised."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.wording import an

# Learned from the data as weights are, though they are buffers and no parameters.
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Stage:
    """A part of a model that is randomised in one step.

    Attributes:
        name: of the module; "itself" for tensors of no submodule.
        tensors: its parameters, and the statistics of batch normalisation.
    """

    name: str
    tensors: tuple[Tensor, ...]


def stages(model: nn.Module) -> list[Stage]:
    """The parts of a model that have weights, the last first.

    A part is a child of the model, or of a `Sequential` or `ModuleList` in it; parts are assumed to run in the order in
    which they are defined. Tensors of no child, such as a learned adjacency, come at the end.

    Example:
        >>> [stage.name for stage in stages(nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)))]
        ['2', '0']
    """
    seen: set[int] = set()
    parts: list[Stage] = []
    # Owners come before their children, so they come last in reverse, with the tensors of no child.
    for name, module, recurse in reversed([*_parts(model, "")]):
        tensors: list[Tensor] = [*module.parameters(recurse=recurse)]
        for inner in module.modules() if recurse else [module]:
            statistics = (inner._buffers.get(each) for each in _STATISTICS)
            tensors += [each for each in statistics if each is not None]
        # A tensor that several modules share is randomised once, with the last of them.
        own = tuple(each for each in tensors if each.is_floating_point() and id(each) not in seen)
        seen.update(id(each) for each in own)
        if own:
            parts.append(Stage(name or "itself", own))
    return parts


def _parts(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module, bool]]:
    """Names and modules in the order of definition, and whether their submodules belong to them; owners first."""
    yield name, module, False
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        if isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            yield from _parts(child, path)
        else:
            yield path, child, True


def shuffled(stage: Stage, random: torch.Generator) -> None:
    """Shuffles the entries of every tensor of a stage, in place.

    This destroys what was learned and keeps the scale of the weights, without knowing how the layer was initialised.
    """
    with torch.no_grad():
        for tensor in stage.tensors:
            # On the CPU, so that the permutation is the same on every device.
            order = torch.randperm(tensor.numel(), generator=random, device="cpu").to(tensor.device)
            # In place: the model keeps its tensors. Indexing copies, so no entry is overwritten before it is read.
            tensor.copy_(tensor.flatten()[order].view(tensor.shape))


def copied(model: nn.Module) -> nn.Module:
    """A copy of a model.

    Raises:
        InputError: where it cannot be copied.
    """
    try:
        return deepcopy(model)
    # Whatever a part of the model raises: it may hold an open file, a lock, or a tensor with a graph of gradients.
    except Exception as error:
        raise InputError(
            f"model: {an(type(model).__name__)} cannot be copied, so its weights cannot be shuffled: {error}. "
            "Expected one that "
            "copy.deepcopy takes: detach tensors that it keeps, and leave out files and locks."
        ) from error


def cascade(model: nn.Module, seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Randomises a copy of a model part by part, from the last to the first: yields each part's name and the copy.

    It is one copy, which is randomised further at every step.

    Args:
        model: stays unchanged.
        seed: of the shuffling.

    Raises:
        InputError: where the model cannot be copied.
    """
    other = copied(model)
    random = torch.Generator().manual_seed(seed)
    for stage in stages(other):
        shuffled(stage, random)
        yield stage.name, other


def rank_correlation(first: Explanation, second: Explanation, *, signed: bool = False) -> NDArray[np.float64]:
    """Spearman's correlation of two explanations over the positions of each sample that both hold valid, ``[B]``.

    Positions where both are zero are excluded: missing observations, and positions outside of the receptive field, are
    zero in any two maps. A constant map has no ranks; its correlation with any other is defined as zero.

    Args:
        first: of some samples.
        second: of the same samples.
        signed: whether values are ranked as they are; else by their size, whatever their sign.

    Example:
        >>> one = Explanation(np.array([[[[1.0, -2.0], [3.0, 0.0]]]]), np.ones((1, 1, 2), bool))
        >>> other = Explanation(np.array([[[[1.0, 4.0], [9.0, 0.0]]]]), np.ones((1, 1, 2), bool))
        >>> rank_correlation(one, other).round(6).tolist()
        [1.0]
        >>> rank_correlation(one, other, signed=True).round(6).tolist()
        [0.5]
    """
    correlation = np.zeros(len(first))
    for row, valid in enumerate(first.valid & second.valid):
        # [2, valid positions]: a row per explanation.
        values = np.array([each.values[row][valid].ravel() for each in (first, second)])
        values = (values if signed else np.abs(values))[:, values.any(0)]
        ranks = rankdata(values, axis=1)
        centred = ranks - ranks.mean(1, keepdims=True) if ranks.size else ranks
        # Spearman's is Pearson's correlation of the ranks: of centred ranks, the cosine.
        size = np.prod(np.linalg.norm(centred, axis=1))
        correlation[row] = centred[0] @ centred[1] / size if size > 0 else 0.0
    return correlation


def curve_row(stage: int, layer: str, correlation: NDArray[np.float64], random: float) -> dict[str, int | str | float]:
    """A row of the curve: mean, lowest and highest correlation, and that of random attribution."""
    return {
        "stage": stage,
        "layer": layer,
        "correlation": float(correlation.mean()),
        "low": float(correlation.min()),
        "high": float(correlation.max()),
        "random": random,
    }
