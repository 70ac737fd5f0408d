"""Reading by a library in C, in a process of its own: what crashes, hangs or takes memory there ends it alone.

HDF5 follows offsets in the file wherever they lead: a damaged one can make it loop for ever, or end the process.
Blosc, which unpacks zarr, trusts sizes in its headers.
"""

import math
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError
from stexplain.reading.contents import bytes_within, reason_of, regular_file
from stexplain.reading.memory import free_memory
from stexplain.reading.npy import opened_npz

_SECONDS, _BYTES_A_SECOND = 8.0, 10e6
"""A file is given so long of a processor, and so much more by its size: a hundredth of the speed of a disk."""
_BUSY = 30
"""Times as long may pass: on a busy machine a process waits most of the time. Where a system cannot limit seconds of a
processor, it is the only limit."""
_UNPACKED = 200
"""Times the size of the file that its arrays may take; compressed observations of a sensor that stands still do."""


def arrays_in_child(
    module: str, path: Path, what: str, remedy: str = "Fetch the file again."
) -> dict[str, NDArray[np.generic]]:
    """The arrays that a module's function `arrays` gives of a file, called in another process.

    Args:
        module: of the package; ``arrays(path) -> dict[str, NDArray]`` is called there. It may print a reason to stderr
            and end, by raising any exception.
        path: of the file, or of a folder that is one thing, such as one of zarr.
        what: it should be, such as ``"HDF5"``.
        remedy: what to do where it is broken, for the message.

    Raises:
        DataError: where a link leads out of the folder, or where it raises, crashes, does not end, or takes too much
            memory.
    """
    size = bytes_within(path, remedy) if path.is_dir() else regular_file(path, remedy).stat().st_size
    seconds = _SECONDS + size / _BYTES_A_SECOND
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    # Each further thread of glibc's would reserve address space, of which there is little here.
    environment["MALLOC_ARENA_MAX"] = "1"
    with tempfile.TemporaryDirectory(prefix="stexplain-") as folder:
        made = Path(folder) / "arrays.npz"
        # -P: nothing that lies in the current folder is imported.
        command = [sys.executable, "-P", "-m", "stexplain.reading.child_process", module, str(path.resolve())]
        command += [str(made), str(size), str(math.ceil(seconds))]
        late = f"{path} could not be read as {what}: it was not read after {seconds:.0f} s. {remedy}"
        try:
            ended = subprocess.run(
                command, env=environment, timeout=_BUSY * seconds, capture_output=True, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(late) from error
        if ended.returncode and ended.returncode == -getattr(signal, "SIGXCPU", 0):
            raise DataError(late)
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            reason = said[-1][:300] if said and ended.returncode > 0 else f"the library ended with {ended.returncode}"
            raise DataError(f"{path} could not be read as {what}: {reason.rstrip('.')}. {remedy}")
        with opened_npz(made) as arrays:
            return {name: arrays[name] for name in arrays.names}


def main(arguments: list[str]) -> int:
    """The process: reads, writes the arrays, and says on stderr what was wrong."""
    from importlib import import_module

    module, path, made, size, seconds = arguments
    _limit(int(size), int(seconds))
    try:
        np.savez(made, allow_pickle=False, **import_module(module).arrays(Path(path)))
    except Exception as error:  # a broken file makes the library raise anything
        print(reason_of(error), file=sys.stderr)
        return 1
    return 0


def _limit(size: int, seconds: int) -> None:
    """Limits this process's memory, and its time on a processor."""
    if sys.platform == "win32":  # it has no such limits, and no module `resource`
        return
    import resource

    _lower(resource, resource.RLIMIT_CPU, seconds)
    # What a process has reserved is known on Linux alone. macOS reserves hundreds of gigabytes, and takes no less.
    if not Path("/proc/self/statm").exists():
        return
    has = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE") + (256 << 20)
    free = free_memory()
    _lower(resource, resource.RLIMIT_AS, has + (_UNPACKED * size if free is None else min(_UNPACKED * size, free)))


def _lower(resource: Any, which: int, limit: int) -> None:
    """Sets a limit of this process, which may have a lower one already; where a system takes none, time remains."""
    _, hard = resource.getrlimit(which)
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(which, (lowest, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
