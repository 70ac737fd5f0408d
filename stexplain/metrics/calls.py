"""How a model is called by metrics: as their arguments say, else as an explanation remembers; and plain tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stexplain.axes import BATCH, Layout
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inputs.observed import observed_twice
from stexplain.explainers.model.model_input import ModelInput, Signals, Streams
from stexplain.explainers.model.options import CallOptions, ModelCall

SINGLE = (Tensor, np.ndarray, Sample, Batch, Mapping)
"""The types of samples; anything else holds several of them."""


def call_of(
    explanation: Any,
    options: CallOptions,
    valid: Any,
    shared: Mapping[str, Any] | None,
    per_sample: Mapping[str, Any] | None,
    *,
    observed: Any = None,
) -> ModelCall:
    """How to call a model: what is given, else what an explanation remembers of its own call.

    Args:
        explanation: an `Explanation`, or its call; anything else remembers nothing.
        options: those that are given, none standing for the default.
        valid: see `ModelCall`.
        shared: see `ModelCall`; an argument that is given replaces the remembered one of its name.
        per_sample: see `shared`.
        observed: see `ModelCall`.

    Example:
        >>> call = ModelCall({"inputs": "b t n", "chunk": 8}, shared={"scale": 1.0})
        >>> e = Explanation(np.zeros((1, 1, 2, 2)), np.ones((1, 1, 2), bool), call=call)
        >>> merged = call_of(e, {"chunk": 2}, None, {"scale": 3.0}, None)
        >>> merged.options["inputs"], merged.options["chunk"], merged.shared
        ('b t n', 2, {'scale': 3.0})
    """
    if isinstance(explanation, Mapping):
        name = next(iter(explanation), "")
        raise InputError(
            f"explanation: got a dict of streams; expected the explanation of one, such as explanation[{name!r}], of "
            "which that stream alone is masked, or values [b, m, t, n], by which all are."
        )
    found = explanation.call if isinstance(explanation, Explanation) else explanation
    known = found if isinstance(found, ModelCall) else ModelCall()
    given: Any = {name: value for name, value in options.items() if value is not None}
    named = {**(shared or {}), **(per_sample or {})}
    return ModelCall(
        {**known.options, **given},
        known.valid if valid is None else valid,
        # By name: what was the same for all samples may be given per sample, and the other way round.
        {**{name: value for name, value in known.shared.items() if name not in named}, **(shared or {})},
        {**{name: value for name, value in known.per_sample.items() if name not in named}, **(per_sample or {})},
        known.stream,
        known.observed if observed is None else observed,
    )


def refuse_observed(x: Any, observed: Any) -> None:
    """Refuses a missing-value mask beside samples of a dataset, which bring their own.

    Raises:
        InputError: with what to do.
    """
    if observed is not None and isinstance(x, Sample | Batch):
        raise observed_twice(x)


def unlabelled(model_input: ModelInput, x: Tensor) -> Batch:
    """Samples as a batch without labels.

    Args:
        model_input: the samples.
        x: their signals, ``[B, M, T, N, C]``.
    """
    # -1: no label.
    labels = torch.full((len(x),), -1, device=x.device)
    return Batch(
        x,
        model_input.known_valid,
        labels,
        model_input.ids,
        observed=model_input.observed,
        channels=model_input.channel_names,
        # Where no mask was given the model gets none, so that its scores are those of the tensor.
        unmasked=model_input.noticed or model_input.valid is None,
    )


def as_batch(
    caller: ModelCaller,
    x: Signals | Streams,
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    observed: Any = None,
) -> Batch:
    """Samples of any kind as a batch, preprocessed by the model's recipe where they are of a dataset.

    Args:
        caller: whose input they are.
        x: see `Explainer.__call__`.
        valid: see `Explainer.__call__`.
        shared: see `Explainer.__call__`.
        per_sample: see `Explainer.__call__`.
        observed: see `Explainer.__call__`.

    Example:
        >>> as_batch(ModelCaller(None, inputs="b t n"), torch.zeros(2, 4, 3)).x.shape
        torch.Size([2, 1, 4, 3, 1])
    """
    if isinstance(x, Mapping):
        raise InputError(
            "x: got a dict of streams; expected a tensor, a Sample or a Batch. Give the streams as channels of one "
            "tensor, to a model that takes them apart."
        )
    refuse_observed(x, observed)
    if isinstance(x, Sample | Batch):
        batch = caller.preprocess(x)
        # True: nothing is padding, which a batch says by itself.
        return batch if valid is None or valid is True else replace(batch, valid=torch.as_tensor(valid))
    # A baseline explainer calls no model, which could take arguments.
    arguments = (None, None) if caller.model is None else (shared, per_sample)
    prepared = caller._prepare(x, valid, *arguments, observed=observed)
    return unlabelled(prepared, caller.inputs.to_batch(prepared.x, **prepared.sizes))


def parts_of(caller: ModelCaller | None, data: Any, call: ModelCall) -> Iterator[tuple[Any, ModelCall]]:
    """Samples batch by batch, each with its own entries of what is given per sample.

    Args:
        caller: whose input they are; none where there is none, and they are no tensors.
        data: batches, tensors or dicts of streams, one by one; or a single one of them.
        call: of all samples, in their order.

    Example:
        >>> call = ModelCall(per_sample={"day": np.array([3, 4, 5])})
        >>> batches = [torch.zeros(2, 1, 4, 1, 1), torch.zeros(1, 1, 4, 1, 1)]
        >>> [part.per_sample["day"].tolist() for _, part in parts_of(ModelCaller(None), batches, call)]
        [[3, 4], [5]]
    """
    if isinstance(data, SINGLE):
        yield data, call
        return
    # Nothing to cut: samples are not counted, as the layout of a tensor need not tell how many it holds.
    if call.valid is None and call.observed is None and not call.per_sample:
        yield from ((batch, call) for batch in data)
        return
    start = 0
    for batch in data:
        stop = start + _samples_in(batch, caller, call.valid)
        yield batch, call.rows(np.arange(start, stop))
        start = stop


def _samples_in(x: Signals | Streams, caller: ModelCaller | None, valid: Any) -> int:
    """How many samples there are."""
    if isinstance(x, Sample | Batch):
        return len(x) if isinstance(x, Batch) else 1
    if caller is None:
        raise InputError("data: got a tensor and no explainer that knows its layout; expected a Batch.")
    known = {} if caller.graph is None else {"n": len(caller.graph)}
    # Folded axes come apart by the sizes that are known.
    known |= {"m": valid.shape[1]} if getattr(valid, "ndim", 0) == 3 else {}
    if isinstance(x, Mapping):
        # A model's inputs are one layout, or one for each stream.
        name, tensor = next(iter(x.items()))
        declared = caller._declared[name] if isinstance(caller._declared, Mapping) else caller._declared or BATCH
        return Layout(declared).sizes(tuple(tensor.shape), **known).get("b", 1)
    if caller._declared is None:
        # All layouts that are found begin with the samples.
        return len(x)
    return caller._plain_layout().sizes(tuple(x.shape), **known).get("b", 1)
