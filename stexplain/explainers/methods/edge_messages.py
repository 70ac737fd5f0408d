"""The importance of edges from the messages that go over them, for all operations of a model that mix nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import Event, MessageSum, Scatter
from stexplain.explainers.model.adjacency.importance import EdgeValues, message_values, product_values
from stexplain.explainers.model.adjacency.listing import Call, Mixing
from stexplain.explainers.model.adjacency.products import version_of
from stexplain.explainers.model.adjacency.recorder import Recorder
from stexplain.explainers.model.adjacency.roles import MessageRoles, ProductRoles
from stexplain.explainers.model.caller import ModelCaller, ScoreFn
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.target import Scores


@dataclass(frozen=True)
class BlockEdges:
    """The edges of one block, with their importance.

    Attributes:
        name: of the block.
        source: ``[E]``.
        target: ``[E]``.
        relation: ``[E]``.
        total: ``[B, E]``; none: the sum over frames.
        frames: ``[F]``; none where they are not known.
        values: ``[B, F, E]``; none where there are totals only.
    """

    name: str
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    relation: NDArray[np.int64]
    total: NDArray[np.float64] | None
    frames: NDArray[np.float64] | None
    values: NDArray[np.float64] | None

    @property
    def summed(self) -> NDArray[np.float64]:
        """Sums over frames, ``[B, E]``."""
        if self.total is not None:
            return self.total
        assert self.values is not None
        return np.asarray(self.values.sum(1))


class Part(NamedTuple):
    """What one call adds: edges, values ``[B, T', E]``, and the frames of its positions, where they are known."""

    edges: EdgeValues
    frames: NDArray[np.float64] | None


def explained_mixings(
    caller: ModelCaller, mixings: Sequence[Mixing], model_input: ModelInput, score_fn: ScoreFn
) -> tuple[dict[str, list[Part]], Scores]:
    """The parts of every operation, for some samples, by one forward and one backward pass.

    Args:
        caller: of the model, which is frozen.
        mixings: the operations; all must be known.
        model_input: the samples.
        score_fn: of the target.

    Raises:
        InputError: where the target depends on none of them, or another forward pass runs other operations.
    """
    captured, scores = _captured(caller, mixings, model_input, score_fn, copies=False)
    if not all(each.is_as_it_was for each in captured):
        # The model goes on in the memory of weights or signals, whose values are still needed.
        captured, scores = _captured(caller, mixings, model_input, score_fn, copies=True)
    (at_tensors,) = gradients([scores.scores], [each.tensor for each in captured])
    if all(gradient is None for gradient in at_tensors):
        raise InputError("the target does not depend on what mixes nodes in a differentiable way.")
    samples = model_input.sizes["b"]
    parts: dict[str, list[Part]] = {mixing.name: [] for mixing in mixings}
    for (mixing, call, form, tensor, *_), gradient in zip(captured, at_tensors, strict=True):
        if gradient is None:
            continue
        if isinstance(form, Contraction):
            assert isinstance(call.roles, ProductRoles)
            edges = product_values(form, call.roles.with_samples(samples), gradient)
        else:
            assert isinstance(call.roles, MessageRoles)
            edges = message_values(form, call.roles.with_samples(samples), tensor.detach(), gradient)
        parts[mixing.name].append(Part(edges, call.frames))
    return parts, scores


class _Captured(NamedTuple):
    """A call in a pass: what it computes, at which tensor gradients are taken, how often each was written into."""

    mixing: Mixing
    call: Call
    form: Contraction | Scatter | MessageSum
    tensor: Tensor
    held: tuple[Tensor, ...]
    versions: tuple[int, ...]

    @property
    def is_as_it_was(self) -> bool:
        return self.versions == tuple(map(version_of, self.held))


def _captured(
    caller: ModelCaller, mixings: Sequence[Mixing], model_input: ModelInput, score_fn: ScoreFn, copies: bool
) -> tuple[list[_Captured], Scores]:
    """One forward pass with all calls of some operations, and the scores.

    Args:
        caller: of the model.
        mixings: the operations.
        model_input: the samples.
        score_fn: of the target.
        copies: whether what is multiplied is copied, as the model writes over it.
    """
    assert caller.model is not None
    by_key = {key: mixing for mixing in mixings for key in mixing.calls}
    # One line may mix channels too, of as many as there are nodes: only what never ran there is new.
    ran = {mixing.site: mixing.ran for mixing in mixings}
    captured: list[_Captured] = []

    def track(event: Event) -> Tensor:
        mixing = by_key.get(event.key)
        if mixing is None and event.call >= ran.get(event.site, event.call + 1):
            raise InputError(
                f"{event.site.where} ran more often than on copies of one sample: what the model computes depends "
                "on its input. Explain samples of one kind at a time."
            )
        call = None if mixing is None else mixing.calls[event.key]
        if mixing is None or call is None or call.roles is None:
            # It is not requested, or does not depend on the input, as the first step of a recurrent model.
            return event.tensor
        # Parameters are frozen: only a tensor behind a captured one requires a gradient.
        tensor = event.tensor if event.tensor.requires_grad else event.tensor.detach().clone().requires_grad_()
        # The messages of a scatter are the model's own, whose copy goes on.
        tensor = tensor.clone() if copies else tensor
        form = event.form.copied() if copies else event.form
        held = (*form.held, tensor)
        captured.append(_Captured(mixing, call, form, tensor, held, tuple(map(version_of, held))))
        # A copy goes on: neither a leaf nor a captured tensor may be changed in place.
        return tensor.clone()

    with Recorder(caller.model, model_input.sizes["n"], track, signals=caller.argument):
        output = caller._forward(model_input)
    return captured, score_fn(output)


def joined(name: str, chunks: Sequence[tuple[int, Sequence[Part]]]) -> BlockEdges:
    """The parts of all calls for all samples as one block: the union of their edges and frames, values added up.

    Args:
        name: of the block.
        chunks: for each chunk its number of samples, and its parts.
    """
    parts = [part for _, each in chunks for part in each]
    samples = sum(count for count, _ in chunks)
    columns = [np.stack([part.edges.relation, part.edges.source, part.edges.target]) for part in parts]
    if not parts:
        # The target does not depend on this operation.
        empty = np.zeros(0, np.int64)
        return BlockEdges(name, empty, empty, empty, np.zeros((samples, 0)), None, None)
    edges, inverse = np.unique(np.concatenate(columns, 1), axis=1, return_inverse=True)
    known = all(part.frames is not None for part in parts)
    frames = np.unique(np.concatenate([part.frames for part in parts if part.frames is not None])) if known else None
    values = np.zeros((samples, 1 if frames is None else len(frames), edges.shape[1]))
    start = row = 0
    for count, each in chunks:
        for part in each:
            of_part = part.edges.values if frames is not None else part.edges.values.sum(1, keepdims=True)
            places = inverse.reshape(-1)[start : start + of_part.shape[2]]
            positions = [0]
            if frames is not None and part.frames is not None:
                positions = np.searchsorted(frames, part.frames).tolist()
            # An edge may be twice in one part, as an edge list allows.
            target = values[row : row + count]
            for position, at in enumerate(positions):
                np.add.at(target[:, at].T, places, of_part[:, position].T)
            start += of_part.shape[2]
        row += count
    relation, source, target_node = edges
    total = values[:, 0] if frames is None else None
    return BlockEdges(name, source, target_node, relation, total, frames, values if frames is not None else None)
