"""`layers`: a table of what can be explained inside a model, measured."""

import sys
from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import pandas as pd
from torch import Tensor, nn

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import refuse_of_forward
from stexplain.explainers.methods.layer.place import whole
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.probe.layers import LayerProbe
from stexplain.progress import AFTER, Progress

_SHOWN = ("layer", "type", "shape", "layout", "time", "stride", "offset", "nodes", "frames")
"""The columns that a terminal of 80 to 100 characters has room for."""
_TYPE = 14
"""So many characters of a module's class are shown."""


class LayerTable(pd.DataFrame):
    """A table of layers: all columns of it are data, and as text it is narrow."""

    @property
    def _constructor(self) -> type["LayerTable"]:
        # Some of its rows, such as its head, are shown in the same way.
        return LayerTable

    def __repr__(self) -> str:
        # Some of its columns, or layers as its index, are what somebody chose to see.
        if self.empty or not self.columns.is_unique or not {*_SHOWN} <= {*self.columns}:
            return super().__repr__()
        shown = pd.DataFrame({name: self[name].map(_short) for name in _SHOWN})
        shown["type"] = [text if len(text) <= _TYPE else f"{text[: _TYPE - 2]}.." for text in shown["type"]]
        rows = {f"{which}_rows": pd.get_option(f"display.{which}_rows") for which in ("max", "min")}
        if rows["max_rows"] is None or len(shown) <= rows["max_rows"]:
            rows = {}
        text = str(shown.to_string(index=False, **rows))
        further = ", ".join(str(name) for name in self.columns if name not in _SHOWN)
        return f"{text}\n\n[{len(self)} rows; further columns: {further or 'none'}]"


def _short(value: Any) -> str:
    """A cell as text: a shape as a layout is written, axis by axis."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return "-" if value is None or value != value else str(value)


class _CountingCaller(ModelCaller):
    """Counts what goes through the model, also for the checks of its output and of copies: copies of it count along."""

    def __init__(self, model: nn.Module, **options: Unpack[CallOptions]):
        super().__init__(model, **options)
        self.values_run = [0]
        # A terminal alone sees it, and only where measuring takes a while: of models of some hundred layers it does.
        self.progress = Progress("layers: passes", None, shown=sys.stderr.isatty(), after=AFTER)

    def _forward(
        self, model_input: ModelInput, x: Tensor | None = None, *, substitutes: Mapping[str, Tensor] | None = None
    ) -> Any:
        self.values_run[0] += (model_input.x if x is None else x).numel()
        self.progress.advance()
        return super()._forward(model_input, x, substitutes=substitutes)


@checked
def layers(
    model: nn.Module,
    x: Signals,
    *,
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    observed: Any = None,
    **options: Unpack[CallOptions],
) -> pd.DataFrame:
    """Every tensor that a module of a model returns: which of its axes is which, and where its positions lie in time.

    Nothing is computed from kernel sizes: copies of one sample go through the model, unchanged and with one thing
    changed in each (a node, some frames, nothing), and what changes where tells the axes, and the frames that each
    position sees. Of thirty small architectures it took 34 to 1,494 inferences of one sample, half of them less than
    200, and of ten blocks of a narrow ST-GCN 380: more where layers see more than the clip, or all of it, where nodes
    mix so much that they are hard to tell, and where outputs take more than a gigabyte. The number stands in
    ``.attrs["inferences"]``, with all checks; a longer clip counts for as many of the given length.

    Args:
        model: any module; it is left as it was.
        x: see `Explainer.__call__`; one sample of it is used.
        valid: see `Explainer.__call__`.
        shared: see `Explainer.__call__`.
        per_sample: see `Explainer.__call__`.
        observed: see `Explainer.__call__`: NaN is allowed where it is false, and goes to the model as zero.
        **options: how the model is called; see `ModelCaller`.

    Returns:
        A row for each tensor, in the order in which modules finish, with the columns

        - `layer`: its name, to be given as `layer` to an explainer; ``"encoder[1]"`` is a further tensor of a tuple;
        - `type`: of the module;
        - `shape`: of the tensor; of a module that ran several times, that of the last call;
        - `layout`: its axes, such as ``"(b m) c t n"``; none where unknown. c, d, e, f are axes of channels;
        - `stride`, `offset`: position i stands for frame ``offset + i * stride``; none where there is no time, or where
          it is unknown;
        - `time`: how its positions see frames: ``"one frame"`` each; ``"aligned"``, some frames, of which a position
          stands for the middle; ``"causal"``, what came before, it stands for the last; ``"anticausal"``, what comes
          after, it stands for the first; ``"global"``, all frames, and its own most; ``"unknown"``; ``"none"``;
        - `sees`: how many frames a position sees, away from the ends of the clip;
        - `nodes`, `frames`: whether they survive;
        - `calls`: how often the module ran;
        - `calls_are_frames`: whether these are its positions in time;
        - `why`: what is unknown, and the reason.

    Raises:
        InputError: where the model does not run on the samples, or has no modules inside.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Conv2d(2, 4, (3, 1), padding=(1, 0)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> table = layers(model, torch.randn(5, 2, 8, 6), inputs="b c t n")
        >>> table[["layer", "layout", "stride", "offset", "time", "sees"]].iloc[0].tolist()
        ['0', 'b c t n', 1, 0, 'aligned', 3]
        >>> table["layout"].tolist()[1:], table["nodes"].tolist()
        (['b c 1 1', 'b c'], [True, False, False])
        >>> print(table)
        layer           type   shape  layout    time stride offset nodes frames
            0         Conv2d 5 4 8 6 b c t n aligned      1      0   yes    yes
            1 AdaptiveAvgP.. 5 4 1 1 b c 1 1    none      -      -    no     no
            2        Flatten     5 4     b c    none      -      -    no     no
        <BLANKLINE>
        [3 rows; further columns: sees, calls, calls_are_frames, why]
    """
    refuse_of_forward(model, [name for name in options if name not in CallOptions.__annotations__])
    caller = _CountingCaller(model, **options)
    if caller.model is None:
        raise InputError("model: got None; expected a torch.nn.Module.")
    with caller.progress, caller._model_frozen():
        model_input = caller._prepare(x, valid, shared, per_sample, observed=observed)
        probe = LayerProbe(caller, model_input)
        rows = [
            {
                "layer": one.name,
                "type": one.type,
                "shape": one.shape,
                "layout": None if one.layout is None else one.layout.pattern,
                "stride": one.timing.stride,
                "offset": whole(one.timing.offset),
                "time": one.timing.kind,
                "sees": one.timing.sees,
                "nodes": one.nodes,
                "frames": one.frames,
                "calls": one.calls,
                "calls_are_frames": one.by_frame,
                "why": one.why,
            }
            for one in probe.measure()
        ]
    if not rows:
        raise InputError(
            f"{type(caller.model).__name__} has no modules that return a floating tensor, so no layer. Explain the "
            "input, such as by IntegratedGradients."
        )
    # Objects, not floats: a missing stride is none, and a stride of 2 is 2.
    objects = ("shape", "layout", "stride", "offset", "sees")
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=object if name in objects else None) for name in rows[0]
    }
    table = LayerTable(columns)
    # A longer clip counts for as many of the given length.
    table.attrs["inferences"] = round(caller.values_run[0] * model_input.sizes["b"] / model_input.x.numel())
    return table
