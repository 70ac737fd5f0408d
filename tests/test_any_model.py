"""The contract of every public function that takes a model; a new one is tested without being named here.

Each is called on models of others, with what is not like ours given by its arguments, and must give what it gives for
the same function as a model of ours.
"""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.metrics import SampleMetric, compare
from tests.any_model import ADJACENCY, FORMS, FRAMES, NODES, SAMPLES, STEPS, Plain
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


@pytest.fixture(params=FUNCTIONS)
def function(request):
    return FUNCTIONS[request.param]


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def test_all_are_found():
    some = {"explain", "layer_sweep", "compare", "selftest", "masking_curve", "deletion_curve", "fidelity"}
    assert some | {"forecast_masking_curve", "sensitivity_max", "deletion_score", "fidelity_score"} <= set(FUNCTIONS)


def test_the_call_of_the_model_is_an_argument(function):
    parameters = inspect.signature(function).parameters
    options = takes_options(function)
    if makes_metric(function):
        assert options
    else:
        assert {"valid", "shared", "per_sample"} <= set(parameters)
        # An explainer brings its options along.
        assert options or "model" not in parameters


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


def test_models_of_others_give_what_the_same_function_gives(function, form):
    model, x = form.made(), form.x()
    kept, state = x.clone(), copy.deepcopy(model.__dict__)
    got = run(function, model, x, form.options, form.arguments)
    # What describes the model itself, such as its adjacencies, differs between models of one function.
    if "target" in inspect.signature(function).parameters or forgets(function) or makes_metric(function):
        expected = run(function, *form.reference(), {}, {})
        assert assert_alike(got, expected) > 0
    assert torch.equal(x, kept)
    assert set(vars(model)) == set(state)


def forgets(function: Any) -> Any:
    """Where a function takes what an explainer found, by the parameter's name: from an explanation."""
    parameters = inspect.signature(function).parameters
    return next((name for name in ("explanation", "node_importance", "class_importance") if name in parameters), None)


@pytest.mark.parametrize("function", [each for each in FUNCTIONS.values() if forgets(each)])
def test_an_explanation_remembers_how_the_model_was_called(function, form):
    model, x = form.made(), form.x()
    e = stx.InputGradient(model, **form.options)(x, target=FIXED["target"], **form.arguments)
    found: Any = e
    arguments: Mapping[str, Any] = {}
    if forgets(function) == "class_importance":
        found = stx.metrics.ClassImportance([str(k) for k in range(STEPS * NODES)], e.node_names)
        found.update(e, np.ones(SAMPLES, np.int64))
        # It is of many samples: what belongs to each is not kept.
        arguments = {name: form.arguments[name] for name in form.arguments if name == "per_sample"}
    got = run(function, model, x, {}, {**arguments, forgets(function): found})
    if isinstance(found, stx.metrics.ClassImportance):
        values = found.psi
    else:
        values = e.values if forgets(function) == "explanation" else (lambda _: e.nodes())
    expected = run(function, *form.reference(), {}, {forgets(function): values})
    assert assert_alike(got, expected) > 0


@pytest.mark.parametrize(
    "function", [each for each in FUNCTIONS.values() if "model" in inspect.signature(each).parameters]
)
def test_a_forgotten_argument_is_named_with_its_remedy(function):
    form = FORMS["signals second"]
    with pytest.raises(InputError, match="shared"):
        run(function, form.made(), form.x(), form.options, {})


def test_what_is_given_goes_before_what_is_remembered():
    form = FORMS["signals second"]
    model, x = form.made(), form.x()
    e = stx.InputGradient(model, **form.options)(x, target=FIXED["target"], **form.arguments)
    found = [
        stx.metrics.deletion_curve(model, x, each, target=FIXED["target"], **more).score
        for each, more in (
            (e, {}),
            (e, {"shared": {"adjacency": 2 * ADJACENCY}}),
            (e.values, {**form.options, "shared": {"adjacency": 2 * ADJACENCY}}),
        )
    ]
    np.testing.assert_array_equal(found[1], found[2])
    assert not np.allclose(found[0], found[1])


