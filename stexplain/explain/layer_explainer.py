"""What the methods share that explain a layer's output."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explain.cells import cell_valid, infer_stride, to_frames
from stexplain.explain.explainer import Asked, Explainer, Maps, share_aside, told
from stexplain.explain.model_state import find_layer
from stexplain.explain.targets import Scored

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class LayerExplainer(Explainer):
    """An explainer of a layer: makes a map over its cells, and takes that back to frames.

    Args:
        model: any module; see `Explainer`.
        layer: the name or the module; default: the last of `model.blocks`. Where it runs more than once in a forward
            pass, its last output is meant; where it returns a tuple, the first tensor of it.
        layout: of that tensor, such as ``"(b m) c t n"``; default: `model.layout`.
        inputs: see `Explainer`.
        graph: see `Explainer`.
        classes: see `Explainer`.
        stride: frames from one cell of the layer to the next; default: `model.stride_at(layer)`, else ceil(T / T').
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
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        assert self.model is not None
        if stride is not None and stride < 1:
            raise InputError(f"stride is {stride}; wanted at least 1.")
        self.layer_name, self.layer = find_layer(self.model, layer)
        pattern = layout or told(self.model, "layout", str)
        if pattern is None:
            raise InputError(
                f"how the output of layer {self.layer_name!r} is laid out is not known. Give `layout`, such as "
                "'(b m) c t n' for the feature maps of ST-GCN."
            )
        self.layout = Layout(pattern)
        self.stride = stride

    def _maps(self, asked: Asked, scored: Callable[[Any], Scored]) -> Maps:
        return self._several(asked, [scored])[0]

    def _several(self, asked: Asked, readings: Sequence[Callable[[Any], Scored]]) -> list[Maps]:
        found = []
        for cells, scored in self._cells(asked, readings):
            frames, stride = asked.sizes["t"], self._stride(asked.sizes["t"], cells.shape[2])
            ok = cell_valid(asked.known_valid, cells.shape[2], stride)
            values = to_frames(cells, ok, frames, stride)
            found.append(Maps(values, scored, cells, stride, share_aside(cells, ok)))
        return found

    @abstractmethod
    def _cells(self, asked: Asked, readings: Sequence[Callable[[Any], Scored]]) -> list[tuple[Tensor, Scored]]:
        """For each target the signed map at the layer's resolution, and what was scored.

        Maps are ``[B, M, T', N]``, padding included.
        """

    def _features(self, tensor: Tensor, asked: Asked) -> Tensor:
        """The layer's tensor as ``[B, M, T', N, C]``."""
        known = {axis: asked.sizes[axis] for axis in "bmn"}
        for axis, what in (("m", "instances"), ("n", "nodes")):
            if axis not in self.layout.letters and known[axis] > 1:
                raise InputError(
                    f"the layout {self.layout.pattern!r} of layer {self.layer_name!r} has no axis for the "
                    f"{known[axis]} {what}. Explain a layer before they are pooled."
                )
        return self.layout.to_batch(tensor, **known)

    def _stride(self, frames: int, cells: int) -> int:
        if self.stride is not None:
            return self.stride
        if callable(known := getattr(self.model, "stride_at", None)):
            try:
                return int(known(self.layer_name))
            except InputError:
                # A model speaks for its blocks; of what is inside them, the sizes tell.
                pass
        return infer_stride(frames, cells)

    @property
    def _layer_name(self) -> str:
        return self.layer_name
