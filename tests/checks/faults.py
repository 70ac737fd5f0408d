"""Faults, each seeded into a sound explainer: what a self-test must find on every model that the fault applies to."""

from dataclasses import dataclass, replace

import torch

from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.expected_gradients import ExpectedGradients
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.positions import to_frames
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model.layer_names import find_layer
from stexplain.explainers.model.score_fn import ScoreFn
from stexplain.explainers.target import Scores


@dataclass(frozen=True)
class Fault:
    """A broken explainer, and what a model must have for the fault to change anything: see `MODELS` of the test."""

    kind: type
    needs: frozenset[str] = frozenset()


FAULTS: dict[str, Fault] = {}


def fault(name, base, *needs, **attributes):
    """Registers a class with these methods in the place of the base's."""
    FAULTS[f"{base.method or base.__name__}: {name}"] = Fault(
        type(base.__name__, (base,), attributes), frozenset(needs)
    )


# Faults of the score that is differentiated. The explanation reports score and class as asked: only its map is wrong.


class _Other(ScoreFn):
    def __init__(self, inner, score):
        self.inner, self.score = inner, score

    def parsed(self, output):
        return self.inner.parsed(output)

    def __call__(self, output):
        own = self.inner(output)
        wrong = self.score(self.parsed(output).tensor, own)
        return Scores(wrong - wrong.detach() + own.scores.detach(), own.classes)


def scoring(base, score):
    """The maps of another score than the target's."""

    def _maps_of_targets(self, model_input, score_fns):
        return base._maps_of_targets(self, model_input, [_Other(one, score) for one in score_fns])

    def _maps(self, model_input, score_fn):
        return base._maps(self, model_input, _Other(score_fn, score))

    # Methods that share work between targets override the first; the base class of the others calls the second.
    shared = base._maps_of_targets is not Explainer._maps_of_targets
    return {"_maps_of_targets": _maps_of_targets} if shared else {"_maps": _maps}


def softmax(logits, own):
    return logits.softmax(1).gather(1, own.classes[:, None])[:, 0]


def next_class(logits, own):
    return logits.gather(1, ((own.classes + 1) % logits.shape[1])[:, None])[:, 0]


def class_zero(logits, own):
    return logits[:, 0]


def loss(logits, own):
    return torch.nn.functional.cross_entropy(logits, own.classes, reduction="none")


SCORES = {
    "softmax target": softmax,
    "next class": next_class,
    "always class 0": class_zero,
    "gradient of the loss": loss,
}


# Faults of a map, of any method.


def mapped(base, change):
    """The base's maps, changed: a function of values ``[B, M, T, N]``."""

    def changed(maps):
        return [replace(each, values=change(each.values)) for each in maps]

    def _maps_of_targets(self, model_input, score_fns):
        return changed(base._maps_of_targets(self, model_input, score_fns))

    return {"_maps_of_targets": _maps_of_targets}


def minmax(values):
    low, high = (getattr(values, name)((1, 2, 3), keepdim=True) for name in ("amin", "amax"))
    return (values - low) / (high - low)


def last_frame(values):
    kept = torch.zeros_like(values)
    kept[:, :, -1] = values[:, :, -1]
    return kept


MAPS = {
    "sign flipped": (lambda v: -v,),
    "nodes permuted": (lambda v: v.flip(3),),
    "time reversed": (lambda v: v.flip(2),),
    "one position late": (lambda v: v.roll(1, 2),),
    "one position early": (lambda v: v.roll(-1, 2),),
    "min-max per sample": (minmax,),
    "scaled by the batch": (lambda v: v / v.abs().max(),),
    "samples exchanged": (lambda v: v.flip(0),),
    "last frame only": (last_frame,),
    "instances exchanged": (lambda v: v.flip(1), "instances"),
    "noise added": (lambda v: v + torch.rand_like(v) * v.abs().max(),),
    "squared": (lambda v: v.square(),),
}


# Faults of the way the model is treated.


def before_maps(base, act):
    def _maps_of_targets(self, model_input, score_fns):
        maps = base._maps_of_targets(self, model_input, score_fns)
        act(self, model_input)
        return maps

    return {"_maps_of_targets": _maps_of_targets}


def left_in_train(base):
    def __call__(self, *arguments, **keywords):
        result = base.__call__(self, *arguments, **keywords)
        self.model.train()
        return result

    return {"__call__": __call__}


def hook_left(self, model_input):
    self.model.register_forward_hook(lambda *_: None)


