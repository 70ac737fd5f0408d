"""The rules of `signature`, one by one: what forward takes, where each argument goes, what is refused, and how."""

import inspect
import io
import warnings
from inspect import Parameter

import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.model.arguments.signature import (
    call_arguments,
    check_names,
    forward_signature,
    forward_takes,
    missing_arguments,
    needs,
    raised,
    signal_parameter,
    takes,
)


def model(forward):
    """A model with this forward, which is called without `self`."""

    class Model(nn.Module):
        pass

    built = Model()
    built.forward = forward
    return built


class Gained(nn.Module):
    def forward(self, x: torch.Tensor, offset: int, gain: float = 2.0) -> torch.Tensor:
        return x * gain + offset


def test_a_scripted_forward_from_a_file_says_names_and_defaults():
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Torch advises against scripts, but loads them.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Gained()), file)
        file.seek(0)
        loaded = torch.jit.load(file)
    plain = inspect.signature(Gained().forward).parameters
    found = forward_signature(loaded).parameters
    assert [(one.name, one.kind, one.default) for one in found.values()] == [
        (one.name, one.kind, one.default) for one in plain.values()
    ]
    assert found["x"].default is Parameter.empty


def test_a_forward_without_any_signature_takes_anything():
    """As of a function in C."""
    found = forward_signature(model(dict.update))
    assert [one.kind for one in found.parameters.values()] == [Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD]


SIGNATURE = inspect.signature(lambda x, gain=None, *rest, support, bias=1, **more: None)


@pytest.mark.parametrize(
    ("name", "taken", "needed"),
    [
        ("x", True, True),
        ("gain", True, False),
        ("support", True, True),
        ("bias", True, False),
        ("rest", False, False),
        ("more", False, False),
        ("other", False, False),
    ],
)
def test_what_is_taken_and_what_is_needed(name, taken, needed):
    assert (takes(SIGNATURE, name), needs(SIGNATURE, name)) == (taken, needed)
    assert forward_takes(model(lambda x, gain=None, *rest, support, bias=1, **more: None), name) is taken


FORWARDS = {
    "two": lambda x, support: None,
    "by name": lambda *, support, x: None,
    "rest": lambda *args: None,
    "names": lambda **named: None,
    "one, then the rest": lambda x, *args: None,
    "one, then names": lambda x, **named: None,
    "none": lambda: None,
    "both": lambda *args, **named: None,
}


@pytest.mark.parametrize(
    ("forward", "argument", "given", "expected"),
    [
        ("two", None, [], "x"),
        ("two", None, ["x"], "support"),
        ("two", "support", [], "support"),
        ("two", "support", ["x"], "support"),
        ("two", None, ["x", "support"], "Model.forward has no parameter left for the signals"),
        ("two", "y", [], "argument= of Model.forward 'y'"),
        ("two", "x", ["x"], "argument: 'x' takes the signals x; got it by shared= or per_sample= too"),
        ("by name", None, [], "support"),
        ("by name", None, ["support"], "x"),
        ("rest", None, [], None),
        ("rest", None, ["support"], None),
        ("rest", "args", [], "argument= of Model.forward 'args'"),
        ("names", None, [], "Model.forward does not say which argument takes the signals"),
        ("names", None, ["support"], "Model.forward does not say which argument takes the signals"),
        ("names", "x", [], "x"),
        ("one, then the rest", None, ["x"], None),
        ("one, then the rest", None, [], "x"),
        ("one, then names", None, ["x"], "Model.forward does not say which argument takes the signals"),
        ("one, then names", "y", [], "y"),
        ("none", None, [], "Model.forward does not say which argument takes the signals"),
        ("none", None, ["x"], "Model.forward has no parameter left for the signals"),
        ("both", None, [], None),
    ],
)
def test_where_the_signals_go(forward, argument, given, expected):
    one = model(FORWARDS[forward])
    if expected is None or " " not in expected:
        assert signal_parameter(one, argument, given) == expected
    else:
        with pytest.raises(InputError, match=expected.replace("(", r"\(")):
            signal_parameter(one, argument, given)


@pytest.mark.parametrize(
    ("forward", "argument", "given", "message"),
    [
        ("two", None, ["support"], ""),
        ("two", None, [], ""),
        ("two", None, ["suport"], "argument of Model.forward 'suport'. Did you mean 'support'"),
        ("by name", None, ["y"], "argument of Model.forward 'y'"),
        ("rest", None, ["any"], ""),
        ("both", None, ["any"], ""),
        ("one, then names", None, ["any"], ""),
        ("one, then names", "x", ["x"], "argument: 'x' takes the signals x"),
        # The names are right, but nothing is left for the signals.
        ("two", None, ["x", "support"], "no parameter left for the signals"),
    ],
)
def test_names_that_forward_has_no_parameter_for(forward, argument, given, message):
    if not message:
        check_names(model(FORWARDS[forward]), argument, given)
    else:
        with pytest.raises(InputError, match=message):
            check_names(model(FORWARDS[forward]), argument, given)


