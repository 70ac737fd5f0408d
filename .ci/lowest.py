"""Prints the lowest versions that `pyproject.toml` allows, as constraints for pip, which has no way to ask for them.

    python .ci/lowest.py > lowest.txt && pip install -c lowest.txt -e '.[traffic,netcdf,plots,mocap,pyg]' pytest

Only what the package asks for itself is held at its lowest: what those need in turn is the newest that they allow. Not
held are torch, of which older versions bring gigabytes of CUDA and were not tested, and what is pinned exactly anyway.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

NOT_HELD = {"torch"}


def lowest(requirements: list[str]) -> dict[str, str]:
    """The lower bound of each requirement that applies to this Python and has one, by name."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, requirements):
        if requirement.name in NOT_HELD or (requirement.marker and not requirement.marker.evaluate()):
            continue
        for one in requirement.specifier:
            if one.operator == ">=":
                found[requirement.name] = one.version
    return found


def main() -> int:
    """The command."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [one for name, several in project["optional-dependencies"].items() if name not in ("docs", "dev")
              for one in several]  # fmt: skip
    bounds = lowest([*project["dependencies"], *extras])
    for name, version in sorted(bounds.items()):
        # As a whole release: "2.2" is 2.2.0, and not the newest of 2.2.
        print(f"{name}=={version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