class TimeOfDay(Plain):
    """The second channel selects an entry of a table that has no others than these."""

    seen = (0.0, 0.1, 0.2, 0.3)

    def __init__(self):
        super().__init__(1)
        self.table = nn.Embedding(4, 1).double()

    def forward(self, x: Tensor) -> Any:  # b t n c
        index = (x[..., 1] * 10).round().long()
        assert torch.equal(x[..., 1], torch.tensor(self.seen).double()[index]), "an index was changed"
        return self.logits(x[..., :1] * self.table(index))


@pytest.mark.parametrize("options", [{"signals": [0]}, {}], ids=["named", "found"])
def test_an_index_is_never_changed(function, options):
    x = signals(SAMPLES, FRAMES, NODES, 2).double()
    index = torch.randint(4, x.shape[:-1], generator=torch.Generator().manual_seed(0))
    x[..., 1] = torch.tensor(TimeOfDay.seen).double()[index]
    # The counterfactual of a generator has the same indices.
    other = torch.stack([0.5 * x[..., 0], x[..., 1]], -1)
    run(function, TimeOfDay().eval(), x, {"inputs": "b t n c", **options}, {"counterfactual": other})


@pytest.mark.parametrize(
    "function", [each for each in FUNCTIONS.values() if "target" in inspect.signature(each).parameters]
)
def test_a_function_as_target_gets_what_the_model_returned(function):
    form = FORMS["a dict"]
    if makes_metric(function):
        pytest.skip("it is compared above")
    got = run(function, form.made(), form.x(), {"inputs": "b t n c"}, {"target": lambda output: output["wanted"][:, 1]})
    expected = run(function, *form.reference(), {}, {"target": lambda output: output[:, 1]})
    assert assert_alike(got, expected) > 0


class TwoStreams(Plain):
    def forward(self, joint: Tensor, bone: Tensor) -> Any:  # each b t n
        return self.logits(torch.stack([joint, bone], -1))


def streams() -> tuple[nn.Module, dict[str, Tensor], nn.Module, Tensor]:
    """A model of two streams and its samples, and the same function of two channels."""
    model, x = Plain().eval(), signals(SAMPLES, 1, FRAMES, NODES, 2).double()
    return TwoStreams().eval(), {"joint": x[:, 0, ..., 0], "bone": x[:, 0, ..., 1]}, model, x


def test_of_several_streams_the_explained_one_is_masked():
    model, x, reference, both = streams()
    e = stx.InputGradient(model, inputs="b t n")(x, target=stx.Class(1))
    options = {"target": stx.Class(1), "repeats": 1}
    for channel, name in enumerate(x):
        found = stx.metrics.deletion_curve(model, x, e[name], **options)
        alone = stx.metrics.deletion_curve(reference, both, e[name].values, signals=[channel], **options)
        np.testing.assert_allclose(found.score, alone.score, rtol=1e-6)
    every = stx.metrics.deletion_curve(model, x, e["bone"].values, inputs="b t n", **options)
    expected = stx.metrics.deletion_curve(reference, both, e["bone"].values, **options)
    np.testing.assert_allclose(every.score, expected.score, rtol=1e-6)
    with pytest.raises(InputError, match=r"expected the explanation of one, such as explanation\['joint'\]"):
        stx.metrics.deletion_curve(model, x, e, **options)
    with pytest.raises(InputError, match="got one tensor and the explanation of the stream 'bone'"):
        stx.metrics.fidelity(model, x["bone"], e["bone"])


def test_several_streams_are_compared_each_by_itself():
    model, x, reference, both = streams()
    explain = stx.InputGradient(model, inputs="b t n")
    metrics, options = [stx.metrics.deletion_score(model)], {"target": stx.Class(1), "progress": False}
    found = compare([explain, stx.Random(inputs="b t n")], metrics, x, **options).scores["deletion gain"]
    assert list(found) == ["input gradient, joint", "input gradient, bone", "random, joint", "random, bone"]
    e = explain(x, target=stx.Class(1))["bone"]
    alone = stx.metrics.deletion_curve(reference, both, e.values, target=stx.Class(1), signals=[1]).areas("gain")
    np.testing.assert_allclose(found["input gradient, bone"], alone, rtol=1e-6)
    absolute = stx.metrics.AbsoluteAttribution(explain)
    assert list(compare({"a": absolute}, metrics, x, **options).scores["deletion gain"]) == ["a, joint", "a, bone"]


