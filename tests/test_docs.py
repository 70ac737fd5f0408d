import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import stexplain

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
PACKAGES = ["data", "explain", "graph", "metrics", "nn", "report", "train", "viz"]


def exported():
    """Every public class and function, by where it is defined."""
    for name in ["", *PACKAGES]:
        package = import_module("stexplain" + (f".{name}" if name else ""))
        for public in dir(package):
            value = None if public.startswith("_") else getattr(package, public)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{package.__name__}.{public}", value.__module__


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the package is not tested in its checkout")
def test_every_public_name_is_in_the_reference():
    listed = set(re.findall(r"automodule:: (\S+)", REFERENCE.read_text("utf-8")))
    lacking = {name: module for name, module in exported() if module.startswith("stexplain") and module not in listed}
    assert not lacking


def test_there_are_public_names():
    assert len(list(exported())) > 60
    assert stexplain.__all__
