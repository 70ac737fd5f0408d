"""The names that `stexplain.training` exports, whatever is imported first."""

import importlib
import subprocess
import sys
from types import ModuleType

import stexplain.training as training


def test_every_export_is_defined_under_its_own_name() -> None:
    exported = {
        name: value
        for name, value in vars(training).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert {"fit", "evaluate", "historical_average"} <= set(exported)
    for name, value in exported.items():
        assert getattr(importlib.import_module(value.__module__), name) is value


def test_the_order_of_imports_does_not_matter() -> None:
    code = (
        "import stexplain.training.evaluate, stexplain.data.baselines.historical, stexplain.training as training\n"
        "print([name for name in ('fit', 'evaluate', 'historical_average') if not callable(getattr(training, name))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
