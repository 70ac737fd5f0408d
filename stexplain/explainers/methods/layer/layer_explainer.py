"""What the methods share that explain a layer's output."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import torch
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, ModelInput, model_attribute, padding_share_of
from stexplain.explainers.model.positions import infer_stride, position_valid, to_frames
from stexplain.explainers.model.state import find_layer
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class LayerOptions(TypedDict, total=False):
    """What every explainer of a layer takes beside the model, as keyword arguments; see `LayerExplainer`."""

    layer: "str | nn.Module | None"
    layout: str | None
    inputs: str | None
    graph: "STGraph | None"
    classes: Sequence[str] | None
    stride: int | None
    offset: int | None
    calls: Literal["last", "frames"]
    chunk: int | None


class LayerExplainer(Explainer):
    """An explainer of a layer: makes a map over its cells, and takes that back to frames.

    Args:
        model: any module; see `Explainer`.
        layer: the name or the module; default: the last of `model.blocks`. Where it returns a tuple, the first tensor
            of it is meant.
        layout: of that tensor, such as ``"(b m) c t n"``; default: `model.layout`.
        inputs: see `Explainer`.
        graph: see `Explainer`.
        classes: see `Explainer`.
        stride: frames from one cell of the layer to the next; default: `model.stride_at(layer)`, else ceil(T / T').
        offset: the frame that the layer's first cell is centred on, of convolutions without padding; default:
            `model.offset_at(layer)`, else 0.
        calls: which output is meant of a layer that runs more than once in a forward pass: the ``"last"``, or, as
            ``"frames"``, those of all calls as cells one after the other: of a cell that runs once per frame.
        chunk: see `Explainer`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: "str | nn.Module | None" = None,
        layout: str | None = None,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        stride: int | None = None,
        offset: int | None = None,
        calls: Literal["last", "frames"] = "last",
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        if self.model is None:
            raise InputError(f"{type(self).__name__} explains a layer of a model, and no model came. Give one.")
        if stride is not None and stride < 1:
            raise InputError(f"stride is {stride}; wanted at least 1.")
        if offset is not None and offset < 0:
            raise InputError(f"offset is {offset}; wanted a frame, from 0.")
        self.layer_name, self.layer = find_layer(self.model, layer)
        pattern = layout or model_attribute(self.model, "layout", str)
        if pattern is None:
            raise InputError(
                f"how the output of layer {self.layer_name!r} is laid out is not known. Give `layout`, such as "
                "'(b m) c t n' for the feature maps of ST-GCN."
            )
        self.layout = Layout(pattern)
        if calls not in ("last", "frames"):
            raise unknown("choice of calls", calls, ["last", "frames"])
        if calls == "frames" and "t" in self.layout.letters:
            raise InputError(
                f"the layout {pattern!r} of layer {self.layer_name!r} has an axis t, where calls='frames' makes "
                "one of the layer's calls. Leave t out of the layout, or calls away."
            )
        self.stride, self.offset = stride, offset
        self.by_frame = calls == "frames"

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        return self._several(asked, [scored])[0]

    def _several(self, asked: ModelInput, readings: Sequence[Callable[[Any], Scores]]) -> list[Maps]:
        return [self._over_frames(asked, *found) for found in self._cells(asked, readings)]

    def _over_frames(self, asked: ModelInput, cells: Tensor, scored: Scores) -> Maps:
        """A map over cells ``[B, M, T', N]``, taken back to frames."""
        frames, ok = asked.sizes["t"], self._position_valid(asked, cells.shape[2])
        stride, offset = self._places(frames, cells.shape[2])
        return Maps(to_frames(cells, ok, frames, stride, offset), scored, cells, stride, padding_share_of(cells, ok))

    @abstractmethod
    def _cells(self, asked: ModelInput, readings: Sequence[Callable[[Any], Scores]]) -> list[tuple[Tensor, Scores]]:
        """For each target the signed map at the layer's resolution, and what was scored.

        Maps are ``[B, M, T', N]``, padding included.
        """

    def _features(self, calls: Sequence[Tensor], asked: ModelInput) -> Tensor:
        """What the layer gave in its calls as ``[B, M, T', N, C]``."""
        known = {axis: asked.sizes[axis] for axis in "bmn"}
        for axis, what in (("m", "instances"), ("n", "nodes")):
            if axis not in self.layout.letters and known[axis] > 1:
                raise InputError(
                    f"the layout {self.layout.pattern!r} of layer {self.layer_name!r} has no axis for the "
                    f"{known[axis]} {what}. Explain a layer before they are pooled."
                )
        if not self.by_frame:
            return self.layout.to_batch(calls[-1], **known)
        if len(calls) > asked.sizes["t"]:
            raise InputError(
                f"layer {self.layer_name!r} ran {len(calls)} times for {asked.sizes['t']} frames, so its calls are not "
                "its frames. Explain a cell that runs once per frame, or its last output: calls='last'."
            )
        return torch.cat([self.layout.to_batch(call, **known) for call in calls], dim=2)

    def _position_valid(self, asked: ModelInput, cells: int) -> Tensor:
        """Which of so many cells of the layer stand for a valid frame, ``[B, M, T']``, bool."""
        return position_valid(asked.known_valid, cells, *self._places(asked.sizes["t"], cells))

    def _places(self, frames: int, cells: int) -> tuple[int, int]:
        """Stride and offset of the layer's cells: cell i is centred on frame offset + i * stride."""
        offset = self.offset if self.offset is not None else self._said("offset_at") or 0
        stride = self.stride or self._said("stride_at")
        return stride or infer_stride(frames, cells, offset), offset

    def _said(self, name: str) -> int | None:
        """What the model says of the layer, where it does."""
        if not callable(known := getattr(self.model, name, None)):
            return None
        try:
            return int(known(self.layer_name))
        except InputError:
            # A model speaks for its blocks; of what is inside them, the sizes tell.
            return None

    @property
    def _layer_name(self) -> str:
        return self.layer_name
