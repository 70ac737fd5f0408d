"""Which modules define the public names of the package."""

import inspect
import pkgutil
from importlib import import_module

BELOW = ("stexplain.errors", "stexplain.metrics.dataset", "stexplain.checks.known")
"""A module, and packages inside of others, whose names users write."""
RESULTS = (
    *("stexplain.checks.trust.result", "stexplain.checks.selftest", "stexplain.data.store.check"),
    *("stexplain.explainers.target", "stexplain.metrics.truth.inferences"),
)
"""Modules of what public functions return: nobody makes these by hand, but who has one looks it up."""


def exported() -> dict[str, str]:
    """Public class or function of a package -> the module that defines it; and the classes that these return."""
    top = import_module("stexplain")
    packages = [
        "stexplain",
        *(f"stexplain.{found.name}" for found in pkgutil.iter_modules(top.__path__) if found.ispkg),
        *BELOW,
    ]
    names = {}
    for package in map(import_module, packages):
        for name in dir(package):
            value = None if name.startswith("_") else getattr(package, name)
            if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("stexplain."):
                names[f"{package.__name__}.{name}"] = value.__module__
    known = {(module, path.rpartition(".")[2]) for path, module in names.items()}
    for module in map(import_module, RESULTS):
        for name, value in vars(module).items():
            own = inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
            if own and (module.__name__, name) not in known:
                names[f"{module.__name__}.{name}"] = module.__name__
    return names


def shortest() -> dict[tuple[str, str], str]:
    """Module that defines a public name, and the name -> its page: the shortest path, such as `stexplain.STGraph`.

    Of two that are as short it is that of the package which holds the module, as errors are named in tracebacks.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for path, module in exported().items():
        found.setdefault((module, path.rpartition(".")[2]), []).append(path)
    return {
        (module, name): min(
            paths, key=lambda one: (one.count("."), not f"{module}.".startswith(f"{one.rpartition('.')[0]}."), one)
        )
        for (module, name), paths in found.items()
    }


def modules(names: str, *, everything: bool = False, left_out: str = "") -> list[str]:
    """The modules at and below `names` (separated by spaces) that define a public name, or all; without `left_out`."""
    public = set(exported().values())
    found = []
    for name in names.split():
        path = getattr(import_module(name), "__path__", None)
        if path is None:  # a module, not a package
            found.append(name)
            continue
        below = [entry.name for entry in pkgutil.walk_packages(path, f"{name}.") if not entry.ispkg]
        found += [module for module in below if everything or module in public]
    skipped = tuple(f"{package}." for package in left_out.split())
    return [module for module in dict.fromkeys(found) if not (skipped and module.startswith(skipped))]