@pytest.mark.parametrize(
    "kind", [stx.InputGradient, stx.IntegratedGradients, stx.STGGradCAM, stx.Occlusion, stx.Motion]
)
def test_the_selftest_takes_streams(kind):
    model, x, _, _ = streams()
    result = stx.selftest(model, kind, x, inputs="b t n", draws=1)
    result.raise_for_failure()
    assert result["deterministic"].passed
    assert result["batch independence"].passed
    assert result["equation"].passed is (None if kind in (stx.Occlusion, stx.Motion) else True)


def test_the_selftest_sees_streams_that_are_exchanged():
    class Exchanged(stx.InputGradient):
        def _add_streams(self, names, wholes, by_target):
            super()._add_streams(names, wholes, by_target)
            for found in by_target:
                found["joint"], found["bone"] = found["bone"], found["joint"]

    model, x, _, _ = streams()
    assert stx.selftest(model, Exchanged, x, inputs="b t n", draws=1).failed == ("equation",)


def test_nodes_are_masked_in_all_streams():
    model, x, reference, both = streams()
    psi, labels = FIXED["class_importance"], FIXED["labels"]
    found = stx.metrics.masking_curve(model, x, psi, nodes=2, labels=labels, inputs="b t n")
    expected = stx.metrics.masking_curve(reference, both, psi, nodes=2, labels=labels)
    for which, correct in expected.correct.items():
        np.testing.assert_array_equal(found.correct[which], correct)


def test_what_belongs_to_each_sample_follows_its_batch():
    form = FORMS["one argument per sample"]
    model, x = form.made(), form.x()
    options = {"nodes": 2, "labels": FIXED["labels"], **form.options, **form.arguments}
    whole = stx.metrics.masking_curve(model, x, FIXED["class_importance"], **options)
    cut = stx.metrics.masking_curve(model, (part for part in x.split([1, 3])), FIXED["class_importance"], **options)
    for which, correct in whole.correct.items():
        np.testing.assert_array_equal(cut.correct[which], correct)
    explain, options = stx.InputGradient(model, **form.options), {"target": stx.Class(1), "progress": False}
    # Not the gain over random orders, which nameless samples draw by their place in the batch.
    scores = [
        compare([explain], [stx.metrics.fidelity_score(model)], data, **options, **form.arguments).scores
        for data in (x, list(x.split(2)))
    ]
    assert assert_alike(scores[0], scores[1]) > 0


def test_the_explanations_of_a_sweep_remember_too():
    form = FORMS["signals second"]
    model, x, options = form.made(), form.x(), {"layers": ["hidden"], "layout": "b t n c", **form.options}
    sweep = stx.layer_sweep(model, x, target=stx.Class(1), **options, **form.arguments)
    found = stx.metrics.deletion_curve(model, x, sweep["hidden"], target=stx.Class(1))
    values = sweep["hidden"].values
    given = stx.metrics.deletion_curve(model, x, values, target=stx.Class(1), **form.options, **form.arguments)
    np.testing.assert_array_equal(found.score, given.score)


class Unmasked(Plain):
    """Takes a mask, but must be given none where none was given."""

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Any:  # b t n c
        assert valid is None, "a mask that no one gave"
        return self.logits(x)


def test_padding_that_is_noticed_changes_no_score(function):
    x = signals(SAMPLES, FRAMES, NODES, 2).double()
    x[1:, 3:] = 0
    run(function, Unmasked().eval(), x, {"inputs": "b t n c"}, {})


def test_all_frames_may_be_said_to_be_valid(function):
    if "valid" not in inspect.signature(function).parameters:
        pytest.skip("its metric takes what the explanation remembers")
    x = signals(SAMPLES, FRAMES, NODES, 2).double()
    x[1:, 3:] = 0
    run(function, Unmasked().eval(), x, {"inputs": "b t n c"}, {"valid": True})
