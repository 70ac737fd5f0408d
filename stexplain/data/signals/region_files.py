"""Files of atlas time series: arrays of all subjects, or a folder with a table or array for each run."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking.lost import is_masked
from stexplain.checking.words import shown
from stexplain.data.labelled import is_labelled, without_labels
from stexplain.data.readers.number_table import has_header
from stexplain.data.signals.exports.sessions import join_sessions
from stexplain.data.skeletons import ts_file
from stexplain.data.skeletons.labels import as_label
from stexplain.errors import DataError, InputError
from stexplain.reading import is_there, read_json_value, readable, regular_file, text_file
from stexplain.reading.contents import files_under
from stexplain.reading.decimals import with_points
from stexplain.reading.npy import load_npy, opened_npz
from stexplain.reading.table import read_csv, separator_of

ENDINGS = (".csv", ".tsv", ".txt", ".1d", ".npy")
# Keys of an npz by which its parts are known.
_VALUES, _SUBJECTS = ("data", "timeseries", "time_series", "x"), ("subjects", "subject", "ids")
_LABELS, _NAMES, _RATE = ("labels", "label", "y"), ("names", "regions", "region_names"), ("tr", "repetition_time")
_SUBJECT = re.compile(r"(?:^|_)(sub-[A-Za-z0-9]+)")

_NO_REGION = ("time", "times", "timepoint", "frame", "volume", "tr", "index", "t")
"""Names of columns of numbers by time that are of no region."""


_SURFACE = (
    "Average it by the parcels of an atlas, and save numbers by time and parcel, such as np.save('sub-01.npy', x)."
)
_OTHERS = {
    **dict.fromkeys((".dtseries.nii", ".ptseries.nii", ".gii", ".mgh"), _SURFACE),
    **dict.fromkeys(
        (".nii", ".nii.gz"),
        "It holds voxels: average them by the regions of an atlas, np.save('sub-01.npy', nilearn.maskers."
        "NiftiLabelsMasker(atlas).fit_transform(path)).",
    ),
    ".mat": "Give its array [subjects, time, regions]: load_regions(scipy.io.loadmat(path)['name']), or of version 7.3 "
    "h5py.File(path)['name'][:].T.",
    ".rds": "Write it as CSV in R: write.csv(x, 'sub-01.csv', row.names=FALSE).",
    **dict.fromkeys(
        (".h5", ".hdf5"), "Give its array [subjects, time, regions]: load_regions(h5py.File(path)['name'][:])."
    ),
    ".xlsx": "Write it as CSV: pd.read_excel(path).to_csv('sub-01.csv', index=False).",
    **dict.fromkeys((".zip", ".tar.gz"), "Unpack it."),
}
"""What to do with files that are not read, by their endings; the longer come first."""


@dataclass
class Run:
    """One run of one subject.

    Attributes:
        id: the name of the file without its ending, or of the subject.
        subject: whose run it is.
        values: ``[T, R]``, NaN where a value is missing.
        names: of the regions, where the file says them.
        tr: the repetition time in seconds, where the file says it.
        label: of the subject, where the file says it.
        where: the file, for messages; empty: it came in no file.
    """

    id: str
    subject: str
    values: NDArray[np.float32]
    names: tuple[str, ...] = ()
    tr: float | None = None
    label: str = ""
    where: str = ""

    @property
    def shown(self) -> str:
        """What a message calls it."""
        return self.where or repr(self.id)


def runs_of(data: Any) -> list[Run]:
    """The runs in an array ``[S, T, R]``, a list or mapping of ``[T, R]``, a file, or a folder.

    Raises:
        InputError: where it is none of these.
        DataError: where a file is broken.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        if not path.exists():
            raise InputError(f"data: there is no {path}. Give an array [subjects, time, regions], a file or a folder.")
        if series := [path] if path.suffix.lower() == ".ts" else sorted(path.glob("*.ts")):
            return _of_ts(series)
        if path.is_dir():
            return _of_folder(path)
        if path.suffix.lower() == ".npz":
            return _of_npz(path)
        if remedy := next((said for ending, said in _OTHERS.items() if path.name.lower().endswith(ending)), ""):
            raise InputError(f"data: {path} is in no supported format. {remedy}")
        loaded = load_npy(path) if path.suffix.lower() == ".npy" else None
        return [_of_file(path)] if loaded is None or loaded.ndim == 2 else _of_array(loaded, str(path))
    if hasattr(data, "dims") and hasattr(data, "coords"):
        return _of_xarray(data)
    if hasattr(data, "keys"):
        return [_run(str(name), str(name), data[name], f"data[{name!r}]") for name in data]
    if isinstance(data, list | tuple):
        return [_run(str(number), str(number), one, f"data[{number}]") for number, one in enumerate(data)]
    return _of_array(data if is_masked(data) else np.asarray(data), "data")