def input_changed(self, model_input):
    model_input.x.mul_(1.5)


def gradient_left(self, model_input):
    first = next(self.model.parameters())
    first.grad = torch.ones_like(first)


def weights_changed(self, model_input):
    with torch.no_grad():
        next(self.model.parameters()).mul_(1.001)


for base in (STGGradCAM, InputGradient, ExpectedGradients, ExpectedFall):
    for name, score in SCORES.items():
        fault(name, base, "classes", **scoring(base, score))
for base in (STGGradCAM, InputGradient, Occlusion):
    for name, (change, *needs) in MAPS.items():
        fault(name, base, *needs, **mapped(base, change))
for base in (STGGradCAM, InputGradient):
    fault("left in training mode", base, **left_in_train(base))
    for act in (hook_left, input_changed, gradient_left, weights_changed):
        fault(act.__name__.replace("_", " "), base, **before_maps(base, act))


# Faults of Grad-CAM's formula: from features and gradients [B, M, T', N, C] to a map [B, M, T', N].


def weighted(formula):
    def _weighted(self, features, gradients, pooled):
        return formula(features, gradients, pooled)

    return {"_weighted": _weighted}


def mean(gradients, pooled):
    """Alpha of Eq. 4, ``[B, M, 1, 1, C]``."""
    weight = pooled.to(gradients.dtype)[..., None, None]
    return (gradients * weight).sum((2, 3), keepdim=True) / (weight.sum(2, keepdim=True) * gradients.shape[3])


def over_batch(f, g, p):
    return (mean(g, p).mean(0, keepdim=True) * f).sum(-1)


FORMULAS = {
    "absolute alpha": (lambda f, g, p: (mean(g, p).abs() * f).sum(-1),),
    "alpha without what is negative": (lambda f, g, p: (mean(g, p).clamp(min=0) * f).sum(-1),),
    "ReLU before the sum": (lambda f, g, p: (mean(g, p) * f).clamp(min=0).sum(-1),),
    "ReLU after the sum": (lambda f, g, p: (mean(g, p) * f).sum(-1).clamp(min=0),),
    "pooled over channels": (lambda f, g, p: (g.mean(4, keepdim=True) * f).sum(-1),),
    "pooled over nodes alone": (lambda f, g, p: (g.mean(3, keepdim=True) * f).sum(-1),),
    "alpha summed, not averaged": (lambda f, g, p: (g.sum((2, 3), keepdim=True) * f).sum(-1),),
    "alpha over the batch": (over_batch,),
    "alpha over instances": (lambda f, g, p: (mean(g, p).mean(1, keepdim=True) * f).sum(-1), "instances"),
    "alpha over padding": (lambda f, g, p: (mean(g, torch.ones_like(p)) * f).sum(-1), "padding"),
    "channel maximum": (lambda f, g, p: (mean(g, p) * f).amax(-1),),
    "channel mean": (lambda f, g, p: (mean(g, p) * f).mean(-1),),
    "alpha squared": (lambda f, g, p: (mean(g, p).square() * f).sum(-1),),
    "features left out": (lambda f, g, p: (mean(g, p) * torch.ones_like(f)).sum(-1),),
    "gradients left out": (lambda f, g, p: f.sum(-1),),
    "each position by its own gradient": (lambda f, g, p: (g * f).sum(-1),),
}
for name, (formula, *needs) in FORMULAS.items():
    fault(name, STGGradCAM, *needs, **weighted(formula))


# Faults of the layer and of its place in time.


# Of the layers that the test explains.
_BEFORE = {"blocks.1": "blocks.0", "3": "1", "second": "first"}


def _place_before(self, model_input):
    place = STGGradCAM._place(self, model_input)
    _, module = find_layer(self.model, _BEFORE.get(place.name, place.name))
    return replace(place, module=module)


def moved(**changes):
    def _place(self, model_input):
        place = STGGradCAM._place(self, model_input)
        return replace(place, **{name: change(getattr(place, name)) for name, change in changes.items()})

    return {"_place": _place}


def _nearest(self, model_input, layer_values, scores):
    maps = STGGradCAM._on_frames(self, model_input, layer_values, scores)
    place = self._place(model_input)
    at = ((torch.arange(model_input.sizes["t"]) - place.offset) / place.stride).round().long()
    return replace(maps, values=layer_values[:, :, at.clamp(0, layer_values.shape[2] - 1)])


