"""Answers for `dgl.graphbolt` where the real one cannot load, so that the rest of DGL can be imported.

DGL 2.1.0 loads at import a GraphBolt binary that was built for torch up to 2.2.1 only. Message passing needs nothing
of it. While `open_gate` is active, the import of the single name ``dgl.graphbolt`` is tried as ever; only where that
fails does an empty module stand in, whose missing names raise AttributeError. With a pair of versions that fit, and
with a DGL that has no GraphBolt, nothing changes.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import NoReturn

NAME = "dgl.graphbolt"


@dataclass(frozen=True)
class GateState:
    """What became of `dgl.graphbolt` in this process.

    Attributes:
        in_use: whether the stub answers for it.
        reason: why, in words.
    """

    in_use: bool
    reason: str


class GraphboltStub(ModuleType):
    """Stands in for `dgl.graphbolt`: has no names, and says why when one is asked for.

    The error is AttributeError, never ImportError: pickle, inspect and doctest probe every loaded module for names
    and expect just that.
    """

    def __init__(self, reason: str):
        super().__init__(NAME, "Stands in for GraphBolt, which cannot load.")
        self.__path__: list[str] = []  # so that `import dgl.graphbolt.x` finds nothing rather than half a package
        self._reason = reason

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{NAME} has no {name!r}: GraphBolt cannot load: {self.__dict__.get('_reason')}")


class _TryFirst(Loader):
    """Runs the real module; where that cannot load, puts the stub in its place."""

    def __init__(self, real: Loader, folders: Sequence[str]):
        self.real = real
        self.folders = folders

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Known beforehand, so that half of the package and of torchdata need not be loaded to find out.
        reason = _no_binary(self.folders)
        if reason is None:
            try:
                self.real.exec_module(module)
                return
            except (ImportError, OSError, AttributeError, RuntimeError) as error:
                message = next(iter(str(error).splitlines()), "")
                reason = f"it fails with {type(error).__name__}: {message}"
        # What the real package loaded before it failed would be half of it.
        for loaded in [key for key in sys.modules if key.startswith(f"{NAME}.")]:
            del sys.modules[loaded]
        stub = GraphboltStub(reason)
        stub.__spec__ = module.__spec__
        sys.modules[NAME] = stub


def _no_binary(folders: Sequence[str]) -> str | None:
    """Why GraphBolt has no binary for this torch; none where it has one, or keeps them elsewhere."""
    import torch

    binaries = [file.stem for folder in folders for file in Path(folder).glob("libgraphbolt_pytorch_*")]
    built_for = sorted({stem.removeprefix("libgraphbolt_pytorch_") for stem in binaries})
    version = torch.__version__.split("+")[0]
    if not built_for or version in built_for:
        return None
    return f"it has binaries for torch {', '.join(built_for)}, and torch is {version}"


class _Finder(MetaPathFinder):
    """Finds `dgl.graphbolt` where it is, and has it loaded by `_TryFirst`; leaves every other name alone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != NAME:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _TryFirst(spec.loader, spec.submodule_search_locations or [])
        return spec


@contextmanager
def open_gate() -> Iterator[None]:
    """While active, an import of `dgl.graphbolt` that fails gives the stub instead.

    Import DGL inside; afterwards the import system is as it was.

    Example:
        >>> with open_gate():
        ...     import json  # any other import is as ever
        >>> any(type(finder).__name__ == "_Finder" for finder in sys.meta_path)
        False
    """
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def gate_state() -> GateState:
    """Whether the stub answers for `dgl.graphbolt` in this process, and why.

    Example:
        >>> gate_state().in_use in (True, False)
        True
    """
    module = sys.modules.get(NAME)
    if isinstance(module, GraphboltStub):
        return GateState(True, module._reason)
    if module is not None:
        return GateState(False, "GraphBolt itself is loaded")
    if "dgl" in sys.modules:
        return GateState(False, "this DGL loads no GraphBolt at import")
    return GateState(False, "DGL is not imported yet")
