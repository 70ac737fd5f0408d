"""A stub for `dgl.graphbolt` where the real one cannot be loaded, so that the rest of DGL can be imported.

DGL 2.1.0 loads at import a GraphBolt binary that was built for torch up to 2.2.1 only. Message passing does not need
it. Inside `graphbolt_or_stub` the import of the single name ``dgl.graphbolt`` is tried as usual; only where that fails,
an empty module takes its place, whose missing names raise AttributeError. With matching versions, and with a DGL that
has no GraphBolt, nothing changes.
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
class StubState:
    """Whether the stub is in the place of `dgl.graphbolt` in this process.

    Attributes:
        in_use: whether it is.
        reason: why, as a phrase.
    """

    in_use: bool
    reason: str


class GraphboltStub(ModuleType):
    """The stub: a module without names. The error for a missing name says why GraphBolt cannot be loaded.

    The error is AttributeError, never ImportError: pickle, inspect and doctest probe every loaded module for names,
    and handle only AttributeError.
    """

    def __init__(self, reason: str):
        super().__init__(NAME, "A stub for GraphBolt, which cannot be loaded.")
        self.__path__: list[str] = []  # so that `import dgl.graphbolt.x` finds nothing rather than half a package
        self._reason = reason

    def __getattr__(self, name: str) -> NoReturn:
        # By __dict__: reading self._reason before it is set would come back here without end.
        raise AttributeError(f"{NAME} has no {name!r}: GraphBolt cannot be loaded: {self.__dict__.get('_reason')}")


class _RealOrStub(Loader):
    """Loads the real module; where that fails, puts the stub in its place."""

    def __init__(self, real: Loader, folders: Sequence[str]):
        self.real = real
        self.folders = folders

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Checked beforehand: a failing import would first load half of the package, and torchdata.
        reason = _no_binary(self.folders)
        if reason is None:
            try:
                self.real.exec_module(module)
                return
            except (ImportError, OSError, AttributeError, RuntimeError) as error:
                message = next(iter(str(error).splitlines()), "")
                reason = f"it fails with {type(error).__name__}: {message}"
        # Modules that were loaded before the failure: half a package must not stay.
        for loaded in [key for key in sys.modules if key.startswith(f"{NAME}.")]:
            del sys.modules[loaded]
        stub = GraphboltStub(reason)
        stub.__spec__ = module.__spec__
        sys.modules[NAME] = stub


def _no_binary(folders: Sequence[str]) -> str | None:
    """Why GraphBolt has no binary for this torch; none where it has one, or has no binaries in these folders."""
    import torch  # here, as this module must be importable before torch

    binaries = [file.stem for folder in folders for file in Path(folder).glob("libgraphbolt_pytorch_*")]
    # Files are named libgraphbolt_pytorch_2.2.1.so: one per version of torch.
    built_for = sorted({stem.removeprefix("libgraphbolt_pytorch_") for stem in binaries})
    version = torch.__version__.split("+")[0]
    if not built_for or version in built_for:
        return None
    return f"it has binaries for torch {', '.join(built_for)}, and torch is {version}"


class _Finder(MetaPathFinder):
    """Finds `dgl.graphbolt` as usual, and gives it the loader `_RealOrStub`; ignores every other name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != NAME:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _RealOrStub(spec.loader, spec.submodule_search_locations or [])
        return spec


@contextmanager
def graphbolt_or_stub() -> Iterator[None]:
    """Inside the block, a failing import of `dgl.graphbolt` gives the stub instead.

    Import DGL in it; afterwards the import system is as before.

    Example:
        >>> with graphbolt_or_stub():
        ...     import json  # other imports do not change
        >>> any(type(finder).__name__ == "_Finder" for finder in sys.meta_path)
        False
    """
    finder = _Finder()
    sys.meta_path.insert(0, finder)  # before Python's own finder, which would find the real one
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def stub_state() -> StubState:
    """Whether the stub is in use in this process, and why.

    Example:
        >>> stub_state().in_use in (True, False)
        True
    """
    module = sys.modules.get(NAME)
    if isinstance(module, GraphboltStub):
        return StubState(True, module._reason)
    if module is not None:
        return StubState(False, "GraphBolt itself is loaded")
    if "dgl" in sys.modules:
        return StubState(False, "this DGL loads no GraphBolt at import")
    return StubState(False, "DGL is not imported yet")
