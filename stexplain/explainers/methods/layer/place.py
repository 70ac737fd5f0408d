"""Where the output of a layer lies: its axes and its positions in time, measured; what was declared is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from stexplain.axes import CHANNELS, Layout
from stexplain.errors import InputError
from stexplain.explainers.model.inspection import model_attribute
from stexplain.explainers.model.layer_names import find_layer, split_name
from stexplain.explainers.model.probe.rows import LayerAxes
from stexplain.explainers.model.probe.time import Timing

# Nothing follows the samples where the axes of the input are mixed up.
_RIGHT = " Is the layout of the input right?"


@dataclass(frozen=True)
class Declared:
    """What the caller declared of a layer; none: measured.

    Attributes:
        layout: see `LayerExplainer`.
        stride: see `LayerExplainer`.
        offset: see `LayerExplainer`.
        calls: see `LayerExplainer`.
    """

    layout: Layout | None = None
    stride: int | None = None
    offset: float | None = None
    calls: Literal["last", "frames"] | None = None


@dataclass(frozen=True)
class LayerPlace:
    """What a map over a layer's positions needs to become one over nodes and frames.

    Attributes:
        name: of the layer.
        module: the layer.
        layout: of the output of one call.
        stride: frames from one position to the next.
        offset: the frame that position 0 stands for.
        by_frame: whether each call is a position in time.
        in_time: whether there are positions in time; else the map is the same at every frame.
        notes: what there is to know, a sentence each.
        sizes: of axes of the layout that its shape may not tell, as several are folded.
    """

    name: str
    module: nn.Module
    layout: Layout
    stride: int
    offset: float
    by_frame: bool
    in_time: bool
    notes: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    def is_like(self, other: "LayerPlace") -> bool:
        """Whether both have positions in time at the same strides, which then do not depend on the input's length."""
        return self.in_time and not self.by_frame and self == other


def place_of(model: nn.Module, measured: LayerAxes, declared: Declared, sizes: dict[str, int]) -> LayerPlace:
    """The place of a layer, from what was measured; where that is unknown, from what was declared.

    Args:
        model: that has the layer.
        measured: the layer.
        declared: by the caller. What the model declares, by `layout`, `stride_at` and `offset_at`, counts alike.
        sizes: of the axes of the input.

    Raises:
        InputError: where what was declared contradicts what was measured, or neither tells; and for a layer that has
            neither nodes nor frames.
    """
    name, module = find_layer(model, measured.name)
    by_frame = _by_frame(measured, declared, sizes)
    layout = _layout(model, measured, declared, sizes)
    # Of a layer whose calls are frames, the last call alone has no time.
    one_call = measured.frames and not measured.by_frame if measured.layout is not None else "t" in layout.letters
    in_time = by_frame or one_call
    # A layout of one's own may have other letters for the channels: its sizes follow from the shape.
    inner = measured.sizes if layout is measured.layout else {}
    notes = []
    without_nodes = "n" not in layout.letters and sizes["n"] > 1
    if without_nodes and (not in_time or sizes["t"] == 1):
        raise InputError(
            f"layer {name!r} has an axis neither of nodes nor of frames: its map would be the same everywhere. Explain "
            "a layer before they are pooled; stexplain.layers(model, x) lists them."
        )
    if measured.calls > 1 and not by_frame and declared.calls is None:
        # A block whose weights, or whose activation, are used again.
        notes.append(f"Layer {name!r} ran {measured.calls} times in a forward pass; its last output is explained.")
    if without_nodes:
        notes.append(f"Layer {name!r} has no nodes: its map is over time, the same at every node.")
    if not in_time:
        # One position that stands for all frames.
        stride: int = declared.stride or sizes["t"]
        if sizes["t"] > 1:
            notes.append(f"Layer {name!r} has no axis of time: its map is over nodes, the same at every frame.")
        return LayerPlace(name, module, layout, stride, 0, by_frame, False, tuple(notes), inner)
    stride, offset = _stride_and_offset(model, measured, declared)
    return LayerPlace(name, module, layout, stride, whole(offset) or 0, by_frame, True, tuple(notes), inner)


def declared_row(model: nn.Module, layer: str) -> LayerAxes | None:
    """What a model says of a layer by `layout`, `stride_at` and `offset_at`; none where it does not say it all.

    Args:
        model: any.
        layer: its name.

    Example:
        >>> declared_row(nn.Linear(1, 1), "0") is None
        True
    """
    layout = model_attribute(model, "layout", str) if _is_block(model, layer) else None
    stride, offset = _own(model, "stride_at", layer), _own(model, "offset_at", layer)
    if layout is None or stride is None:
        return None
    letters = Layout(layout).letters
    timing = Timing("aligned", stride, float(offset or 0))
    return LayerAxes(layer, "", (), 1, False, Layout(layout), timing, "n" in letters, "t" in letters)


