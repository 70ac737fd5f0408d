"""Every public function that takes a model, found by its parameters, and called with what each of them needs."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, nn

import stexplain as stx
from stexplain.metrics import SampleMetric, compare
from tests.any_model import FRAMES, NODES, SAMPLES, STEPS
from tests.explainers.small_models import signals

SAMPLES_OF = ("x", "batches", "data")
"""What the samples are called; a function with none of these calls no model, unless it makes a metric."""

CALL_NO_MODEL = {"baseline_scores"}
"""These take a model for how samples are prepared, and call none."""

FIXED: dict[str, Any] = {
    "target": stx.Class(1),
    "class_importance": signals(STEPS * NODES, NODES).numpy(),
    "node_importance": signals(NODES).numpy(),
    "nodes": 2,
    "labels": np.arange(SAMPLES),
    "y": signals(SAMPLES, STEPS, NODES).numpy(),
    "layout": "b (t n)",
    "layers": ["hidden"],
    "method": "InputGradient",
    "focus": "phenomenon",
    "draws": 2,
    "progress": False,
    "permutations": 100,
    "resamples": 20,
    "windows": 2,
}
"""Values of parameters by name, that are the same for every model."""


def hint(function: Any, name: str) -> str:
    """A parameter's type in words: some are names that only type checkers import."""
    annotation = inspect.signature(function).parameters[name].annotation
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def makes_metric(function: Any) -> bool:
    """Whether it makes a metric that calls a model: others have no options."""
    return inspect.signature(function).return_annotation is SampleMetric and takes_options(function)


def takes_options(function: Any) -> bool:
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def calls_model(function: Any) -> bool:
    parameters = inspect.signature(function).parameters
    given = any("Module" in hint(function, name) or "Explainer" in hint(function, name) for name in parameters)
    return (given and any(name in parameters for name in SAMPLES_OF)) or makes_metric(function)


def public_functions() -> dict[str, Any]:
    found = {}
    for module in (stx, stx.metrics):
        for name in dir(module):
            value = getattr(module, name)
            if name in CALL_NO_MODEL:
                continue
            if inspect.isfunction(value) and not name.startswith("_") and calls_model(value):
                found[name] = value
    return found


FUNCTIONS = public_functions()


def run(function: Any, model: nn.Module, x: Tensor, options: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
    """What a function gives, with the parameters that it has filled in by name."""
    signature = inspect.signature(function)
    parameters = signature.parameters
    explainer = stx.InputGradient(model, **options)
    if makes_metric(function):
        arguments = {name: value for name, value in arguments.items() if name != "counterfactual"}
        # A metric is measured by `compare`, whose explainers say how the model is called.
        metric = function(**{name: value for name, value in {"model": model}.items() if name in parameters})
        measure = partial(compare, [explainer, stx.Random(model)], [metric], x)
        return measure(target=FIXED["target"], progress=False, resamples=20, permutations=100, **arguments).scores
    values = {
        **FIXED,
        **dict.fromkeys(SAMPLES_OF, x),
        "counterfactual": 0.5 * x,
        "model": model,
        "explainer": stx.InputGradient if takes_options(function) else explainer,
        "explainers": [explainer, stx.Random(model)],
        "metrics": [
            stx.metrics.deletion_score(model),
            stx.metrics.sensitivity_score(draws=2),
        ],
        "explanation": signals(SAMPLES, 1, FRAMES, NODES).numpy(),
        **arguments,
    }
    chosen = {name: value for name, value in values.items() if name in parameters and fits(function, name, value)}
    missing = [
        name
        for name, each in parameters.items()
        if name not in chosen and each.default is each.empty and each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    assert not missing, f"{function.__name__}: say in FIXED what {missing} is"
    return function(**chosen, **(options if takes_options(function) else {}))


def fits(function: Any, name: str, value: Any) -> bool:
    """Whether a parameter takes a value of this kind: `method` is the name of a class here, and a class there."""
    return not isinstance(value, str) or "str" in hint(function, name)


def assert_alike(one: Any, other: Any, path: str = "") -> int:
    """Equal numbers, however nested; returns how many arrays and numbers were compared."""
    # None: a check that does not apply, such as of samples alone in a model of one batch size.
    if isinstance(one, str) or one is None or other is None:
        return 0
    if is_dataclass(one) and not isinstance(one, type):
        # Times, words, and how the model was called differ as they should.
        names = {each.name for each in fields(one)} - {"seconds", "subject", "why", "call", "target", "graph", "extra"}
        pairs = {name: (getattr(one, name), getattr(other, name)) for name in names}
    elif isinstance(one, pd.DataFrame):
        numbers = one.select_dtypes("number")
        pairs = {name: (numbers[name].to_numpy(), other[name].to_numpy()) for name in numbers}
    elif isinstance(one, Mapping):
        assert one.keys() == other.keys(), path
        pairs = {name: (one[name], other[name]) for name in one}
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        pairs = {str(index): pair for index, pair in enumerate(zip(one, other, strict=True))}
    else:
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4, atol=1e-6, err_msg=path)
        return 1
    return sum(assert_alike(*pair, f"{path}.{name}") for name, pair in pairs.items())
