"""The contract of every public function that takes a model; a new one is tested without being named here.

Each is called on models of others, with what is not like ours given by its arguments, and must give what it gives for
the same function as a model of ours.
"""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.metrics import compare
from tests.any_model import ADJACENCY, FORMS, FRAMES, NODES, SAMPLES, STEPS, Plain
from tests.every_function import FIXED, FUNCTIONS, assert_alike, makes_metric, run, takes_options
from tests.explainers.small_models import signals


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
