"""What the methods share that explain the output of a layer."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, padding_share_of
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.inspection import find_layer, model_attribute
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.positions import infer_stride, position_valid, to_frames
from stexplain.explainers.target import Scores


class LayerOptions(CallOptions, total=False):
    """What every explainer of a layer takes beside the model, as keyword arguments; see `LayerExplainer`."""

    layer: "str | nn.Module | None"
    layout: str | None
    stride: int | None
    offset: int | None
    calls: Literal["last", "frames"]


class LayerExplainer(Explainer):
    """An explainer of a layer: its map over the layer's positions is interpolated to frames.

    Args:
        model: any module; see `Explainer`.
        layer: the name or the module; default: the last of `model.blocks`. Where it returns a tuple, its first tensor
            is meant.
        layout: of that tensor, such as ``"(b m) c t n"``; default: `model.layout`.
        stride: frames from one position of the layer to the next; default: `model.stride_at(layer)`, else ceil(T / T').
        offset: the frame that the layer's first position is centred on, of convolutions without padding; default:
            `model.offset_at(layer)`, else 0.
        calls: which output is meant of a layer that runs more than once in a forward pass: the ``"last"``, or, as
            ``"frames"``, those of all calls as positions one after the other: for a recurrent cell that runs once per
            frame.
        **options: how the model is called; see `ModelCaller`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: "str | nn.Module | None" = None,
        layout: str | None = None,
        stride: int | None = None,
        offset: int | None = None,
        calls: Literal["last", "frames"] = "last",
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        if self.model is None:
            raise InputError(f"model: got None; expected one, as {type(self).__name__} explains a layer of it.")
        if stride is not None and stride < 1:
            raise InputError(f"stride: got {stride}; expected at least 1.")
        if offset is not None and offset < 0:
            raise InputError(f"offset: got {offset}; expected a frame, counted from 0.")
        self.layer_name, self.layer = find_layer(self.model, layer)
        pattern = layout or model_attribute(self.model, "layout", str)
        if pattern is None:
            raise InputError(
                f"the layout of the output of layer {self.layer_name!r} is not known. Give `layout`, such as "
                "'(b m) c t n' for the feature maps of ST-GCN."
            )
        self.layout = Layout(pattern)
        if calls not in ("last", "frames"):
            raise unknown("choice of calls", calls, ["last", "frames"])
        if calls == "frames" and "t" in self.layout.letters:
            raise InputError(
                f"layout {pattern!r} of layer {self.layer_name!r} has an axis t, which calls='frames' makes of the "
                "layer's calls. Leave t out of `layout`, or leave `calls` out."
            )
        self.stride, self.offset = stride, offset
        self.by_frame = calls == "frames"

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        return self._maps_of_targets(model_input, [score_fn])[0]

    def _maps_of_targets(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[Maps]:
        layer_maps = self._layer_maps(model_input, score_fns)
        return [self._on_frames(model_input, layer_values, scores) for layer_values, scores in layer_maps]

    def _on_frames(self, model_input: ModelInput, layer_values: Tensor, scores: Scores) -> Maps:
        """A map over the layer's positions ``[B, M, T', N]``, and the same on frames."""
        frames, positions = model_input.sizes["t"], layer_values.shape[2]
        valid = self._position_valid(model_input, positions)
        stride, offset = self._stride_and_offset(frames, positions)
        values = to_frames(layer_values, valid, frames, stride, offset)
        return Maps(values, scores, layer_values, stride, padding_share_of(layer_values, valid))

    @abstractmethod
    def _layer_maps(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        """For each target the signed map at the layer's resolution, and the scores.

        Maps are ``[B, M, T', N]``, padding included.
        """

    def _features(self, calls: Sequence[Tensor], model_input: ModelInput) -> Tensor:
        """The layer's outputs as ``[B, M, T', N, C]``."""
        # t and c are left to infer: a layer has its own number of positions and channels.
        known = {axis: model_input.sizes[axis] for axis in "bmn"}
        for axis, noun in (("m", "instances"), ("n", "nodes")):
            if axis not in self.layout.letters and known[axis] > 1:
                raise InputError(
                    f"layout {self.layout.pattern!r} of layer {self.layer_name!r} has no axis for the "
                    f"{known[axis]} {noun}. Explain a layer before they are pooled."
                )
        if not self.by_frame:
            return self.layout.to_batch(calls[-1], **known)
        # Each call makes a position; a decoder that calls the same cell again would make too many.
        if len(calls) > model_input.sizes["t"]:
            raise InputError(
                f"layer {self.layer_name!r} ran {len(calls)} times for {model_input.sizes['t']} frames; "
                "calls='frames' expects at most one call per frame. Explain a cell that runs once per frame, or its "
                "last output: calls='last'."
            )
        return torch.cat([self.layout.to_batch(call, **known) for call in calls], dim=2)

    def _position_valid(self, model_input: ModelInput, positions: int) -> Tensor:
        """Which of so many positions of the layer stand for a valid frame, ``[B, M, T']``, bool."""
        stride, offset = self._stride_and_offset(model_input.sizes["t"], positions)
        return position_valid(model_input.known_valid, positions, stride, offset)

    def _stride_and_offset(self, frames: int, positions: int) -> tuple[int, int]:
        """Stride and offset of the layer's positions: i is centred on frame offset + i * stride."""
        # What the caller gives goes before what the model says. An offset of 0 can be meant, a stride of 0 cannot.
        offset = self.offset if self.offset is not None else self._from_model("offset_at") or 0
        stride = self.stride or self._from_model("stride_at")
        return stride or infer_stride(frames, positions, offset), offset

    def _from_model(self, name: str) -> int | None:
        """The layer's `stride_at` or `offset_at` by the model's own method of that name, where it has one."""
        if not callable(method := getattr(self.model, name, None)):
            return None
        try:
            return int(method(self.layer_name))
        except InputError:
            # A model knows its blocks; for a layer inside of one, the sizes decide.
            return None
