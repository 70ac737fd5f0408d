"""How idle threads of OpenMP wait for work, and which OpenMP runtimes are loaded.

torch divides an operation among the threads of a pool. Between two operations a thread either spins, which makes the
next operation start a few microseconds earlier, or sleeps. A thread that spins keeps its core: beside another busy
program the thread that has work to do then waits for the one that has none, and training becomes several times slower.
A thread that sleeps at once has to be woken for every operation. So threads spin for some microseconds, then sleep.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables that say how threads wait: for every runtime, for GCC's (libgomp), for LLVM's and Intel's."""
# An epoch of the main job on two cores, idle / beside a busy program: spin count 0 4.4 / 9.5 s, 500 3.9 / 9.5 s,
# 1,000 3.8 / 9.6 s, 4,000 3.5 / 12 s, libgomp's default 3.9 / 12 s (85 s on another machine); see
# benchmarks/busy_core.py.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "500"}
"""What the command line sets: threads sleep, in libgomp after so many turns of a loop, some ten microseconds."""

# libgomp.so.1, libgomp-a34b3233.so.1 (bundled in a wheel), libiomp5.so, libomp.dylib, but not libcomposite.so.
_RUNTIME = re.compile(r"lib(gomp|iomp\d*|omp\d*)\b[^/]*\.(so|dylib)")

_set_here = False


def wait_passively() -> None:
    """Lets idle threads sleep soon, unless the environment says how they wait. To be called before torch is imported.

    A runtime reads the variables once, when it is loaded; processes started later inherit them.
    """
    global _set_here
    if not any(name in os.environ for name in SETTINGS):
        os.environ.update(WAITING)
        _set_here = True


@dataclass(frozen=True)
class WaitPolicy:
    """How idle threads wait.

    Attributes:
        settings: those variables of `SETTINGS` that are set, with their values.
        set_by: ``"stexplain"``, ``"the environment"``, or ``"nothing"`` where the runtime's own default holds.
    """

    settings: dict[str, str]
    set_by: str

    def __str__(self) -> str:
        if not self.settings:
            return "the OpenMP runtime's default, idle threads spin before they sleep; set by nothing"
        # OMP_WAIT_POLICY is read without regard to case; the two others are numbers, where 0 means never to spin.
        passive = self.settings.get("OMP_WAIT_POLICY", "").strip().upper() == "PASSIVE"
        names = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        if self.settings == WAITING:
            effect = "passive, idle threads spin for microseconds, then sleep"
        else:
            effect = "passive, idle threads sleep" if passive and len(self.settings) == 1 else "as set"
        return f"{effect}: {names}, set by {self.set_by}"


def wait_policy() -> WaitPolicy:
    """The policy that a runtime loaded from now on follows.

    Example:
        >>> wait_policy().set_by in ("stexplain", "the environment", "nothing")
        True
    """
    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    set_by = "stexplain" if _set_here else "the environment" if settings else "nothing"
    return WaitPolicy(settings, set_by)


def openmp_runtimes(maps: Path = Path("/proc/self/maps")) -> list[Path] | None:
    """The OpenMP runtimes that this process has loaded; none where the system does not list them (outside Linux).

    Args:
        maps: the file in which Linux lists the files that are mapped into memory.
    """
    try:
        lines = maps.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    # Columns: addresses, permissions, offset, device, inode, path; a library is mapped in several pieces.
    paths = {Path(columns[5]) for line in lines if len(columns := line.split(maxsplit=5)) == 6}
    return sorted(path for path in paths if _RUNTIME.match(path.name))
