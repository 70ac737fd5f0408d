"""What `help` shows: annotations as a reader would write them, and no names of numpy's inside."""

import inspect
import pydoc
import re

import pytest

import stexplain as stx

NAMES = [name for name in stx.__all__ if inspect.isroutine(getattr(stx, name)) or inspect.isclass(getattr(stx, name))]


@pytest.mark.parametrize("name", NAMES)
def test_a_signature_is_short(name):
    text = str(inspect.signature(getattr(stx, name)))
    assert not re.search(r"[A-Za-z_]\.[A-Za-z_]", text), text
    assert not re.search(r"dtype|_Buffer|_NestedSequence|<class|<factory>|Unpack|Optional|[(, ]_\w+:|: '|> '", text), (
        text
    )


def test_the_arguments_that_are_passed_on_are_named():
    text = str(inspect.signature(stx.STGGradCAM))
    assert "inputs=..." in text
    assert "layer=..." in text
    assert "**options" not in text


def test_annotations_are_as_they_were():
    signature = inspect.signature(stx.explain)
    assert signature.parameters["valid"].default is None
    assert signature.parameters["options"].kind is inspect.Parameter.VAR_KEYWORD
    assert signature.replace(parameters=list(signature.parameters.values())[:1]).parameters.keys() == {"model"}
    first = next(iter(inspect.signature(stx.InputGradient).parameters.values()))
    assert first.annotation.__name__ == "Module"


def test_help_begins_with_a_plain_call():
    text = pydoc.plain(pydoc.render_doc(stx.explain))
    assert "explain(model: Module, x: Tensor | ndarray | Sample | Batch" in " ".join(text.split())
    assert "numpy" not in text
