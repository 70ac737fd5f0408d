"""The stages of experiments, one file each; see `stexplain.bench.stage`. Adding a stage is adding a file."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from stexplain.bench.stage import Stage


def stage_types() -> dict[str, type[Stage[Any]]]:
    """Every stage there is, by name: the one `Stage` that each file of this package defines.

    Example:
        >>> stage_types()["accuracy"].title
        'Accuracy'
    """
    types: dict[str, type[Stage[Any]]] = {}
    for entry in iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        defined = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Stage)]
        # A module may import the stages that it needs; they are those of other files.
        types |= {value.name: value for value in defined if value.__module__ == module.__name__}
    return types
