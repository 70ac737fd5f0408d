"""Parses `--target`, and checks it against a model without loading the model."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from stexplain.cards import DatasetCard, SeriesCard
from stexplain.errors import InputError, unknown


@dataclass(frozen=True)
class ParsedTarget:
    """The parsed `--target`.

    Attributes:
        kind: what is explained: the predicted class, a class, or a forecast.
        name: of the class, or of the node whose forecast is explained; or its index, see `index_or_name`.
        horizon: of the forecast, in steps ahead from 1.
    """

    kind: Literal["predicted", "class", "forecast"]
    name: str = ""
    horizon: int = 0


def parse_target(text: str) -> ParsedTarget:
    """Parses `--target`.

    Raises:
        InputError: where it is empty, or begins as a forecast and is not ``forecast:NODE:HORIZON``.

    Example:
        >>> parse_target("forecast:s7:3")
        ParsedTarget(kind='forecast', name='s7', horizon=3)
    """
    if text == "predicted":
        return ParsedTarget("predicted")
    if text.partition(":")[0] == "forecast":
        # Names with a colon would need quoting; no dataset has one.
        parts = text.split(":")
        if len(parts) != 3 or not parts[1] or not parts[2].isdecimal() or int(parts[2]) < 1:
            raise InputError(f"--target: got {text!r}; expected forecast:NODE:HORIZON, such as forecast:s7:3.")
        return ParsedTarget("forecast", parts[1], int(parts[2]))
    if not text:
        raise InputError("--target: got nothing; expected predicted, a class, or forecast:NODE:HORIZON.")
    return ParsedTarget("class", text)


def index_or_name(text: str, names: Collection[str]) -> int | str:
    """The name where it is one, which may be a number such as that of a loop detector; else a number is an index."""
    return int(text) if text.isdecimal() and text not in names else text


def validate_target(target: ParsedTarget, saved: dict[str, Any] | None, dataset: DatasetCard | SeriesCard) -> None:
    """Checks the target against the outputs of a model, as far as they are known without loading it."""
    if saved is not None and saved.get("classes") is None:
        # A class that is not ours may have outputs of any kind: it is checked once it is loaded.
        if str(saved.get("architecture", "")).startswith("stexplain."):
            nodes = saved.get("graph", {}).get("nodes", [])
            _validate_forecast(target, nodes, saved.get("hyperparameters", {}).get("horizon"))
        return
    if saved is not None and target.kind == "forecast":
        raise forecast_of_classifier("the model in MODEL")
    # A store may hold fewer classes than its card; a trained model knows which it had.
    names = (saved or {}).get("class_names") or (dataset.class_names if isinstance(dataset, DatasetCard) else [])
    if target.kind == "class" and names:
        _validate_name("class", target.name, names)


def _validate_name(kind: str, text: str, names: list[str]) -> None:
    """Refuses a name, or an index, that is not one of the names."""
    name = index_or_name(text, names)
    if isinstance(name, int) and name >= len(names):
        raise InputError(f"--target: got {kind} {name}; expected 0 to {len(names) - 1}, or a {kind}'s name.")
    if isinstance(name, str) and name not in names:
        raise unknown(kind, name, names)


def _validate_forecast(target: ParsedTarget, nodes: list[str], horizon: int | None) -> None:
    if target.kind != "forecast":
        raise class_of_forecaster("the model in MODEL", nodes)
    _validate_name("node", target.name, nodes)
    if horizon is not None and target.horizon > horizon:
        raise InputError(f"--target: got horizon {target.horizon}; expected 1 to {horizon}, as the model forecasts.")


def class_of_forecaster(model: str, nodes: list[str]) -> InputError:
    """The error for the target of a forecaster that is no forecast."""
    # A node that exists: the message can be copied.
    example = f"forecast:{nodes[0] if nodes else 's7'}:3"
    return InputError(
        f"--target: got a class, but {model} is a forecaster. Give --target forecast:NODE:HORIZON, such as "
        f"--target {example!r}."
    )


def forecast_of_classifier(model: str) -> InputError:
    """The error for the target of a classifier that is a forecast."""
    return InputError(f"--target: got a forecast, but {model} is a classifier. Give --target predicted, or a class.")
