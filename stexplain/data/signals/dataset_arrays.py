"""The variables of a netCDF file or a zarr folder; called in a process of its own, see `reading.child_process`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.reading import readable

ABOUT = "about"
"""The entry that says, as JSON, what the other arrays are."""
MAGIC = {b"\x89HDF\r\n\x1a\n": "h5netcdf", b"CDF\x01": "scipy", b"CDF\x02": "scipy"}
"""How files of netCDF begin, and what reads them: netCDF-4 is HDF5, the older kinds are read by scipy."""
_AXES = 2
"""Variables of more dimensions are no series of nodes: they are named, and not read."""


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every variable of one or two dimensions, under its number, and `ABOUT`: what each is.

    Times stay as they are stored; what the file marks as missing is NaN.

    Raises:
        ValueError: where a part lies in another file, or a variable is of a kind that no array can hold.
    """
    import xarray

    engine = engine_of(path)
    if engine == "h5netcdf":
        import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]  # optional, and ships no types

        from stexplain.reading.hdf5 import check_within

        with h5py.File(path, "r") as file:
            check_within(file)
    options: dict[str, Any] = {}
    if engine == "zarr":
        import zarr

        from stexplain.reading.zarr_folder import check_chunks

        check_chunks(path)
        # Threads take address space, which is limited in this process.
        zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
        options = {"consolidated": False}
    with xarray.open_dataset(path, engine=engine, decode_times=False, chunks=None, **options) as dataset:
        found: dict[str, NDArray[Any]] = {}
        about = []
        for name, variable in dataset.variables.items():
            read = variable.ndim <= _AXES
            about.append(
                {
                    "name": str(name),
                    "dims": [str(dim) for dim in variable.dims],
                    "shape": list(map(int, variable.shape)),
                    "dtype": variable.dtype.str,
                    "attrs": {str(key): value for key, value in variable.attrs.items() if isinstance(value, str)},
                    "coordinate": name in dataset.coords,
                    "read": read,
                }
            )
            if read:
                found[str(len(about) - 1)] = _plain(str(name), variable.to_numpy())
    return {**found, ABOUT: np.array(json.dumps(about))}


def engine_of(path: Path) -> str:
    """What reads a file, by its first bytes, or a folder; empty where it is none of them."""
    if path.is_dir():
        return "zarr"
    with readable(path, "a file"), path.open("rb") as file:
        first = file.read(8)
    return next((engine for magic, engine in MAGIC.items() if first.startswith(magic)), "")


def dataset_of(arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The xarray dataset whose variables `arrays` gave; one that was not read has its dimensions, and no content.

    Example:
        >>> about = [{"name": "v", "dims": ["t"], "shape": [2], "dtype": "<f4", "attrs": {"units": "mph"},
        ...           "coordinate": False, "read": True}]
        >>> dataset_of({"0": np.zeros(2), "about": np.array(json.dumps(about))})["v"].attrs
        {'units': 'mph'}
    """
    import xarray

    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for number, one in enumerate(json.loads(str(arrays[ABOUT]))):
        # A single number that stands for all takes no memory, whatever the shape.
        values = arrays[str(number)] if one["read"] else np.broadcast_to(np.zeros((), one["dtype"]), one["shape"])
        (coordinates if one["coordinate"] else variables)[one["name"]] = (one["dims"], values, one["attrs"])
    return xarray.Dataset(variables, coordinates)


def _plain(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """An array of no objects: text of variable length becomes text of one length."""
    if values.dtype != object:
        return values
    items = [item.decode() if isinstance(item, bytes) else item for item in values.ravel().tolist()]
    if not all(isinstance(item, str) for item in items):
        raise ValueError(f"the variable {name!r} holds objects; expected numbers or text")
    return np.array(items, np.str_).reshape(values.shape)
