"""Checks `constraints.txt` against what is installed here: every package is pinned, at the version that was tested."""

import re
import sys
from importlib import metadata
from pathlib import Path

# Of the environment itself; DGL is pinned in pyproject.toml, at another version for each Python.
NOT_PINNED = {"dgl", "pip", "setuptools", "stexplain", "wheel"}


def plain(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """The command; ends with 1 where a pin is missing or another version is installed."""
    lines = (Path(__file__).parents[1] / "constraints.txt").read_text("utf-8").splitlines()
    pins = {
        plain(name): version
        for name, _, version in (line.partition("==") for line in lines if not line.startswith("#"))
    }
    installed = {plain(one.name): one.version.partition("+")[0] for one in metadata.distributions()}
    wrong = [
        f"{name}: installed is {version}, constraints.txt has {pins.get(name, 'no line of it')}"
        for name, version in sorted(installed.items())
        if name not in NOT_PINNED and pins.get(name) != version
    ]
    print("\n".join(wrong) or f"{len(set(pins) & set(installed))} of {len(pins)} pins are installed, as they say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
