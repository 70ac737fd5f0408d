"""`python -m stexplain` is the command line."""

import os
import sys


def _leave_current_folder() -> None:
    """`python -m` looks for modules there first, where a numpy.py beside the data would be run.

    Nothing is imported for it, as that would be looked for there. The package itself may lie there.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib would be looked for there
    if not sys.flags.safe_path and sys.path and sys.path[0] != home:
        del sys.path[0]


if __name__ == "__main__":
    _leave_current_folder()

    from stexplain.cli.main import main

    main()
