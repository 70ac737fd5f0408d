"""Every test draws the same numbers, whichever ran before it in its process."""

import random

import numpy as np
import pytest
import torch

DRAWN = []


@pytest.fixture
def drawn_before():
    return torch.rand(3)


# The second goes on where the first has drawn, but for the seeding.
@pytest.mark.parametrize("number", range(2))
def test_a_test_draws_what_it_draws_alone(number, drawn_before):
    DRAWN.append([torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()])  # noqa: NPY002
    assert DRAWN[-1] == DRAWN[0]
    assert DRAWN[-1][0] != drawn_before.tolist(), "other numbers than its fixtures"


def test_examples_of_docstrings_are_seeded_too(pytestconfig):
    # A file of hooks is asked for the tests beside it alone, a plugin for all.
    assert "Seeded" in {type(plugin).__name__ for plugin in pytestconfig.pluginmanager.get_plugins()}
