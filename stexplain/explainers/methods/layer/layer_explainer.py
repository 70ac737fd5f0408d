"""What the methods share that explain the output of a layer."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Unpack

import torch
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.checking import checked_kept
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, padding_share_of
from stexplain.explainers.methods.layer.choice import default_layer, flow_of
from stexplain.explainers.methods.layer.place import Declared, LayerPlace, declared_row, place_of
from stexplain.explainers.methods.layer.positions import position_pooled, position_valid, to_frames
from stexplain.explainers.model.inputs.lengths import known_at
from stexplain.explainers.model.layer_names import find_layer, last_block
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.probe.layers import LayerProbe
from stexplain.explainers.model.score_fn import ScoreFn
from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.target import Scores


class LayerOptions(CallOptions, total=False):
    """What every explainer of a layer takes beside the model, as keyword arguments; see `LayerExplainer`."""

    layer: "str | nn.Module | None"
    layout: str | None
    stride: int | None
    offset: float | None
    calls: Literal["last", "frames"] | None


@checked_kept
class LayerExplainer(Explainer):
    """An explainer of a layer: its map over the layer's positions is interpolated to frames.

    Which axis of the layer's output is which, and which frame each of its positions stands for, is measured once for
    each shape of input, by some fifty inferences of one sample. A view longer than the clip, a normalisation over time
    or many graph convolutions before the layer make it some hundreds; see `layers`. What is given in place of it is
    checked against what was measured.

    Args:
        model: any module; see `Explainer`.
        layer: the name or the module, as `stexplain.layers` lists them; default: the last of `model.blocks`, or else
            the last layer that keeps nodes and frames and through which all of the output goes. Where it returns a
            tuple or a dict, its first tensor is meant, or the one in brackets: ``"encoder[1]"``,
            ``"encoder['hidden']"``.
        layout: of that tensor, such as ``"(b m) c t n"``; default: measured.
        stride: frames from one position of the layer to the next; default: measured.
        offset: the frame that the layer's first position stands for, below 0 where a model pads the past; default:
            measured.
        calls: which output is meant of a layer that runs more than once in a forward pass: the ``"last"``, or, as
            ``"frames"``, those of all calls as positions one after the other: for a recurrent cell that runs once per
            frame. Default: ``"frames"`` where the calls are measured to be frames.
        **options: how the model is called; see `ModelCaller`.
    """

    measures = "score"

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: "str | nn.Module | None" = None,
        layout: str | None = None,
        stride: int | None = None,
        offset: float | None = None,
        calls: Literal["last", "frames"] | None = None,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        if self.model is None:
            raise InputError(f"model: got None; expected one, as {type(self).__name__} explains a layer of it.")
        if stride is not None and stride < 1:
            raise InputError(f"stride: got {stride}; expected at least 1.")
        if calls not in (None, "last", "frames"):
            raise unknown("choice of calls", str(calls), ["last", "frames"])
        if layer is None:
            layer = last_block(self.model)
        # Without blocks, the layer is chosen where the model first runs.
        self.layer: nn.Module | None = None
        if layer is not None:
            self.layer_name, self.layer = find_layer(self.model, layer)
        self.layout = None if layout is None else Layout(layout)
        if calls == "frames" and self.layout is not None and "t" in self.layout.letters:
            raise InputError(
                f"layout {layout!r} of layer {self.layer_name!r} has an axis t, which calls='frames' makes of the "
                "layer's calls. Leave t out of `layout`, or leave `calls` out."
            )
        self.stride, self.offset, self.calls = stride, offset, calls
        # What was measured, by the sizes of the input and the names of the arguments, and by length.
        self._places: dict[tuple[Any, int], LayerPlace] = {}

    def _place(self, model_input: ModelInput) -> LayerPlace:
        """Where the layer's output lies, measured when samples of such a shape are first explained.

        Raises:
            InputError: where it cannot be determined, or what was given contradicts what was measured.
        """
        kind, frames = _kind_of(model_input)
        known = known_at(self._places, kind, frames, LayerPlace.is_like)
        if not known:
            measure(model_input, [self])
            known = [self._places[kind, frames]]
        return known[0]

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        return self._maps_of_targets(model_input, [score_fn])[0]

    def _maps_of_targets(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[Maps]:
        layer_maps = self._layer_maps(model_input, score_fns)
        return [self._on_frames(model_input, layer_values, scores) for layer_values, scores in layer_maps]

    def _on_frames(self, model_input: ModelInput, layer_values: Tensor, scores: Scores) -> Maps:
        """A map over the layer's positions ``[B, M, T', N]``, and the same on frames."""
        place, frames = self._place(model_input), model_input.sizes["t"]
        valid = self._position_valid(model_input, layer_values.shape[2])
        if place.in_time:
            values = to_frames(layer_values, valid, frames, place.stride, place.offset)
        else:
            values = (layer_values * valid[..., None]).expand(-1, -1, frames, -1)
        share = padding_share_of(layer_values, valid)
        # Without nodes, N is 1 up to here.
        nodes = model_input.sizes["n"]
        values, layer_values = (each.expand(-1, -1, -1, nodes) for each in (values, layer_values))
        return Maps(values, scores, layer_values, place.stride, share, notes=place.notes)

    @abstractmethod
    def _layer_maps(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        """For each target the signed map at the layer's resolution, and the scores.

        Maps are ``[B, M, T', N]``, padding included; T' and N are 1 where the layer has no positions in time, or nodes.
        """

    def _features(self, calls: Sequence[Tensor], model_input: ModelInput) -> Tensor:
        """The layer's outputs as ``[B, M, T', N, C]``; N is 1 where the layer has no nodes."""
        place = self._place(model_input)
        # t and c are left to infer: a layer has its own number of positions and channels.
        # A layer may compute in half precision; sums over its channels are not to be rounded to that.
        calls = [full_precision(call) for call in calls]
        known = {**place.sizes, **{axis: model_input.sizes[axis] for axis in "bmn"}}
        if "m" not in place.layout.letters and known["m"] > 1:
            raise InputError(
                f"layout {place.layout.pattern!r} of layer {place.name!r} has no axis for the {known['m']} instances. "
                "Explain a layer before they are pooled."
            )
        if not place.by_frame:
            return place.layout.to_batch(calls[-1], **known)
        return torch.cat([place.layout.to_batch(call, **known) for call in calls], dim=2)

    def _position_valid(self, model_input: ModelInput, positions: int) -> Tensor:
        """Which of so many positions of the layer stand for a valid frame, ``[B, M, T']``, bool."""
        # Where the layer has no time, its one position stands for all frames.
        place = self._place(model_input)
        return position_valid(model_input.known_valid, positions, place.stride, place.offset)

    def _position_pooled(self, model_input: ModelInput, positions: int) -> Tensor:
        """Which of so many positions of the layer are pooled over, ``[B, M, T']``, bool."""
        place, valid = self._place(model_input), self._position_valid(model_input, positions)
        return position_pooled(valid, model_input.sizes["t"], place.stride, place.offset)


def measure(model_input: ModelInput, explainers: Sequence[LayerExplainer]) -> None:
    """Measures the layers of explainers of one model, for samples of one shape, together.

    Args:
        model_input: some of the samples.
        explainers: of the same model, called in the same way.

    Raises:
        InputError: see `LayerExplainer`.
    """
    key = _kind_of(model_input)
    waiting = [each for each in explainers if key not in each._places]
    if not waiting:
        return
    probe = LayerProbe(waiting[0], model_input)
    model = waiting[0].model
    assert model is not None
    declared_rows = [row for each in waiting if (row := declared_row(model, each.layer_name)) is not None]
    # What a model declares is only checked: that takes fewer inferences than measuring it.
    checked = probe.checked(declared_rows)
    for each in waiting:
        declared = Declared(each.layout, each.stride, each.offset, each.calls)
        if each.layer_name in checked and declared == Declared():
            each._places[key] = place_of(model, checked[each.layer_name], declared, model_input.sizes)
    waiting = [each for each in waiting if key not in each._places]
    if not waiting:
        return
    names = [each.layer_name for each in waiting]
    measured = probe.measure(None if "" in names else names)
    for each in waiting:
        notes: tuple[str, ...] = ()
        if not each.layer_name:
            chosen, notes = default_layer(measured, model_input.sizes, partial(flow_of, each, model_input))
            each.layer_name, each.layer = find_layer(model, chosen.name)
        named = [one for one in measured if one.named(each.layer_name)]
        if not named:
            raise InputError(
                f"layer {each.layer_name!r} did not run in the model's forward pass, or returned no floating tensor. "
                "Give one that does."
            )
        declared = Declared(each.layout, each.stride, each.offset, each.calls)
        place = place_of(model, named[0], declared, model_input.sizes)
        each._places[key] = replace(place, notes=(*place.notes, *notes))


def _kind_of(model_input: ModelInput) -> tuple[Any, int]:
    """What tells inputs apart for which a layer may lie elsewhere, and their number of frames."""
    sizes = tuple(model_input.sizes[axis] for axis in "mnc")
    names = sorted([*model_input.shared, *model_input.per_sample])
    return (*sizes, model_input.x.dtype, *names), model_input.sizes["t"]