def _by_frame(measured: LayerAxes, declared: Declared, sizes: dict[str, int]) -> bool:
    """Whether the layer's calls are frames."""
    if declared.calls != "frames":
        return measured.by_frame and declared.calls is None
    # Each call makes a position; a decoder that calls the same cell again would make too many.
    if measured.calls > sizes["t"]:
        raise InputError(
            f"layer {measured.name!r} ran {measured.calls} times for {sizes['t']} frames; calls='frames' expects at "
            "most one call per frame. Explain a cell that runs once per frame, or its last output: calls='last'."
        )
    if not measured.by_frame:
        raise InputError(
            f"calls: got 'frames' for layer {measured.name!r}, which ran {measured.calls} times for {sizes['t']} "
            f"frames; expected calls that see one frame after the other{_because(measured.why)}. Leave `calls` "
            "out, or explain the last output: calls='last'."
        )
    return True


def _layout(model: nn.Module, measured: LayerAxes, declared: Declared, sizes: dict[str, int]) -> Layout:
    own = model_attribute(model, "layout", str) if _is_block(model, measured.name) else None
    given = declared.layout or (None if own is None else Layout(own))
    if given is None:
        if measured.layout is None:
            raise InputError(
                f"the layout of the output of layer {measured.name!r}, of shape {measured.shape}, cannot be "
                f"measured{_because(measured.why)}. Give `layout`, such as '(b m) c t n', or another layer; "
                "stexplain.layers(model, x) lists them."
            )
        return measured.layout
    # By the sizes first: the message then names the size that does not fit.
    known = {axis: sizes[axis] for axis in "bmn"}
    try:
        found = given.sizes(measured.shape, **known)
    except InputError as error:
        if measured.layout is not None:
            raise
        # Where no axis was found that follows the samples, the shape may be that of the copies that were measured.
        try:
            given.sizes(measured.shape, m=sizes["m"], n=sizes["n"])
        except InputError:
            raise InputError(f"{error}{_RIGHT}") from None
        return given
    if measured.layout is not None:
        expected = measured.layout.sizes(measured.shape, **{**measured.sizes, **known})
        if _bare(given, found) != _bare(measured.layout, expected):
            raise InputError(
                f"layout: got {given.pattern!r} for layer {measured.name!r}, whose output has shape {measured.shape}; "
                f"measured {measured.layout.pattern!r}, by which axes change with samples, nodes and frames. "
                "Leave `layout` out."
            )
    return given


def _bare(layout: Layout, sizes: dict[str, int]) -> list[list[str]]:
    """The letters of each dimension: without those of size one, and with a single letter for adjacent channels."""
    dimensions = []
    for group in layout.groups:
        letters: list[str] = []
        for letter in group:
            bare = "c" if letter in CHANNELS else letter
            if sizes[letter] > 1 and not (bare == "c" and letters[-1:] == ["c"]):
                letters.append(bare)
        dimensions.append(letters)
    return dimensions


def _stride_and_offset(model: nn.Module, measured: LayerAxes, declared: Declared) -> tuple[int, float]:
    timing = measured.timing
    # An offset of 0 can be meant, a stride of 0 cannot.
    stride = declared.stride or _own(model, "stride_at", measured.name)
    offset = declared.offset if declared.offset is not None else _own(model, "offset_at", measured.name)
    if not timing.known:
        if stride is None or (offset is None and _own(model, "stride_at", measured.name) is None):
            raise InputError(
                f"where the positions of layer {measured.name!r} lie in time cannot be measured"
                f"{_because(measured.why)}. Give `stride` and `offset`: position i stands for frame offset + i * "
                f"stride.{_RIGHT if measured.layout is None else ''}"
            )
        return stride, offset or 0
    assert timing.stride is not None
    assert timing.offset is not None
    if stride is not None and stride != timing.stride:
        raise InputError(
            f"stride: got {stride} for layer {measured.name!r}; measured {timing.stride}, by which frames its "
            "positions see. Leave `stride` out."
        )
    if offset is not None and not any(abs(offset - one) <= 0.5 for one in _offsets(timing)):
        raise InputError(
            f"offset: got {offset:g} for layer {measured.name!r}; measured {timing.offset:g}: position 0 stands for "
            f"that frame ({timing.kind}; a position sees {timing.sees} frames). Leave `offset` out."
        )
    return timing.stride, timing.offset if offset is None else offset


def _offsets(timing: Timing) -> list[float]:
    """The offsets that may be meant: the measured one, and of what only looks back also the middle of what it sees."""
    assert timing.offset is not None
    if timing.kind == "causal" and timing.last is not None and timing.sees is not None:
        return [timing.offset, timing.last - (timing.sees - 1) / 2]
    return [timing.offset]


def _own(model: nn.Module, name: str, layer: str) -> int | None:
    """The layer's `stride_at` or `offset_at` by the model's own method of that name, where it has one."""
    if not callable(method := getattr(model, name, None)):
        return None
    try:
        return int(method(layer))
    except InputError:
        # A model knows its blocks; a layer inside of one is measured.
        return None


def _is_block(model: nn.Module, layer: str) -> bool:
    """Whether a layer is one of `model.blocks`, whose outputs have the model's `layout`."""
    module, _ = split_name(layer)
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential):
        return model_attribute(model, "layout", str) is not None
    return any(module == f"blocks.{index}" for index in range(len(blocks)))


def whole(offset: float | None) -> float | None:
    """An offset as a whole number where it is one: most are, but for kernels of even size.

    Example:
        >>> whole(2.0), whole(0.5)
        (2, 0.5)
    """
    return int(offset) if offset is not None and offset == int(offset) else offset


def _because(why: str) -> str:
    return f" ({why})" if why else ""
