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


def modules(name: str, *, everything: bool = False) -> list[str]:
    """The modules at and below `name` that define a public name, or all of them."""
    path = getattr(import_module(name), "__path__", None)
    below = [] if path is None else [found.name for found in pkgutil.walk_packages(path, f"{name}.") if not found.ispkg]
    public = set(exported().values())
    return [module for module in ([name] if path is None else below) if everything or path is None or module in public]
