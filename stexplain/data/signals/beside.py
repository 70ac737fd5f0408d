"""Which file of a folder holds the values of a series, and which its links."""

from pathlib import Path

from stexplain.data.readers.links import LINK_FILES
from stexplain.data.signals import tsl_folder
from stexplain.data.signals.formats import remedy_for_series
from stexplain.data.times.anew import SENSORS
from stexplain.errors import InputError
from stexplain.graph.given.columns import role_of
from stexplain.reading import is_there, readable, regular_file

ARRAYS, NETCDF = (".npz", ".npy"), (".nc", ".nc4", ".netcdf", ".cdf")
_TABLE = ".csv"


def values_file(folder: Path, other: Path | None) -> Path:
    """The file of values in a folder: the only one that is no file of links or places.

    Args:
        folder: where it lies.
        other: a file that is none of values; or none.

    Raises:
        InputError: where there is none, or several.
    """
    links = {file for pattern in LINK_FILES for file in folder.glob(pattern)}

    def is_values(file: Path) -> bool:
        suffix = file.suffix.lower()
        known = suffix in (*NETCDF, *ARRAYS, *tsl_folder.ENDINGS, _TABLE) or is_zarr(file)
        places = ("sensor" in file.stem and suffix == _TABLE) or file.stem == "events"
        if not known or file in links or places or (other is not None and file.resolve() == other.resolve()):
            return False
        return not is_table_of_links(file)

    found = [file for file in sorted(folder.iterdir()) if is_values(file)]
    if len(found) != 1:
        here = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        listed = f" ({', '.join(file.name for file in found[:4])})" if found else ""
        remedy = _which(found, folder) if len(found) > 1 else "Give the file."
        if not found and next(folder.rglob("*.parquet"), None) is not None:
            remedy = "Of parquet in parts give what it holds: load_sensors(pd.read_parquet(folder))."
        elif (folder / "stop_times.txt").exists():
            remedy = "It is a timetable, GTFS, and holds no observations."
        elif not found and (said := next(filter(None, map(remedy_for_series, sorted(folder.iterdir()))), "")):
            remedy = said.strip()
        raise InputError(
            f"path: {folder} holds {len(found)} files that may be values{listed}; expected one. {remedy} The folder "
            f"holds: {here}."
        )
    return found[0]


def _which(files: list[Path], folder: Path) -> str:
    """What to do with several files that may be values: those with one first line are tables of a sensor each."""
    lines = {_first_line(file) for file in files if file.suffix.lower() == _TABLE and file.is_file()}
    if len(lines) > 1 or any(file.suffix.lower() != _TABLE for file in files):
        return "Give the file of values, and graph= where another is of links."
    cells = {cell.strip().strip('"').lower() for cell in lines.pop().split(",")}
    # Where no column names the sensor of a row, the file does.
    named = "" if cells & set(SENSORS) else ".assign(sensor_id=file.stem)"
    return (
        "All have one first line, as where each is of one sensor. Join them: pd.concat([pd.read_csv(file, dtype=str)"
        f"{named} for file in sorted(pathlib.Path({str(folder)!r}).glob('*.csv'))]).to_csv('x.csv', index=False)."
    )


def _first_line(path: Path) -> str:
    with readable(path, "a file"), regular_file(path).open("rb") as file:
        return file.readline(1000).decode("utf-8-sig", "replace").strip()


def links_beside(path: Path) -> Path | None:
    """The file of links beside the values: by its name, else the one table with columns such as from and to.

    Of several such tables it is the one that is called as the values, as PEMS04.csv beside PEMS04.npz.

    Args:
        path: of the values.

    Returns:
        None where there is none.

    Raises:
        InputError: where several could be it.
    """
    found = sorted({file for pattern in LINK_FILES for file in path.parent.glob(pattern) if file != path})
    if not found:
        # The table of another dataset, called as its values are, is none of these.
        tables = [file for file in sorted(path.parent.iterdir()) if file != path and is_table_of_links(file)]
        alike = [file for file in tables if file.stem.lower() == path.stem.lower()]
        others = {file.stem.lower() for file in path.parent.iterdir() if file.suffix.lower() != _TABLE}
        found = alike or [file for file in tables if file.stem.lower() not in others]
    if len(found) > 1:
        listed = ", ".join(file.name for file in found)
        raise InputError(f"graph: beside {path.name} lie {listed}; which is the graph? Give graph= with one of them.")
    return found[0] if found else None


def is_table_of_links(path: Path) -> bool:
    r"""Whether a CSV has a column of sources and one of targets, by the names in its first line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "PEMS04.csv"
        >>> _ = path.write_text("from,to,cost\n73,5,352.6\n")
        >>> is_table_of_links(path)
        True
    """
    if path.suffix.lower() != _TABLE or not path.is_file():
        return False
    line = _first_line(path)
    cells = [cell.strip().strip('"') for cell in line.replace(";", ",").replace("\t", ",").split(",")]
    return [role_of(cell) for cell in cells[:2]] == ["source", "target"] and len(cells) <= 6


def is_zarr(path: Path) -> bool:
    """Whether a folder is one of zarr."""
    return path.is_dir() and any(is_there(path / name) for name in ("zarr.json", ".zgroup", ".zmetadata"))
