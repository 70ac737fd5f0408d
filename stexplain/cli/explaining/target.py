"""Turns the parsed `--target` into the target of an explanation, once the model is loaded. Imports torch."""

from collections.abc import Sequence

from torch import nn

from stexplain.cli.validate.target import (
    ParsedTarget,
    class_of_forecaster,
    forecast_of_classifier,
    index_or_name,
)
from stexplain.explainers.target import Target
from stexplain.explainers.targets import Class, Forecast, Predicted


def check_target(target: ParsedTarget, network: nn.Module) -> None:
    """Refuses a class of a forecaster, and a forecast of a classifier.

    Raises:
        InputError: where it is so.
    """
    # Forecasters say how their output is laid out; a model of one's own without class names may be anything.
    forecasts = getattr(network, "outputs", None) is not None
    if forecasts and target.kind != "forecast":
        nodes = getattr(getattr(network, "graph", None), "nodes", ())
        raise class_of_forecaster(type(network).__name__, list(nodes))
    if not forecasts and target.kind == "forecast" and getattr(network, "class_names", None):
        raise forecast_of_classifier(type(network).__name__)


def make_target(target: ParsedTarget, nodes: Sequence[str], classes: Sequence[str]) -> Target:
    """The target that `--target` names.

    Args:
        target: the parsed `--target`.
        nodes: names of the graph's nodes.
        classes: names of the classes; empty where they have none.
    """
    if target.kind == "predicted":
        return Predicted()
    if target.kind == "class":
        return Class(index_or_name(target.name, classes))
    return Forecast(index_or_name(target.name, nodes), target.horizon)


def forecast_node(target: ParsedTarget, nodes: Sequence[str]) -> str:
    """The name of the node whose forecast is explained."""
    name = index_or_name(target.name, nodes)
    return nodes[name] if isinstance(name, int) else name
