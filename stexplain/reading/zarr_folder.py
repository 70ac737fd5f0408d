"""All variables of a zarr folder; called in a process of its own, see `child_process`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABOUT = "about"
"""The entry that says, as JSON, what the other arrays are."""
# A folder that unpacks to more than this, and to more than so many times what it holds, is damaged: no compression of
# an explanation comes near it.
_SMALL, _RATIO = 1 << 24, 2000


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every variable by its name, and `ABOUT`: their axes, long names, which are coordinates, and the attributes.

    Raises:
        ValueError: where its arrays declare far more than its files hold.
    """
    import xarray
    import zarr

    check_chunks(path)
    # Threads take address space, which is limited in this process.
    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
    # Chunks that are not there are filled in, so a wrong digit of a shape is gigabytes of one value.
    declared = sum(int(array.nbytes) for _, array in zarr.open_group(path, mode="r").arrays())
    stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if declared > max(_SMALL, _RATIO * stored):
        raise ValueError(f"its files hold {stored} bytes; its arrays declare {declared}")
    with xarray.open_zarr(path, consolidated=True, chunks=None) as opened:
        variables = {str(name): variable for name, variable in opened.variables.items()}
        about = {
            "axes": {name: list(map(str, variable.dims)) for name, variable in variables.items()},
            "coordinates": list(map(str, opened.coords)),
            "attributes": opened.attrs,
            "long_names": {name: each.attrs.get("long_name", "") for name, each in variables.items()},
        }
        found = {name: variable.to_numpy() for name, variable in variables.items()}
    return {**found, ABOUT: np.array(json.dumps(about))}


def check_chunks(path: Path) -> None:
    """Refuses chunks of Blosc that do not end where their header says: what is missing it reads from elsewhere.

    Args:
        path: the folder, of either format of zarr.

    Raises:
        ValueError: with the name of the chunk.
    """
    for about in (*path.rglob(".zarray"), *path.rglob("zarr.json")):
        said = json.loads(about.read_bytes())
        if not isinstance(said, dict) or not _is_blosc(said):
            continue
        for chunk in about.parent.rglob("*"):
            if not chunk.is_file() or chunk.name.startswith(".z") or chunk.name == "zarr.json":
                continue
            with chunk.open("rb") as file:
                header = file.read(_HEADER)
            size = chunk.stat().st_size
            declared = int.from_bytes(header[-4:], "little")
            if len(header) < _HEADER or declared != size:
                raise ValueError(f"{chunk.relative_to(path)} holds {size} bytes; its header says {declared}")


_HEADER = 16
"""Bytes of Blosc's header, of which the last four say how long the chunk is, header and all."""


def _is_blosc(about: dict[str, Any]) -> bool:
    """Whether an array's chunks are of Blosc, and nothing is packed around that."""
    compressor, codecs = about.get("compressor"), about.get("codecs")
    if isinstance(compressor, dict):
        return compressor.get("id") == "blosc"
    return (
        isinstance(codecs, list) and bool(codecs) and isinstance(codecs[-1], dict) and codecs[-1].get("name") == "blosc"
    )
