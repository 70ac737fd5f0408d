"""An experiment: datasets, models, explainers and metrics, from data to a report.

From its TOML to its report: `experiment` reads and checks it, `runner` runs its stages (`stages/`, one file each) on
every `run`, `records` keeps what is finished, `report` shows it.

`stexplain.bench` is called like a function and is this package at once: both are the same word for the same thing.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from stexplain.bench.runner import bench

        return bench(*args, **kwargs)


# `stx.bench("ntu")` is the documented call; importing any submodule binds the package to that name.
sys.modules[__name__].__class__ = _Callable
