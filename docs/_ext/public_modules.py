"""Which modules define the public names of the package."""

import inspect
import pkgutil
from importlib import import_module


def exported() -> dict[str, str]:
    """Public class or function of a package -> the module that defines it."""
    top = import_module("stexplain")
    packages = [
        "stexplain",
        *(f"stexplain.{found.name}" for found in pkgutil.iter_modules(top.__path__) if found.ispkg),
    ]
    names = {}
    for package in map(import_module, packages):
        for name in dir(package):
            value = None if name.startswith("_") else getattr(package, name)
            if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("stexplain."):
                names[f"{package.__name__}.{name}"] = value.__module__
    return names


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