def _of_xarray(data: Any) -> list[Run]:
    """A run for each entry of the dimension that is neither of time nor of regions."""
    dims = [str(name) for name in data.dims]
    rest = [name for name in dims if name.lower() in ("subject", "subjects", "sub", "run", "participant", "session")]
    if len(dims) != 3 or len(rest) != 1:
        raise InputError(
            f"data: got an array with dimensions {', '.join(dims)}; expected subject, time, region. Rename them: "
            "array.rename({...})."
        )
    names = [str(name) for name in data[rest[0]].to_numpy()]
    each = (data.isel({rest[0]: number}) for number in range(len(names)))
    return [_run(name, name, one, f"data[{name!r}]") for name, one in zip(names, each, strict=True)]


def _of_array(array: NDArray[Any], where: str) -> list[Run]:
    if array.ndim != 3:
        raise InputError(
            f"{where}: got shape {array.shape}; expected [subjects, time, regions], three axes. One subject is "
            "data[None]."
        )
    return [_run(str(number), str(number), one, where) for number, one in enumerate(array)]


def _run(name: str, subject: str, values: Any, where: str) -> Run:
    names: tuple[str, ...] = ()
    if is_labelled(values):
        named = without_labels(values, None, named=True)
        names, values = named.nodes or (), named.values
    if is_masked(values):
        values = np.ma.filled(values.astype(np.result_type(values.dtype, np.float32)), np.nan)
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or min(array.shape) < 1:
        raise InputError(f"{where}: got {array.dtype} of shape {array.shape}; expected numbers [time, regions].")
    found = array.astype(np.float32)
    if np.isinf(found).any():
        raise InputError(f"{where}: holds infinite values; expected numbers, NaN where a value is missing.")
    return Run(name, subject, found, names)


def _of_npz(path: Path) -> list[Run]:
    with opened_npz(path) as opened:
        arrays = {name: opened[name] for name in opened.names}

    def part(keys: tuple[str, ...]) -> NDArray[Any] | None:
        return next((arrays[key] for key in keys if key in arrays), None)

    known = {*_SUBJECTS, *_LABELS, *_NAMES, *_RATE}
    values = {key: array for key, array in arrays.items() if key not in known}
    if len(values) == 1 and next(iter(values.values())).ndim == 3:
        runs = _of_array(next(iter(values.values())), str(path))
    elif values and all(array.ndim == 2 for array in values.values()):
        runs = [_run(key, key, array, f"{path}, {key}") for key, array in values.items()]
    else:
        shapes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items()) or "nothing"
        raise DataError(
            f"{path} holds {shapes}; expected one array [subjects, time, regions], or one [time, regions] for each "
            "subject, named by it."
        )
    for name, keys in (("subject", _SUBJECTS), ("label", _LABELS)):
        column = part(keys)
        if column is not None:
            if column.shape != (len(runs),):
                raise DataError(f"{path}, {keys[0]}: got shape {column.shape}; expected ({len(runs)},), one a subject.")
            for run, value in zip(runs, column.tolist(), strict=True):
                setattr(run, name, as_label(value))
    regions, rate = part(_NAMES), part(_RATE)
    if regions is not None and regions.ndim != 1:
        raise DataError(f"{path}, {_NAMES[0]}: got shape {regions.shape}; expected one name for each region.")
    if rate is not None and (rate.dtype.kind not in "fiu" or rate.size != 1):
        raise DataError(f"{path}, {_RATE[0]}: got {rate.dtype} {rate.shape}; expected a number of seconds above 0.")
    seconds = None if rate is None else _seconds(path, rate.item())
    for run in runs:
        run.id = run.subject
        run.names = run.names if regions is None else tuple(map(str, regions.tolist()))
        run.tr, run.where = seconds, f"{path}, {run.id}"
    return runs


def _of_ts(files: list[Path]) -> list[Run]:
    ts_file.refuse_variants(files)
    takes = [(file, take) for file in files for take in ts_file.read_signals(regular_file(file))]
    return [Run(take.id, take.id, take.values[0, :, :, 0], label=take.label, where=str(file)) for file, take in takes]


def _of_folder(folder: Path) -> list[Run]:
    files = [
        path
        for path in sorted(files_under(folder))
        if path.suffix.lower() in ENDINGS
        # What lies beside runs: BIDS' tables, and what fMRIPrep regresses out.
        and path.stem not in ("participants", "labels")
        and "confounds" not in path.stem
    ]
    if not files:
        names = sorted(path.name for path in folder.iterdir())
        remedy = next(
            (said for ending, said in _OTHERS.items() if any(one.lower().endswith(ending) for one in names)), ""
        )
        here = ", ".join(names[:8]) or "nothing"
        raise InputError(
            f"data: {folder} holds no {', '.join(ENDINGS)}, a file for each run. {remedy}{' ' * bool(remedy)}It holds: "
            f"{here}."
        )
    runs = [_of_file(regular_file(path)) for path in files]
    twice = [run.id for run in runs if sum(other.id == run.id for other in runs) > 1]
    if twice:
        raise DataError(f"{folder}: two files are called {twice[0]!r}; expected different names.")
    join_sessions(runs, folder)
    return runs