@pytest.mark.parametrize(
    ("names", "taken", "text"),
    [
        (
            ["a"],
            None,
            "Model.forward needs the argument 'a', which was not given. Give what is the same for all samples by "
            "shared={'a': ...}, and what has an entry per sample by per_sample={'a': ...}.",
        ),
        (
            ["a", "b"],
            "x",
            "Model.forward needs the arguments 'a', 'b', which were not given. Give what is the same for all samples "
            "by shared={'a': ...}, and what has an entry per sample by per_sample={'a': ...}. The signals went to "
            "'x'; where they belong elsewhere, name it: argument='a'.",
        ),
    ],
)
def test_missing_arguments_are_named_with_how_they_are_given(names, taken, text):
    assert missing_arguments(model(FORWARDS["two"]), names, taken).args == (text,)


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (TypeError("f() missing 1 required positional argument: 'a'"), "the argument 'a'"),
        (TypeError("f() missing 2 required positional arguments: 'a' and 'b'"), "the arguments 'a', 'b'"),
        (TypeError("f() missing 1 required keyword-only argument: 'a'"), "the argument 'a'"),
    ],
)
def test_what_an_inner_call_misses_is_told_as_what_forward_needs(error, names):
    assert f"Model.forward needs {names}, which" in raised(model(FORWARDS["both"]), error, (2,), "b").args[0]
    other = RuntimeError(str(error))
    assert raised(model(FORWARDS["both"]), other, (2,), "b").args[0].startswith("Model raised RuntimeError for x of")


def test_an_error_has_the_notes_that_others_added():
    error = ValueError("no")
    error.add_note("in encoder")
    error.add_note("at layer 2")
    text = "Model raised ValueError for x of shape (2, 3), laid out as 'b t': no in encoder at layer 2"
    assert raised(model(FORWARDS["two"]), error, (2, 3), "b t").args == (text,)


@pytest.mark.parametrize(
    ("shape", "layouts"),
    [
        ((2, 1, 6, 5, 1), ["b t n", "b t n c"]),
        ((2, 1, 6, 5, 3), ["b c t n", "b t n c"]),
        ((2, 2, 6, 5, 3), ["b c t n m"]),
        ((2, 2, 6, 5, 1), ["b c t n m"]),
        # Not of ours: which of its axes are which is not known.
        ((2, 1, 6, 1), ["b c t n m"]),
        ((1, 1, 1), ["b c t n m"]),
        ((2, 1, 6, 5, 1, 1), ["b c t n m"]),
    ],
)
def test_another_layout_is_named_where_none_was_declared(shape, layouts):
    one, error = model(FORWARDS["two"]), RuntimeError("no")
    text = raised(one, error, shape, "b m t n c", declared=False).args[0]
    listed = " or ".join(f"inputs={layout!r}" for layout in layouts)
    assert f"such as {listed} (b samples" in text
    assert "inputs=" not in raised(one, error, shape, "b m t n c", declared=True).args[0]


@pytest.mark.parametrize(
    ("forward", "argument", "further", "expected"),
    [
        (lambda x, a: None, None, {"a": 1}, (("X",), {"a": 1})),
        (lambda x, a: None, "a", {"x": 1}, ((1, "X"), {})),
        (lambda x, a=0: None, None, {}, (("X",), {})),
        # What follows a parameter that keeps its default goes by name.
        (lambda a=0, x=0, b=0: None, "x", {}, ((), {"x": "X"})),
        (lambda x, a=0, b=0: None, None, {"b": 2}, (("X",), {"b": 2})),
        # What stands behind the signals goes by name: hooks see what comes by place.
        (lambda x, a, b: None, None, {"a": 1, "b": 2}, (("X",), {"a": 1, "b": 2})),
        (lambda a, b, x, c: None, "x", {"a": 1, "b": 2, "c": 3}, ((1, 2, "X"), {"c": 3})),
        (lambda x, a, /, b: None, None, {"a": 1, "b": 2}, (("X", 1), {"b": 2})),
        (lambda *, x, a: None, "x", {"a": 1}, ((), {"x": "X", "a": 1})),
        # What has no parameter goes into *args, in its order, behind the signals.
        (lambda *args: None, None, {"a": 1, "b": 2}, (("X", 1, 2), {})),
        (lambda *args, **named: None, None, {"a": 1}, (("X",), {"a": 1})),
        (lambda x, *args: None, None, {"a": 1, "b": 2}, (("X", 1, 2), {})),
        (lambda x, b, *args: None, None, {"a": 1, "b": 2}, (("X", 2, 1), {})),
        (lambda a, *args: None, None, {"a": 1}, ((1, "X"), {})),
        (lambda x, **named: None, "y", {"x": 1}, ((1,), {"y": "X"})),
    ],
)
def test_how_forward_is_called(forward, argument, further, expected):
    assert call_arguments(model(forward), argument, "X", further) == expected
    # Nothing is lost, and the call is one that forward takes.
    bound = inspect.signature(forward).bind(*expected[0], **expected[1])
    assert "X" in str(bound.arguments)


@pytest.mark.parametrize(
    ("forward", "argument", "further", "message"),
    [
        (lambda x, a: None, None, {}, "needs the argument 'a', which was not given.*The signals went to 'x'"),
        (lambda x, a: None, "x", {}, r"needs the argument 'a', which was not given.*per_sample=\{'a': \.\.\.\}\.$"),
        (lambda x, a, b, c=1: None, None, {}, "needs the arguments 'a', 'b', which were"),
        (lambda x, *args, a, **named: None, None, {}, "needs the argument 'a', which was"),
    ],
)
def test_what_forward_needs_and_does_not_get(forward, argument, further, message):
    with pytest.raises(InputError, match=message):
        call_arguments(model(forward), argument, "X", further)
