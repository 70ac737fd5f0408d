"""Gives targets at nodes the layout of the model's output, where neither they nor the model state it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.outputs.forecast_layout import forecast_layout
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.target import Target


def with_output_layout(caller: ModelCaller, model_input: ModelInput, targets: Sequence[Target]) -> list[Target]:
    """The targets, those that need to know how the model lays out its output with what was found.

    It is found once per kind of input, by sizes and, where several axes are as long as there are nodes, by changing
    some nodes; see `forecast_layout`. Where it cannot be determined, the targets stay as they are, and say so when
    called. The model must be frozen.

    Args:
        caller: of the model; it takes the note that says which layout was found.
        model_input: the samples.
        targets: any.
    """
    info = caller.output_info
    # Of a classifier, a target at nodes is a mistake, which the target itself explains.
    if info.layout is not None or info.classes or not any(target.needs_layout for target in targets):
        return list(targets)
    few = caller._rows(model_input, slice(0, min(2, model_input.sizes["b"])))
    kind = caller._kind_of(few)
    if kind not in caller._output_layouts:
        caller._output_layouts[kind] = _measured(caller, few)
    layout = caller._output_layouts[kind]
    if layout is None:
        return list(targets)
    caller._note(f"The model's output was found to be laid out as {layout.pattern!r}, t being the horizon.")
    return [target.with_layout(layout) if target.needs_layout else target for target in targets]


def _measured(caller: ModelCaller, few: ModelInput) -> Layout | None:
    def run(x: Tensor) -> Tensor:
        signals = caller.inputs.from_batch(x).contiguous()
        return ModelOutput(caller._forward(few, signals), few.sizes["b"], which=caller.output).chosen[1]

    x = caller.inputs.to_batch(few.x, **few.sizes)
    axes = caller._output_axes(few)
    try:
        with torch.no_grad():
            output = ModelOutput(caller._forward(few), few.sizes["b"], axes, caller.output)
            return forecast_layout(run, x, tuple(output.chosen[1].shape), output.axis)
    except InputError:
        # The target's own call says what is wrong with the output.
        return None
