"""The gradient of the score with nothing left out, beside the one that the model has."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stexplain.checking import warn_caller
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.derivative.modes import NothingLeftOut, Watch
from stexplain.explainers.model.model_input import ModelInput, channel_index
from stexplain.explainers.model.score_fn import ScoreFn, TargetScores
from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.outputs.same_draws import seeded

if TYPE_CHECKING:
    from stexplain.explainers.explainer import Explainer, Maps
    from stexplain.explainers.explanation import Explanation
    from stexplain.explainers.model.caller import ModelCaller
    from stexplain.explainers.target import Target

NO_DERIVATIVE = "The gradient is not the derivative of the score"
NOT_KNOWN = "Whether the gradient is the derivative of the score could not be measured"
_MISSED = 0.05
"""Shares of the gradient above this are said; rounding is some 1e-5."""
_OF_SCORE = 1e-4
"""What would change the score by less, to first order, is rounding."""
_SAMPLES, _KEPT = 8, 32


@contextmanager
def watched(caller: "ModelCaller") -> Iterator[None]:
    """The first forward pass that an explainer differentiates, in which what leaves something out is looked for."""
    known = caller._derivative
    if known.left_out is not None or known.mode is not None:
        yield
        return
    watch = Watch(_running(caller))
    known.mode = watch.entered
    try:
        yield
        known.left_out = tuple(watch.places)
    finally:
        known.mode = None


def _running(caller: "ModelCaller") -> nn.Module:
    """What is called: the model, or what takes its place for a target of few nodes."""
    assert caller.model is not None
    return caller.model if caller._locality is None else caller._locality.model


def noted(
    explainer: "Explainer",
    by_target: "Sequence[Maps]",
    model_input: ModelInput,
    targets: "Sequence[Target]",
    score_fns: Sequence[ScoreFn],
) -> "list[Maps]":
    """Maps of some samples, each with what is to be said of the gradient that it is made of; see `notes_of`."""
    # Of a method that works around another, that one's.
    inner = getattr(explainer, "explainer", explainer)
    if not getattr(inner, "_differentiates", False):
        return list(by_target)
    notes = notes_of(inner, model_input, targets, score_fns)
    return [replace(maps, notes=(*maps.notes, *said)) for maps, said in zip(by_target, notes, strict=True)]


def notes_of(
    explainer: "Explainer", model_input: ModelInput, targets: "Sequence[Target]", score_fns: Sequence[ScoreFn]
) -> list[tuple[str, ...]]:
    """Of each target what is to be said of its gradient, once measured for samples that are alike.

    Two more forward passes, and only where a pass was seen to leave something out.

    Args:
        explainer: whose model is frozen.
        model_input: some of the samples.
        targets: of the explanations.
        score_fns: of them.
    """
    state = explainer._derivative
    if not state.left_out:
        return [()] * len(targets)
    kind, layer = explainer._kind_of(model_input), explainer._differentiated_at(model_input)
    keys = [(kind, _key_of(one)) for one in targets]
    known = state.notes
    new = [at for at, key in enumerate(keys) if key not in known]
    if new:
        shares: list[tuple[float | None, tuple[str, ...]]] = [(None, ())] * len(new)
        # Beside the explanation: a model need not run so, and then it is said that nothing is known.
        with suppress(Exception):
            few, of_few = _few(explainer, model_input, [score_fns[at] for at in new])
            shares = _missed(explainer, few, of_few, layer)
        for at, (share, places) in zip(new, shares, strict=True):
            known[keys[at]] = (targets[at], _sentence(share, places, state.left_out, layer is not None))
    notes = [known[key][1] for key in keys]
    for key in list(known)[:-_KEPT]:
        del known[key]
    return notes


def warn_of(explanations: "Sequence[Explanation]") -> None:
    """Warns of what their notes say of gradients, each once: whoever reads no notes is to know."""
    said = {note: one.method for one in explanations for note in one.notes if note.startswith(NO_DERIVATIVE)}
    for note, method in said.items():
        warn_caller(f"{method}: {note}")


def _few(
    caller: "ModelCaller", model_input: ModelInput, score_fns: Sequence[ScoreFn]
) -> tuple[ModelInput, list[ScoreFn]]:
    """The first samples, where they do not need the others: what ran without gradients may take much memory with."""
    if model_input.sizes["b"] <= _SAMPLES or caller._output_axes(model_input).mixed:
        return model_input, list(score_fns)
    of_few: list[ScoreFn] = []
    for one in score_fns:
        assert isinstance(one, TargetScores)
        first = 0 if one.info.rows is None else one.info.rows.start
        of_few.append(replace(one, info=replace(one.info, rows=slice(first, first + _SAMPLES))))
    return caller._rows(model_input, slice(0, _SAMPLES)), of_few


def _missed(
    caller: "ModelCaller", model_input: ModelInput, score_fns: Sequence[ScoreFn], layer: Any
) -> list[tuple[float | None, tuple[str, ...]]]:
    """Of each target which share of the gradient is missing or wrong, where that is known, and where it comes from."""
    own, scores, tensors = _gradients(caller, model_input, score_fns, layer, None)
    whole = NothingLeftOut(_running(caller), caller._derivative.left_out or ())
    full, again, _ = _gradients(caller, model_input, score_fns, layer, whole)
    found: list[tuple[float | None, tuple[str, ...]]] = []
    for one, (other, places), score, same in zip(own, full, scores, again, strict=True):
        if not torch.allclose(score, same, rtol=1e-4, atol=1e-6):
            # The pass with nothing left out is another one: it tells nothing.
            found.append((None, ()))
            continue
        difference, size, change = 0.0, 0.0, 0.0
        for a, b, x in zip(one[0], other, tensors, strict=True):
            # Where the derivative is infinite, as of a root at zero, the model may well leave it out.
            finite = torch.isfinite(a) & torch.isfinite(b)
            a, b = torch.where(finite, a, 0).double(), torch.where(finite, b, 0).double()
            difference += float((a - b).square().sum())
            size += max(float(a.square().sum()), float(b.square().sum()))
            change += float(((a - b) * torch.nan_to_num(x).double()).square().sum())
        share = (difference / size) ** 0.5 if size else 0.0
        rounding = change**0.5 <= _OF_SCORE * float(score.abs().max())
        found.append((0.0 if share <= _MISSED or rounding else share, places))
    return found


def _gradients(
    caller: "ModelCaller",
    model_input: ModelInput,
    score_fns: Sequence[ScoreFn],
    layer: Any,
    mode: NothingLeftOut | None,
) -> Any:
    """Of each target its gradients, and where they flow that the model leaves out; its scores; the tensors."""
    caller._derivative.mode = None if mode is None else mode.entered
    try:
        with warnings.catch_warnings(), seeded(), torch.enable_grad():
            # What a model warns of is said in its own passes.
            warnings.simplefilter("ignore")
            if layer is None:
                leaf = model_input.x.detach().clone().requires_grad_()
                output, at = caller._forward(model_input, leaf.clone()), [leaf]
            else:
                with capture_activations({layer.name: layer.module}, gradient=True) as activations:
                    output = caller._forward(model_input)
                at = activations.calls(layer.name)[0 if layer.by_frame else -1 :]
            scores = [score_fn(output).scores for score_fn in score_fns]
    finally:
        caller._derivative.mode = None
    found = []
    always = () if mode is None else tuple(mode.flowing)
    for score in scores:
        if mode is not None:
            mode.flowing.clear()
        gradients: Sequence[Tensor | None] = [None] * len(at)
        if score.requires_grad:
            gradients = torch.autograd.grad(score.sum(), at, retain_graph=True, allow_unused=True)
        filled = [torch.zeros_like(x) if g is None else full_precision(g) for g, x in zip(gradients, at, strict=True)]
        if layer is None:
            filled = [_of_signals(caller, model_input, filled[0])]
        found.append((filled, (*always, *(mode.flowing if mode is not None else ()))))
    tensors = [one.detach() for one in at]
    if layer is None:
        tensors = [_of_signals(caller, model_input, tensors[0])]
    return found, [score.detach() for score in scores], tensors


def _of_signals(caller: "ModelCaller", model_input: ModelInput, tensor: Tensor) -> Tensor:
    """The same, zero where there is no observation and in channels that are no signals, ``[B, M, T, N, C]``."""
    known = model_input.observed_positions[..., None]
    if caller.signals is not None:
        signals = torch.zeros(model_input.sizes["c"], dtype=torch.bool, device=known.device)
        signals[[channel_index(which, model_input) for which in caller.signals]] = True
        known = known & signals
    return torch.where(known, caller.inputs.to_batch(tensor, **model_input.sizes), 0)


def _key_of(target: "Target") -> Any:
    """What tells a target from another: its text, but for those that hold a function, or other targets."""
    # Such a target is kept as long as its number, which is no other's then.
    holds = any(callable(value) or isinstance(value, list | tuple) for value in vars(target).values())
    return id(target) if holds else (type(target), target.text())


def _sentence(share: float | None, places: Sequence[str], seen: Sequence[str], at_layer: bool) -> tuple[str, ...]:
    if share == 0:
        return ()
    # In the order of the forward pass; gradients come back in the other.
    named = [one for one in seen if one in places] or list(seen)
    where = "; ".join(named[:3]) + (f"; and {len(named) - 3} more" if len(named) > 3 else "")
    if share is None:
        return (f"{NOT_KNOWN}: {where}. Compare with a method that uses no gradient, such as Occlusion.",)
    of = "at the layer " if at_layer else ""
    return (
        f"{NO_DERIVATIVE}: {where}. What goes through there is missing from this map, or wrong in it: the derivative "
        f"{of}differs from the gradient by {min(share, 9.99):.0%} of its size. Methods that perturb, such as Occlusion "
        "and ShapleyValueSampling, use no gradient.",
    )
