"""A process that computes the stages of one run: `python -P -m stexplain.bench.processes.child`, the run on stdin.

It is a process of its own: it cannot hang in a fork and, unlike a pool's processes, does not run the caller's script
again.
"""

import pickle
import sys
from typing import Any

import torch
from rich.console import Console

from stexplain.bench.processes.plan import compute
from stexplain.bench.records import Records, logged
from stexplain.cards import trusting


def main() -> int:
    """Computes what is missing. What goes wrong is written to stdout, for the parent process to raise."""
    # From the parent alone, which made it: a run folder is never read this way.
    folder, plan, threads, shown, trusted = pickle.load(sys.stdin.buffer)
    torch.set_num_threads(threads)
    try:
        with trusting(trusted), logged(folder):
            # On stderr, as stdout may be JSON.
            compute(Records(folder), plan, Console(stderr=True, quiet=not shown, highlight=False))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Whatever it is: the parent raises it.
        sys.stdout.buffer.write(_pickled(error))
        return 1
    return 0


def _pickled(error: Exception) -> bytes:
    """The error, or its words where it cannot be sent."""
    try:
        found = pickle.dumps(error)
        pickle.loads(found)
    except Exception:
        # An error of a user's module may hold what cannot be pickled, and pickling may raise anything.
        words: Any = RuntimeError(f"{type(error).__name__}: {error}")
        found = pickle.dumps(words)
    return found


if __name__ == "__main__":
    sys.exit(main())
