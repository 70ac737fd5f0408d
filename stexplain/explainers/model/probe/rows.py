"""What was observed of a layer's output, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stexplain.axes import Layout
from stexplain.explainers.model.layer_names import split_name
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.outputs import ModuleOutputs
from stexplain.explainers.model.probe.plan import Plan
from stexplain.explainers.model.probe.time import Timing
from stexplain.explainers.outputs.nested import Path


@dataclass
class Evidence:
    """What was observed of one tensor: of its last call, or of all calls along a further axis.

    Attributes:
        shape: for as many samples as were given.
        axes: of the tensor.
        plan: of all copies that were observed.
    """

    shape: tuple[int, ...]
    axes: TensorAxes
    plan: Plan

    @property
    def open(self) -> bool:
        """Whether further copies might tell more."""
        unknown = self.axes.layout is None or self.axes.timing.kind in ("unknown", "global")
        return bool(self.axes.factors) and unknown


def shape_for(reference: Tensor, axes: TensorAxes, plan: Plan, samples: int) -> tuple[int, ...]:
    """The tensor's shape for the number of samples that were given."""
    if plan.one_by_one:
        return tuple(reference.shape[1:])
    shape = list(reference.shape)
    for factor in axes.factors:
        if factor.letter == "b":
            shape[factor.dimension] = shape[factor.dimension] // plan.samples * samples
    return tuple(shape)


@dataclass(frozen=True)
class LayerAxes:
    """What one tensor that a module returns stands for.

    Attributes:
        name: of the module, with keys in brackets for a further tensor of a tuple or dict.
        type: of the module.
        shape: of the tensor, for as many samples as were given.
        calls: how often the module ran.
        by_frame: whether its calls are frames: each call's output, laid out without t, is one position in time.
        layout: of the tensor of one call; none where unknown.
        timing: where its positions lie in time.
        nodes: whether an axis follows the nodes.
        frames: whether an axis, or the calls, follow the frames.
        why: what is unknown, and the reason.
        sizes: of the axes of the layout, but for the samples'.
        path: the keys that lead to the tensor in what the module returns; the first tensor goes by the module's name.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    calls: int
    by_frame: bool
    layout: Layout | None
    timing: Timing
    nodes: bool
    frames: bool
    why: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    path: Path = ()

    def named(self, layer: str) -> bool:
        """Whether a layer's name means this tensor, or a tuple that begins with it."""
        module, keys = split_name(layer)
        return split_name(self.name)[0] == module and self.path[: len(keys)] == keys

    @property
    def known(self) -> bool:
        """Whether all is known that a map needs."""
        return self.layout is not None and (not self.frames or self.timing.known)


def row_of(name: str, outputs: ModuleOutputs, shape: tuple[int, ...], axes: TensorAxes, *, by_frame: bool) -> LayerAxes:
    """What was measured of a layer's output.

    Args:
        name: of the layer.
        outputs: of the modules.
        shape: of the output.
        axes: of the output.
        by_frame: whether its calls are frames.
    """
    return LayerAxes(
        name,
        outputs.types[name],
        shape,
        len(outputs.calls[name]),
        by_frame,
        axes.layout,
        axes.timing,
        axes.nodes,
        axes.frames,
        axes.why,
        {letter: size for letter, size in axes.sizes.items() if not (by_frame and letter == "t")},
        outputs.paths[name],
    )
