"""Where `stexplain explain` writes: a folder, or files by their endings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stexplain.cli.validate.datasets import validate_out
from stexplain.errors import InputError

MAPS = (".nc", ".zarr", ".npz", ".csv", ".parquet")
"""Endings of the map, as `Explanation.save` has them."""
CHARTS = (".html", ".png", ".svg", ".pdf")
"""Endings of a chart."""
_NEEDS = {
    ".parquet": (("pyarrow", "fastparquet"), "pip install pyarrow, or give .csv."),
    ".zarr": (("zarr",), "pip install 'stexplain[netcdf]', or give .nc."),
}
"""Endings whose files need one of some packages, and the remedy."""
SUMMARY = ".json"
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,6}")


@dataclass(frozen=True)
class Outputs:
    """The places that `--out` names.

    Attributes:
        folder: for everything; none where files alone are written.
        files: each with one of the endings above.
    """

    folder: Path | None
    files: tuple[Path, ...]

    @property
    def place(self) -> Path:
        """The folder, else the first file: what work in progress lies beside."""
        return self.files[0] if self.folder is None else self.folder

    def of(self, endings: Sequence[str]) -> list[Path]:
        """The files with these endings."""
        return [path for path in self.files if path.suffix.lower() in endings]


def parse_outputs(given: Sequence[Path], folder: Path) -> Outputs:
    """The places that `--out` names.

    Args:
        given: as typed.
        folder: where nothing was given.

    Raises:
        InputError: where there are two folders, an ending is none that is known, or a place lies below a file.

    Example:
        >>> parse_outputs([Path("map.csv"), Path("clip.svg")], Path("explanation")).folder is None
        True
    """
    folders = [path for path in given if (path.is_dir() and path.suffix.lower() != ".zarr") or not path.suffix]
    files = tuple(path for path in given if path not in folders)
    for path in files:
        _check_file(path)
    if len(folders) > 1:
        raise InputError(f"--out: got the folders {folders[0]} and {folders[1]}; expected one folder at most.")
    chosen = folders[0] if folders else None if files else folder
    validate_out(chosen)
    return Outputs(chosen, files)


def _check_file(path: Path) -> None:
    if path.suffix.lower() not in (*MAPS, *CHARTS, SUMMARY):
        known = ", ".join((*MAPS, *CHARTS, SUMMARY))
        if _ENDING.fullmatch(path.suffix):
            raise InputError(
                f"--out: got {path}, an unsupported format; expected one of {known}, or a folder, "
                "whose name has no ending."
            )
        raise InputError(f"--out: got {path}; expected a folder, or a file that ends in {known}.")
    # Before the samples are explained, which may take long.
    packages, remedy = _NEEDS.get(path.suffix.lower(), ((), ""))
    if packages and not any(find_spec(name) for name in packages):
        raise InputError(f"--out: got {path}, whose format needs a package that is not installed. {remedy}")
    validate_out(path.parent)
