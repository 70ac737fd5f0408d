"""The recipes of the documentation run, on the models that the architectures are tested with."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import stexplain as stx
from stexplain.explainers.explanation import Explanation
from tests.explainers.architectures.zoo import MAKERS, built

PAGE = Path(__file__).resolve().parents[3] / "docs" / "architectures.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the package is not tested in its checkout")


def recipes() -> list[tuple[str, str]]:
    """The architecture that a block of code is of, and the block."""
    return re.findall(r"<!-- (\w+) -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.S) if PAGE.is_file() else []


def test_every_block_is_of_an_architecture():
    assert len(recipes()) == PAGE.read_text("utf-8").count("```python") > 8
    assert {name for name, _ in recipes()} <= MAKERS.keys()


@pytest.mark.parametrize(("name", "code"), recipes(), ids=[f"{i}-{name}" for i, (name, _) in enumerate(recipes())])
def test_recipe_runs(name, code):
    case = built(name)
    names: dict[str, Any] = {
        "stx": stx,
        "torch": torch,
        "model": case.model,
        "x": case.x,
        "graph": case.options.get("graph"),
    }
    names |= {**case.shared, "clock": case.per_sample.get("TE")}
    exec(code, names)  # the code is this repository's own
    for result in names.values():
        if isinstance(result, Explanation):
            assert result.values.shape == tuple(case.sizes[axis] for axis in "bmtn")
            assert result.values.any()
