"""Reading by a library in C, in a process of its own: what crashes, hangs or takes memory there ends it alone.

HDF5 follows offsets in the file wherever they lead: a damaged one can make it loop for ever, or end the process.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import DataError
from stexplain.reading.contents import reason_of, regular_file
from stexplain.reading.memory import free_memory
from stexplain.reading.npy import opened_npz

_SECONDS, _BYTES_A_SECOND = 8.0, 10e6
"""A file is given so long, and so much more by its size: a hundredth of the speed of a disk."""
_UNPACKED = 200
"""Times the size of the file that its arrays may take; compressed readings of a sensor that stands still do."""


def arrays_in_child(module: str, path: Path, what: str) -> dict[str, NDArray[np.generic]]:
    """The arrays that a module's function `arrays` gives of a file, called in another process.

    Args:
        module: of the package; ``arrays(path) -> dict[str, NDArray]`` is called there. It may print a reason to stderr
            and end, by raising any exception.
        path: of the file.
        what: it should be, such as ``"HDF5"``.

    Raises:
        DataError: where it raises, crashes, does not end, or takes too much memory.
    """
    size = regular_file(path).stat().st_size
    seconds = _SECONDS + size / _BYTES_A_SECOND
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    with tempfile.TemporaryDirectory(prefix="stexplain-") as folder:
        made = Path(folder) / "arrays.npz"
        # -P: nothing that lies in the current folder is imported.
        command = [
            sys.executable,
            "-P",
            "-m",
            "stexplain.reading.child_process",
            module,
            str(path.resolve()),
            str(made),
        ]
        try:
            ended = subprocess.run(
                [*command, str(size)], env=environment, timeout=seconds, capture_output=True, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(
                f"{path} could not be read as {what}: it was not read after {seconds:.0f} s. Fetch the file again."
            ) from error
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            reason = said[-1][:300] if said and ended.returncode > 0 else f"the library ended with {ended.returncode}"
            raise DataError(f"{path} could not be read as {what}: {reason.rstrip('.')}. Fetch the file again.")
        with opened_npz(made) as arrays:
            return {name: arrays[name] for name in arrays.names}


def main(arguments: list[str]) -> int:
    """The process: reads, writes the arrays, and says on stderr what was wrong."""
    from importlib import import_module

    module, path, made, size = arguments
    _limit_memory(int(size))
    try:
        np.savez(made, allow_pickle=False, **import_module(module).arrays(Path(path)))
    except Exception as error:  # a broken file makes the library raise anything
        print(reason_of(error), file=sys.stderr)
        return 1
    return 0


def _limit_memory(size: int) -> None:
    try:
        import resource  # POSIX only
    except ImportError:
        return
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0]) if Path("/proc/self/statm").exists() else 0
    most = pages * os.sysconf("SC_PAGE_SIZE") + (256 << 20) + _UNPACKED * size
    free = free_memory()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if free is None else min(most, most - _UNPACKED * size + free), hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