def _stretched(self, model_input, layer_values, scores):
    # As of images: the ends of the map on the ends of the clip.
    maps = STGGradCAM._on_frames(self, model_input, layer_values, scores)
    frames, positions = model_input.sizes["t"], layer_values.shape[2]
    valid = torch.ones(layer_values.shape[:3], dtype=torch.bool)
    stride = max((frames - 1) / max(positions - 1, 1), 1e-9)
    return replace(maps, values=to_frames(layer_values, valid, frames, stride, 0.0))


fault("layer before the one named", STGGradCAM, "before", _place=_place_before)
fault("wrong stride", STGGradCAM, "stride", **moved(stride=lambda stride: stride + 1))
fault("wrong offset", STGGradCAM, "stride", **moved(offset=lambda offset: offset + 1))
fault("nearest position", STGGradCAM, "stride", _on_frames=_nearest)
fault("stretched to the clip", STGGradCAM, "stride", _on_frames=_stretched)


# Faults of methods of the input.


def reduced(formula):
    def _maps_of_targets(self, model_input, score_fns):
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        maps = InputGradient._maps_of_targets(self, model_input, score_fns)
        return [replace(each, values=formula(each.channels, x)) for each in maps]

    return {"_maps_of_targets": _maps_of_targets}


fault("gradient times input", InputGradient, **reduced(lambda g, x: (g * x).sum(-1)))
fault("sum of sizes", InputGradient, "channels", **reduced(lambda g, x: g.abs().sum(-1)))
fault("largest channel", InputGradient, "channels", **reduced(lambda g, x: g.abs().amax(-1)))
fault("square not rooted", InputGradient, **reduced(lambda g, x: g.square().sum(-1)))


def _of_point(share):
    """Integrated gradients by the gradient at one point of the line."""

    def _maps(self, model_input, score_fn):
        maps = IntegratedGradients._maps(self, model_input, score_fn)
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        leaf = (share * x).detach().requires_grad_()
        score = score_fn(self._forward(model_input, self.inputs.from_batch(leaf).contiguous())).scores.sum()
        channels = torch.autograd.grad(score, leaf)[0] * x
        return replace(maps, values=channels.sum(-1), channels=channels)

    return {"_maps": _maps}


def _without(self, model_input, score_fn):
    maps = IntegratedGradients._maps(self, model_input, score_fn)
    x = self.inputs.to_batch(model_input.x, **model_input.sizes)
    channels = maps.channels / torch.where(x.abs() > 1e-6, x, 1)
    return replace(maps, values=channels.sum(-1), channels=channels)


def _other_baseline(base):
    def _maps(self, model_input, score_fn):
        other = type(self).__mro__[1](self.model, baseline=torch.tensor(0.7), **self.options)
        other._adopt(self.inputs, self._streams)
        return other._maps(model_input, score_fn)

    return {"_maps": _maps}


fault("gradient at the end alone", IntegratedGradients, **_of_point(1.0))
fault("gradient half way alone", IntegratedGradients, **_of_point(0.5))
fault("not times the way", IntegratedGradients, _maps=_without)
fault("another baseline", IntegratedGradients, **_other_baseline(IntegratedGradients))
fault("another baseline", Occlusion, **_other_baseline(Occlusion))
fault("half the drop", Occlusion, **mapped(Occlusion, lambda v: v / 2))


# The same ways of changing an explainer, with nothing wrong: what is found is the fault, not that anything was changed.
SOUND = {
    "its own score": (InputGradient, scoring(InputGradient, lambda logits, own: own.scores)),
    "its own score, of a layer": (STGGradCAM, scoring(STGGradCAM, lambda logits, own: own.scores)),
    "its own score, one target": (ExpectedGradients, scoring(ExpectedGradients, lambda logits, own: own.scores)),
    "its own map": (STGGradCAM, mapped(STGGradCAM, lambda v: v)),
    "its own map, masked": (Occlusion, mapped(Occlusion, lambda v: v)),
    "nothing more": (STGGradCAM, before_maps(STGGradCAM, lambda self, model_input: None)),
    "its own formula": (STGGradCAM, weighted(lambda f, g, p: (mean(g, p) * f).sum(-1))),
    "its own place": (STGGradCAM, moved(stride=lambda stride: stride)),
    "its own norm": (InputGradient, reduced(lambda g, x: g.norm(dim=-1))),
    "its own baseline": (
        IntegratedGradients,
        {"_maps": lambda self, model_input, score_fn: IntegratedGradients._maps(self, model_input, score_fn)},
    ),
}
