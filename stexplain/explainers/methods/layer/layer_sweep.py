"""A layer sweep: the maps of one method at several layers, from one forward pass, and how well they agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.layer.choice import default_layer, keeps_all
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.layer_gradient import LayerGradient
from stexplain.explainers.methods.layer.one_pass import explained_together
from stexplain.explainers.model.inspection import unwrapped
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.model.probe.layers import LayerProbe
from stexplain.explainers.results.made_by import made_by
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import as_target
from stexplain.result import Result

if TYPE_CHECKING:
    import xarray


@checked
@dataclass(frozen=True, repr=False)
class LayerSweep(Result):
    """Explanations of the same samples and target at several layers.

    Attributes:
        explanations: one for each layer by its name, in the order in which the layers were named.

    Raises:
        InputError: where there are none, or they are not of the same samples.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 6, 3))
        >>> _ = nn.init.uniform_(model[3].weight)  # else a map may be zero by chance
        >>> sweep = layer_sweep(model, torch.randn(5, 2, 8, 6), target=1, layers=["0", "1"], inputs="b c t n")
        >>> sweep["1"].values.shape, [e.layer for e in sweep]
        ((5, 1, 8, 6), ['0', '1'])
        >>> float(sweep.to_frame()["nodes"].iloc[-1].round(6))  # the last layer agrees with itself
        1.0
    """

    explanations: Mapping[str, Explanation]

    def __post_init__(self) -> None:
        object.__setattr__(self, "explanations", MappingProxyType(dict(self.explanations)))
        if not self.explanations:
            raise InputError("explanations: got none; expected at least one layer.")
        shapes = {one.values.shape for one in self.explanations.values()}
        if len(shapes) > 1:
            raise InputError(
                f"explanations have shapes {sorted(shapes)}; expected one shape, of the same samples at every layer."
            )

    def __len__(self) -> int:
        return len(self.explanations)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.explanations.values())

    def __getitem__(self, layer: str) -> Explanation:
        """The explanation at a layer."""
        if layer not in self.explanations:
            raise unknown("layer of the sweep", layer, self.explanations)
        return self.explanations[layer]

    def __repr__(self) -> str:
        first = next(iter(self))
        return f"<LayerSweep of {len(first)} samples by {first.method} at {', '.join(self.explanations)}>"

    def to_frame(self) -> pd.DataFrame:
        """How well each layer agrees with the last, a row per layer.

        Columns are `layer`; `stride`, in frames; `nodes`, `time` and `positions`, the Pearson correlation, in [-1, 1],
        of the importance (ReLU of the values) with that at the last layer, per node (mean over valid frames and
        instances), per valid frame and instance (mean over nodes), and per valid position, of what was observed; and
        `padding_share`, in [0, 1]. All are means over samples. A sample whose map is constant at either layer has no
        correlation and is excluded from that mean; where that leaves none, it is NaN.
        """
        # The last named layer is the reference: usually the last block, the default of all methods.
        *_, last = self
        rows = []
        for name, one in self.explanations.items():
            row: dict[str, Any] = {"layer": name, "stride": one.stride}
            for column, values in _reduced(one).items():
                pairs = zip(values, _reduced(last)[column], strict=True)
                row[column] = _mean([_correlation(here, at_last) for here, at_last in pairs])
            rows.append({**row, "padding_share": _mean(one.padding_share.tolist())})
        return pd.DataFrame(rows)

    def to_xarray(self) -> "xarray.Dataset":
        """The explanations along a further first dimension, layer; without `layer_values`, whose size differs."""
        # All but the maps is the same at every layer: taken from the first.
        whole = next(iter(self)).to_xarray().drop_vars("layer_values", errors="ignore")
        along = {
            "values": (("layer", "sample", "instance", "time", "node"), np.stack([one.values for one in self])),
            "padding_share": (("layer", "sample"), np.stack([one.padding_share for one in self])),
            "stride": (("layer",), np.array([one.stride for one in self])),
        }
        whole.attrs = {name: value for name, value in whole.attrs.items() if name not in ("layer", "stride")}
        return whole.assign(along).assign_coords(layer=list(self.explanations))


@checked
def layer_sweep(
    model: nn.Module,
    x: Signals,
    *,
    target: TargetLike,
    layers: "Sequence[str | nn.Module] | None" = None,
    method: type[LayerGradient] = STGGradCAM,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Any,
) -> LayerSweep:
    """Explains samples at several layers, by one forward pass and one backward pass.

    The gradient at each layer is the total derivative of the score, so each map is the one that the method gives at
    that layer alone.

    Args:
        model: any module; see `STGGradCAM`.
        x: see `Explainer.__call__`.
        target: one target; see `Explainer.__call__`.
        layers: names or modules; default: all of `model.blocks`, or else all layers that keep nodes and frames. Their
            layouts and positions in time may differ.
        method: `STGGradCAM`, `HiResCAM`, `LayerCAM` or `GradCAMPlusPlus`.
        valid: see `Explainer.__call__`.
        observed: see `Explainer.__call__`.
        shared: see `Explainer.__call__`.
        per_sample: see `Explainer.__call__`.
        **options: further arguments of the method, the same for all layers, such as `layout`.

    Returns:
        An explanation per layer, each ``[B, M, T, N]``.

    Raises:
        InputError: as the method does, and where no layers are named, and none keeps nodes and frames.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 6, 3))
        >>> sweep = layer_sweep(
        ...     model, torch.randn(5, 2, 8, 6), target=Class(1), layers=["0", "1"], inputs="b c t n"
        ... )
        >>> sweep
        <LayerSweep of 5 samples by STG-Grad-CAM at 0, 1>
        >>> list(sweep.to_frame().columns)
        ['layer', 'stride', 'nodes', 'time', 'positions', 'padding_share']
    """
    one_target = as_target(target)
    named = list(_blocks(model) if layers is None else layers)
    if layers is not None and not named:
        raise InputError("layers: got none; expected at least one layer.")
    first = method(model, layer=named[0] if named else None, **options)
    # All explainers share the model: the first prepares the samples and runs the model for all of them.
    with first._model_frozen():
        model_input = first._prepare(x, valid, shared, per_sample, observed=observed)
        explainers = [method(model, layer=layer, **options) for layer in named or _kept(first, model_input)]
        explanations = explained_together(explainers, model_input, one_target)
    call = ModelCall(first.options, valid, dict(shared or {}), dict(per_sample or {}), observed=observed)
    found = zip(explainers, explanations, strict=True)
    return LayerSweep({by.layer_name: replace(e, call=call, made_by=made_by(by)) for by, e in found})


def _blocks(model: nn.Module) -> list[nn.Module]:
    # The attribute that this package's networks and ST-GCN-like models list their blocks by.
    blocks = getattr(unwrapped(model), "blocks", None)
    return list(blocks) if isinstance(blocks, nn.ModuleList | nn.Sequential) else []


def _kept(explainer: LayerGradient, model_input: ModelInput) -> list[str]:
    """All layers that keep samples, nodes and frames, at known places in time."""
    measured = LayerProbe(explainer, model_input).measure()
    default_layer(measured, model_input.sizes)
    return [one.name for one in measured if keeps_all(one, model_input.sizes)]


def _reduced(one: Explanation) -> dict[str, list[NDArray[Any]]]:
    """The importance of each sample by node, by frame and instance, and by position, of what was observed."""
    found: dict[str, list[NDArray[Any]]] = {"nodes": [], "time": [], "positions": []}
    for nodes, row, present in zip(one.nodes().to_numpy(), one.importance, one.present, strict=True):
        # A gap of a sensor is no position without importance, at which both layers would agree.
        observed = present.any(-1)
        found["nodes"].append(nodes[present.any((0, 1))])
        found["time"].append((row * present)[observed].sum(-1) / present[observed].sum(-1))
        found["positions"].append(row[present])
    return found


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Pearson's correlation; NaN where one is constant, but for rounding."""
    pair = np.stack([a, b]).astype(np.float64)
    # A map that is constant but for float32's rounding would correlate at random.
    if not a.size or (np.ptp(pair, axis=1) <= 1e-6 * np.abs(pair).max(1)).any():
        return float("nan")
    return float(np.asarray(np.corrcoef(pair))[0, 1])


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
