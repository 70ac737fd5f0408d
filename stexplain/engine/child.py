"""A process that writes some parts of a work: `python -P -m stexplain.engine.child MODULE FOLDER NUMBER...`.

It is a process of its own: it cannot hang in a fork and, unlike a pool's processes, does not run the caller's script
again. `-P` keeps the current folder off its search path: nothing that lies beside the data is imported.
"""

import os
import sys
from pathlib import Path

from stexplain.engine.writer import writer_of
from stexplain.errors import StexplainError


def main(arguments: list[str]) -> int:
    """Writes the parts that are missing, and stops when its parent process is gone."""
    module, folder, *numbers = arguments
    parent = os.getppid()
    try:
        writer = writer_of(module)
        for number in map(int, numbers):
            # The parent was killed: without this, its children would work on for hours.
            if os.getppid() != parent:
                return 0
            if not writer.part_path(Path(folder), number).is_file():
                writer.write_part(Path(folder), number)
    except StexplainError as error:
        # The parent reads this and raises it.
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
