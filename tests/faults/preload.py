"""What the works import: the server that forks them has it all, so that a process begins with its work."""

import importlib
import pkgutil

import lightning_fabric  # noqa: F401

import stexplain
import tests.bench.small_experiment
import tests.bench.small_roads
import tests.data.skeleton_files  # noqa: F401
from stexplain.backend import dgl

# What a work imports at its first use, each of its processes would import again: seconds, where the work takes one.
for module in pkgutil.walk_packages(stexplain.__path__, "stexplain."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
if dgl.dgl_installed():
    dgl.import_dgl()
