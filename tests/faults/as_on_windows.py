"""Linux as Windows is with open files: none is renamed, replaced or removed, nor a folder in which one is open."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_OPEN = Path("/proc/self/fd")


def _open_files() -> Iterator[Path]:
    """The files that this process has open, or mapped into memory."""
    for link in _OPEN.iterdir():
        try:
            target = link.readlink()
        except OSError:  # the descriptor of the listing itself
            continue
        if target.is_file():
            yield target
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        if match := re.search(r"\s(/\S.*)$", line):
            yield Path(match.group(1))


def _open_below(path: Any, dir_fd: int | None) -> Path | None:
    home = Path.cwd() if dir_fd is None else (_OPEN / str(dir_fd)).readlink()
    place = home / path
    place = place.parent.resolve() / place.name
    return next((one for one in _open_files() if one == place or place in one.parents), None)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces what moves and removes files; the list gets the names of open files for which it was refused."""
    refused: list[str] = []

    def patched(name: str, paths_taken: int) -> None:
        original = getattr(os, name)

        def instead(*paths: Any, dir_fd: int | None = None, **options: Any) -> Any:
            for path in paths[:paths_taken]:
                if (still := _open_below(path, dir_fd)) is not None:
                    refused.append(still.name)
                    raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
            if name == "rename" and os.path.lexists(paths[1]):
                refused.append(str(paths[1]))
                raise FileExistsError(errno.EEXIST, "Cannot create a file when it already exists", str(paths[1]))
            return original(*paths, **({} if dir_fd is None else {"dir_fd": dir_fd}), **options)

        monkeypatch.setattr(os, name, instead)

    for name, paths_taken in {"rename": 2, "replace": 2, "unlink": 1, "remove": 1, "rmdir": 1}.items():
        patched(name, paths_taken)
    monkeypatch.setattr("stexplain.files.removes_open_files", lambda: False)
    return refused
