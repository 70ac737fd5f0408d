import os
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from tests.properties.examples import everywhere

settings.register_profile("stexplain", everywhere)
settings.load_profile("stexplain")


SEED = int(os.environ.get("STEXPLAIN_TEST_SEED", "0"))


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - what tests and those they call draw from by default
    # `torch.manual_seed` also notes the stack of calls for accelerators that are not there, which takes a millisecond.
    torch.default_generator.manual_seed(number)


class Seeded:
    """Tests and examples draw the same numbers in every run, whichever others ran before them in their process.

    Fixtures of a file are made with the first test that takes them, so a test draws anew after them.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        seed(2 * SEED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        seed(2 * SEED + 1)


def pytest_configure(config: Any) -> None:
    """Seeds all tests, those in docstrings too, and sets the order of files.

    On several cores files begin in their order, by which the examples of docstrings, all short, are the last.

    By itself pytest-xdist begins those of the most tests first: a file whose few tests train for minutes would then be
    the last, and all other cores idle.
    """
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
    # A plugin, as hooks of this file alone are not called for the examples of docstrings, which lie elsewhere.
    config.pluginmanager.register(Seeded())
