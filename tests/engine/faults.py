"""Processes in which something happens as they are about to finish a file."""

import os
from pathlib import Path

_SITE = """
import os, pathlib, signal

rename = pathlib.Path.replace


def replace(self, target):
    if {name!r} in str(target):
        {what}
    return rename(self, target)


pathlib.Path.replace = replace
"""
_ONCE = """
        try:
            os.close(os.open({mark!r}, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
"""
KILL_ALWAYS = "os.kill(os.getpid(), signal.SIGKILL)"
FULL_DISK = "raise OSError(28, 'No space left on device')"


def in_every_process(monkeypatch, folder: Path, name: str, what: str) -> None:
    """Does something in the processes that are started from now on, before they finish a file whose path has `name`.

    Python runs a `sitecustomize` of its search path at every start, also in workers of others' making.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE.format(name=name, what=what), "utf-8")
    # Workers of this package get this process' search path, and those of Ray its environment.
    monkeypatch.syspath_prepend(str(folder))
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *([before] if before else [])]))


def kill_once(monkeypatch, folder: Path, name: str) -> Path:
    """Kills the first process that is about to finish a file whose path has `name`.

    Returns:
        A file that exists once it was killed.
    """
    mark = folder / "killed"
    in_every_process(monkeypatch, folder, name, _ONCE.format(mark=str(mark)))
    return mark
