"""What `stexplain.data` offers: functions and classes by name, whatever was imported before."""

import pkgutil
import subprocess
import sys

import pytest

import stexplain.data


def test_every_name_resolves_and_dir_lists_them():
    assert dir(stexplain.data) == sorted(stexplain.data.__all__)
    for name in stexplain.data.__all__:
        assert callable(getattr(stexplain.data, name))


def test_no_submodule_has_the_name_of_what_the_package_offers():
    submodules = {module.name for module in pkgutil.iter_modules(stexplain.data.__path__)}
    assert not submodules & set(stexplain.data.__all__)


def test_a_loader_is_a_function_after_every_submodule_was_imported():
    code = """
import importlib, inspect, pkgutil
import stexplain.data
for module in pkgutil.walk_packages(stexplain.data.__path__, "stexplain.data."):
    importlib.import_module(module.name)
from stexplain.data import check_store, load_clips, load_dataset, load_series, read_skeleton
for offered in (check_store, load_clips, load_dataset, load_series, read_skeleton):
    assert inspect.isfunction(offered), offered
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'load_series'"):
        _ = stexplain.data.load_serie


def test_recordings_are_prepared_without_torch():
    code = "import sys, stexplain.data.store.shards, stexplain.data.planted.generate; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
