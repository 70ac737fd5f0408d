"""Whether square matrices that a model learns are adjacencies, where nothing else tells the axis of the nodes.

The weights of a layer are a square matrix too where it has as many channels behind it as before, and there may be as
many of them as there are frames.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stexplain.errors import StexplainError
from stexplain.explainers.model.arguments.values import tensors_in
from stexplain.explainers.model.inputs.layout import is_square, matrix_sizes, own_tensors
from stexplain.graph import STGraph

Run = Callable[[Tensor, Mapping[str, Tensor]], Any]
"""Calls a model on signals, with other tensors in the place of parameters."""
_TRIED = 6  # so many matrices of one size are tried: the first layers', whose input is nearest to x
_PRODUCTS = 64  # so many operations are kept of a pass


def learned_matrices(
    x: Tensor, graph: STGraph | None, model: nn.Module | None, arguments: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The square parameters that alone tell which axis is that of the nodes, by name; empty where anything else does.

    Args:
        x: the samples.
        graph: of the nodes, where known.
        model: any.
        arguments: further arguments.
    """
    if graph is not None or model is None:
        return {}
    own = [(name, each) for name, each in model.named_parameters() if any(each is one for one in own_tensors(model))]
    learned: dict[str, Tensor] = {name: each for name, each in own if is_square(each) and each.shape[-1] in x.shape[1:]}
    rest = [each for each in own_tensors(model) if not isinstance(each, nn.Parameter)]
    return {} if matrix_sizes([*rest, *tensors_in(dict(arguments))]) & set(x.shape[1:]) else learned


def may_mix_frames(x: Tensor, graph: STGraph | None, model: nn.Module | None, arguments: Mapping[str, Any]) -> bool:
    """Whether all matrices that tell the axis of the nodes may as well be over frames.

    A learned matrix may be; one whose entries follow from how far row and column are apart, as of positions in time;
    and an orthogonal one, as of a cosine transform. None of them tells what its axis is.

    Args:
        x: the samples.
        graph: of the nodes, where known.
        model: any.
        arguments: further arguments.
    """
    if graph is not None or model is None:
        return False
    fixed = [each for each in own_tensors(model) if not isinstance(each, nn.Parameter)]
    telling = [
        each
        for each in (*fixed, *tensors_in(dict(arguments)))
        if is_square(each) and each.shape[-1] in x.shape[1:] and matrix_sizes([each])
    ]
    return all(_is_toeplitz(each) or _is_orthogonal(each) for each in telling)


def _is_toeplitz(matrix: Tensor) -> bool:
    """Whether the entries of each diagonal are the same."""
    if matrix.layout != torch.strided:
        return False
    return bool((matrix[..., 1:, 1:] == matrix[..., :-1, :-1]).all())


def _is_orthogonal(matrix: Tensor) -> bool:
    """Whether the rows, of which some entries are negative, are at right angles to each other."""
    if matrix.layout != torch.strided or not matrix.is_floating_point() or not bool((matrix < 0).any()):
        return False
    products = matrix.detach().double() @ matrix.detach().double().mT
    apart = ~torch.eye(len(products[-1]), dtype=torch.bool, device=matrix.device)
    return bool(products[..., apart].abs().max() <= 1e-4 * products.abs().max())


def mixed_by(learned: Mapping[str, Tensor], axes: set[int], run: Run, x: Tensor) -> set[int]:
    """Of some axes those along which a learned matrix mixes entries, as an adjacency mixes nodes.

    Where one entry of the axis changes, so does what the matrix is multiplied with, at that entry alone; and the
    product at others too. Behind weights of channels the product changes at that entry alone.

    Args:
        learned: the matrices, parameters of the model, by name.
        axes: of x, each as long as one of them.
        run: calls the model.
        x: the samples.
    """
    found = set()
    for axis in axes:
        fitting = [(name, each) for name, each in learned.items() if each.shape[-1] == x.shape[axis]]
        if any(_mixes(run, name, each, x, axis) for name, each in fitting[:_TRIED]):
            found.add(axis)
    return found


class _Products(TorchFunctionMode):
    """Keeps what depends on the only tensor that requires a gradient and on others too, with these others."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[list[Tensor], Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.requires_grad and len(self.seen) < _PRODUCTS:
            operands = tensors_in([list(args), dict(kwargs or {})])
            others = [one.detach().clone() for one in operands if not one.requires_grad]
            if len(others) < len(operands) and others:
                self.seen.append((others, out.detach().clone()))
        return out


def _mixes(run: Run, name: str, matrix: Tensor, x: Tensor, axis: int) -> bool:
    size = x.shape[axis]

    def products(signals: Tensor) -> list[tuple[list[Tensor], Tensor]]:
        leaf, mode = matrix.detach().clone().requires_grad_(), _Products()
        with torch.enable_grad(), mode:
            run(signals, {name: leaf})
        return mode.seen

    try:
        before = products(x)
        votes = [True] * len(before)
        for index in sorted({size // 5, size // 2, size - 1}):
            changed = x.clone()
            changed.select(axis, index).copy_(x.select(axis, (index + size // 2) % size))
            after = products(changed)
            pairs = zip(before, after, strict=True)
            votes = [
                vote and _spreads(one, other, index, size) for vote, (one, other) in zip(votes, pairs, strict=True)
            ]
    # A model that does not run so, or whose passes differ: nothing is learned of it.
    except (StexplainError, RuntimeError, ValueError):
        return False
    return any(votes)


def _spreads(before: tuple[list[Tensor], Tensor], after: tuple[list[Tensor], Tensor], index: int, size: int) -> bool:
    """Whether an operand changed at one index of an axis alone, and the product at several of all axes so long."""
    operands = [_at_one(one, other, index, size) for one, other in zip(before[0], after[0], strict=True)]
    return True in operands and _at_one(before[1], after[1], index, size) is False


def _at_one(before: Tensor, after: Tensor, index: int, size: int) -> bool | None:
    """Whether a tensor changed at one index of some axis of this size alone; none where it did not change."""
    if before.shape != after.shape:
        return None
    different = before != after
    if not bool(different.any()):
        return None
    for dimension, length in enumerate(different.shape):
        if length == size:
            rest = [other for other in range(different.ndim) if other != dimension]
            along = different.any(rest) if rest else different
            if along.nonzero().flatten().tolist() == [index]:
                return True
    return False
