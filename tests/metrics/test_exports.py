"""The names that `stexplain.metrics` exports, whatever is imported first."""

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import stexplain.metrics as metrics

SUBMODULES = sorted(info.name for info in pkgutil.iter_modules(metrics.__path__))


def exported():
    """The public names of the package that are not modules."""
    return {
        name: value
        for name, value in vars(metrics).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }


def test_every_export_is_defined_under_its_own_name():
    for name, value in exported().items():
        module = importlib.import_module(value.__module__)
        assert value.__module__.startswith(("stexplain.metrics.", "stexplain.intervals."))
        assert getattr(module, name) is value
        assert value.__name__ == name


def test_functions_win_over_submodules_of_their_name():
    shared = set(SUBMODULES) & set(exported())
    assert {"complexity", "contrastivity", "faithfulness", "fidelity", "localisation"} <= shared
    # A submodule whose name is also that of a function in it must be exported as the function.
    for name in SUBMODULES:
        module = importlib.import_module(f"stexplain.metrics.{name}")
        if callable(getattr(module, name, None)) and getattr(module, name).__module__ == module.__name__:
            assert getattr(metrics, name) is getattr(module, name)


@pytest.mark.parametrize("first", ["stexplain.metrics.faithfulness", "stexplain.metrics.comparison.compare"])
def test_the_order_of_imports_does_not_matter(first):
    code = (
        f"import {first}, stexplain as stx, stexplain.metrics.localisation, stexplain.metrics.forecast_masking\n"
        "names = ('complexity', 'contrastivity', 'faithfulness', 'fidelity', 'localisation', 'compare', 'interval')\n"
        "print([name for name in names if not callable(getattr(stx.metrics, name))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
