"""`layers`: a table of what can be explained inside a model, measured."""

import sys
from collections.abc import Mapping
from typing import Any, Unpack

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
    table = pd.DataFrame(columns)
    # A longer clip counts for as many of the given length.
    table.attrs["inferences"] = round(caller.values_run[0] * model_input.sizes["b"] / model_input.x.numel())
    return table
