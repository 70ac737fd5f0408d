"""Writes and reads explanations; the ending of a path says in which format."""

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray
from numpy.typing import NDArray

from stexplain.errors import DataError, InputError
from stexplain.explainers.saving.dataset import from_dataset, to_dataset
from stexplain.files import atomic_write
from stexplain.reading import read_bytes, readable, regular_file
from stexplain.reading.child_process import arrays_in_child
from stexplain.reading.npy import opened_npz
from stexplain.reading.zarr_folder import ABOUT

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation

_AGAIN = "Save the explanation again."
_NAMED = 8
"""So many arrays of a foreign file are named."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
"""The first bytes of a file of netCDF 4."""


def save(explanation: "Explanation", path: Path) -> None:
    """Writes a file, or a folder of zarr, completely or not at all.

    Args:
        explanation: all of it goes into ``.nc``, ``.zarr`` and ``.npz``; its table `to_frame` into ``.csv`` and
            ``.parquet``, which keeps how it was made as the table's ``attrs``.
        path: its ending says the format.

    Raises:
        InputError: where the ending is another, or the package that writes it is not installed.
        DataError: where it cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in WRITERS:
        drawn = {
            **dict.fromkeys((".html", ".png", ".svg", ".pdf"), " Its chart: stexplain.viz.save(e.plot(), path)."),
            **dict.fromkeys((".gif", ".mp4"), " Its film: e.animate(path)."),
        }
        known = ", ".join(WRITERS)
        raise InputError(f"path: got {path.name!r}; expected a name that ends in {known}.{drawn.get(kind, '')}")
    with atomic_write(path) as temporary:
        try:
            WRITERS[kind](explanation, temporary)
        except ImportError as error:
            remedy = {".zarr": "pip install stexplain[traffic]", ".parquet": "pip install pyarrow"}[kind]
            raise InputError(f"path: {kind} files need a package that is not installed. {remedy}") from error


def load(path: Path) -> dict[str, Any]:
    """The fields of an `Explanation` in a file that `save` wrote.

    Raises:
        InputError: where the ending says that it is a table, or no format of an explanation.
        DataError: where the file is missing, broken, or not an explanation.
    """
    kind = path.suffix.lower()
    if kind not in READERS:
        tables = " A table does not hold all of an explanation." if kind in WRITERS else ""
        raise InputError(f"path: got {path.name!r}; expected a name that ends in {', '.join(READERS)}.{tables}")
    if not os.path.lexists(path):
        raise DataError(f"{path} is missing; expected a file that `Explanation.save` wrote.")
    if kind == ".zarr":
        if not path.is_dir():
            raise DataError(f"{path} is not a folder; expected a zarr folder.")
    else:
        regular_file(path, _AGAIN)
    with readable(path, _NAMES[kind], f"Is it truncated? {_AGAIN}"):
        dataset = READERS[kind](path)
    if "format" not in dataset.attrs and "values" not in dataset:
        raise _foreign(path, "variables", map(str, dataset.variables))
    try:
        return from_dataset(dataset)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _write_nc(explanation: "Explanation", path: Path) -> None:
    # By scipy, which needs no netCDF4 library.
    to_dataset(explanation._fields()).to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def _write_zarr(explanation: "Explanation", path: Path) -> None:
    # Version 2 of the format has text of fixed length, which version 3 has not agreed on.
    to_dataset(explanation._fields()).to_zarr(path, zarr_format=2, consolidated=True)


def _write_npz(explanation: "Explanation", path: Path) -> None:
    dataset = to_dataset(explanation._fields())
    arrays = {str(name): variable.to_numpy() for name, variable in dataset.variables.items()}
    about = {
        "axes": {str(name): list(map(str, variable.dims)) for name, variable in dataset.variables.items()},
        "coordinates": list(map(str, dataset.coords)),
        "attributes": dataset.attrs,
        "long_names": {str(name): each.attrs.get("long_name", "") for name, each in dataset.variables.items()},
    }
    np.savez_compressed(path, allow_pickle=False, **{**arrays, ABOUT: np.asarray(json.dumps(about))})


def _write_csv(explanation: "Explanation", path: Path) -> None:
    explanation.to_frame().to_csv(path, index=False)


def _write_parquet(explanation: "Explanation", path: Path) -> None:
    table = explanation.to_frame()
    # pandas keeps it in the file's own metadata, and gives it back as attrs.
    table.attrs = {"made_by": dict(explanation.made_by)} if explanation.made_by else {}
    table.to_parquet(path, index=False)


def _read_nc(path: Path) -> xarray.Dataset:
    # From memory: of a file, a header that declares terabytes would have them allocated.
    content = read_bytes(path)
    if content.startswith(_HDF5):
        raise DataError(
            f"{path} is a file of netCDF 4, as xarray writes where it can; expected netCDF 3, as `Explanation.save` "
            'writes. Write the dataset by to_netcdf(path, engine="scipy").'
        )
    return xarray.load_dataset(io.BytesIO(content), engine="scipy")


def _read_zarr(path: Path) -> xarray.Dataset:
    # In another process: damaged sizes in a chunk are gigabytes, or the end of the process.
    return _of_arrays(arrays_in_child("stexplain.reading.zarr_folder", path, _NAMES[".zarr"], _AGAIN))


def _read_npz(path: Path) -> xarray.Dataset:
    with opened_npz(path, _AGAIN, any_ratio=True) as arrays:
        if ABOUT not in arrays.names:
            raise _foreign(path, "arrays", arrays.names)
        return _of_arrays({name: arrays[name] for name in arrays.names})


def _foreign(path: Path, noun: str, names: Iterable[str]) -> DataError:
    """The error for a whole file that somebody else wrote."""
    # As literals: a name may hold anything.
    found = [repr(name)[1:-1] for name in names]
    listed = ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
    return DataError(
        f"{path}: holds no explanation: got {f'{noun} {listed}' if found else f'no {noun}'}; expected a file that "
        "`Explanation.save` wrote."
    )


def _of_arrays(arrays: Mapping[str, NDArray[Any]]) -> xarray.Dataset:
    about = json.loads(str(arrays[ABOUT]))
    variables: dict[str, Any] = {
        name: (tuple(axes), arrays[name], {"long_name": about["long_names"][name]})
        for name, axes in about["axes"].items()
    }
    coordinates = {name: variables.pop(name) for name in about["coordinates"]}
    return xarray.Dataset(variables, coordinates, about["attributes"])


WRITERS: Mapping[str, Callable[["Explanation", Path], None]] = {
    ".nc": _write_nc,
    ".zarr": _write_zarr,
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
"""What writes an explanation, by the ending of the path."""
READERS: Mapping[str, Callable[[Path], xarray.Dataset]] = {".nc": _read_nc, ".zarr": _read_zarr, ".npz": _read_npz}
"""What reads one again."""
_NAMES = {".nc": "a netCDF file", ".zarr": "a zarr folder", ".npz": "an npz file of an explanation"}