def _of_file(path: Path) -> Run:
    match = _SUBJECT.search(path.stem)
    subject = match.group(1) if match else path.stem
    names: tuple[str, ...] = ()
    if path.suffix.lower() == ".npy":
        values = load_npy(path)
    else:
        table = _table(path)
        names, values = tuple(table.columns) if isinstance(table.columns[0], str) else (), table.to_numpy()
    try:
        run = _run(path.stem, subject, values, str(path))
    except InputError as error:
        raise DataError(str(error)) from error
    run.names, run.tr, run.where = names, _repetition_time(path), str(path)
    return run


def _table(path: Path) -> pd.DataFrame:
    """Numbers by time and region; columns are text where the file has a header."""
    kind = path.suffix.lower()
    named = _marked_names(path) if kind == ".1d" else ()
    header = 0 if not named and _names_columns(path) else None
    separator = {".csv": ",", ".tsv": "\t"}.get(kind, r"\s+")
    if kind == ".csv" and (other := separator_of(path)) in ";\t":
        separator = other
    # "n/a" is how BIDS writes what is missing, which pandas knows.
    table = read_csv(path, sep=separator, header=header, comment="#" if kind == ".1d" else None)
    if kind in (".csv", ".tsv") and any(column.dtype.kind not in "fiu" for _, column in table.items()):
        table = _with_points(path, table, separator, header)
    if named and len(named) != table.shape[1]:
        raise DataError(
            f"{path}: its first line names {len(named)} regions; expected {table.shape[1]}, as its lines hold."
        )
    table = table.set_axis(list(named), axis=1) if named else table
    if table.empty:
        raise DataError(f"{path} holds no row; expected numbers by time and region.")
    bad = [(str(name), column) for name, column in table.items() if column.dtype.kind not in "fiu"]
    if bad:
        name, column = bad[0]
        cells = column.tolist()
        # Of huge numbers each may be one, and the column is not.
        row = next((row for row, cell in enumerate(cells) if not _is_number(cell)), 0)
        raise DataError(
            f"{path}, line {row + 1 + (header is not None)}: column {name!r} holds {shown(cells[row])}; expected a "
            "number, n/a where it is missing."
        )
    return table if header is None else _without_index(path, table)


def _with_points(path: Path, table: pd.DataFrame, separator: str, header: int | None) -> pd.DataFrame:
    """A table whose decimals may be written with commas, as numbers; else as it is."""
    cells = read_csv(path, sep=separator, header=header, dtype=str, keep_default_na=False)
    text = with_points(path, cells, separator, first=1 + (header is not None)) if len(cells) else cells
    if text is cells:
        return table
    numbers: pd.DataFrame = text.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    missing = text.apply(lambda cells: cells.str.strip().str.lower().isin(["", "n/a", "na", "nan"]))
    return table if (numbers.isna() & ~missing).to_numpy().any() else numbers


def _without_index(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """A table without the column that numbers its rows, as pandas writes it.

    Raises:
        DataError: where another column is of no region: it has no name, or that of times.
    """
    first = table.iloc[:, 0]
    if str(first.name) == "Unnamed: 0" and (first.diff().iloc[1:] == 1).all():
        table = table.iloc[:, 1:]
    for name in map(str, table.columns):
        if name.startswith("Unnamed: ") or name.strip().lower() in _NO_REGION:
            what = f"the column {name!r} holds times" if not name.startswith("Unnamed: ") else "a column has no name"
            raise DataError(
                f"{path}: {what}; expected a column for each region alone. Leave it out: table.drop(columns={name!r})."
                "to_csv(path, index=False), with its separator."
            )
    return table


def _marked_names(path: Path) -> tuple[str, ...]:
    """The names in a first line of which each is marked by #, as in ``#2001 #2002``, which is no comment; else none."""
    with readable(path, "a table of numbers"), text_file(path).open(encoding="utf-8-sig") as file:
        cells = file.readline().split()
    return tuple(cell[1:] for cell in cells) if cells and all(re.fullmatch("#[^#]+", cell) for cell in cells) else ()


def _names_columns(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return has_header(path)
    with readable(path, "a table of numbers"), text_file(path).open(encoding="utf-8-sig") as file:
        first = file.readline().split()
    # What begins with # is a comment.
    return any(not _is_number(cell) for cell in first) and not first[0].startswith("#")


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str) and cell.lower() == "n/a":
        return True
    try:
        float(cell)
    except (ValueError, TypeError, OverflowError):
        return False
    return not isinstance(cell, bool)


def _repetition_time(path: Path) -> float | None:
    """As the JSON beside a file says it, as BIDS has it."""
    beside = path.with_suffix(".json")
    if not is_there(beside):
        return None
    found = read_json_value(beside)
    value = found.get("RepetitionTime") if isinstance(found, dict) else None
    return None if value is None else _seconds(beside, value)


def _seconds(path: Path, value: Any) -> float:
    """A repetition time that a file states; its inverse, the frame rate, is finite and above zero too."""
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number < math.inf or not 0 < 1 / number < math.inf:
        raise DataError(
            f"{path}: the repetition time is {shown(value)}; expected seconds, a finite number above 0. Correct it."
        )
    return number
