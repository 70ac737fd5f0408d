"""Explanations as xarray datasets, and as netCDF files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from stexplain.errors import DataError
from stexplain.explainers.explanation import Explanation
from stexplain.files import atomic_write
from stexplain.graph import STGraph

_FORMAT = 1
_EXTRA = "extra_"


def to_dataset(explanation: Explanation) -> xarray.Dataset:
    """A dataset over the dimensions sample, instance, time, node (and position), with all else as attributes."""
    variables: dict[str, Any] = {
        "values": (("sample", "instance", "time", "node"), explanation.values, {"long_name": "signed importance"}),
        "valid": (("sample", "instance", "time"), explanation.valid),
        "target": (("sample",), explanation.targets.astype(np.int32), {"long_name": explanation.target}),
        "score": (("sample",), explanation.score),
        "padding_share": (("sample",), explanation.padding_share),
    }
    if explanation.layer_values is not None:
        variables["layer_values"] = (("sample", "instance", "position", "node"), explanation.layer_values)
    for name, numbers in explanation.extra.items():
        variables[_EXTRA + name] = (("sample",), numbers)
    attributes = {
        "format": _FORMAT,
        "method": explanation.method,
        "layer": explanation.layer,
        "stride": explanation.stride,
        "classes": json.dumps(explanation.classes),
        "graph": "" if explanation.graph is None else json.dumps(explanation.graph.to_dict()),
    }
    coordinates = {
        "sample": np.asarray(explanation.ids, dtype=str),
        "time": explanation.time,
        "node": np.asarray(explanation.node_names, dtype=str),
    }
    return xarray.Dataset(variables, coordinates, attributes)


def from_dataset(dataset: xarray.Dataset) -> Explanation:
    """What `to_dataset` was given.

    Raises:
        DataError: where the dataset is no explanation.
    """
    try:
        if dataset.attrs["format"] != _FORMAT:
            raise DataError(f"format {dataset.attrs['format']} came; this version reads format {_FORMAT}.")
        graph = json.loads(dataset.attrs["graph"]) if dataset.attrs["graph"] else None
        return Explanation(
            values=dataset["values"].values,
            valid=dataset["valid"].values,
            node_names=tuple(dataset["node"].values.tolist()),
            time=dataset["time"].values,
            method=dataset.attrs["method"],
            target=dataset["target"].attrs["long_name"],
            targets=dataset["target"].values.astype(np.int64),
            score=dataset["score"].values,
            ids=tuple(dataset["sample"].values.tolist()),
            classes=tuple(json.loads(dataset.attrs["classes"])),
            layer=dataset.attrs["layer"],
            layer_values=dataset["layer_values"].values if "layer_values" in dataset else None,
            stride=int(dataset.attrs["stride"]),
            padding_share=dataset["padding_share"].values,
            graph=None if graph is None else STGraph.from_dict(graph),
            extra={
                str(name).removeprefix(_EXTRA): dataset[name].values
                for name in dataset.data_vars
                if str(name).startswith(_EXTRA)
            },
        )
    except (KeyError, ValueError) as error:
        raise DataError(f"this is not an explanation: {error}") from error


def save(explanation: Explanation, path: Path) -> None:
    """Writes a netCDF file, whole or not at all.

    Raises:
        DataError: where it cannot be written.
    """
    with atomic_write(path) as temporary:
        to_dataset(explanation).to_netcdf(temporary, engine="scipy", format="NETCDF3_64BIT")


def load(path: Path) -> Explanation:
    """Reads what `save` wrote.

    Raises:
        DataError: where the file is missing, broken, or no explanation.
    """
    try:
        dataset = xarray.load_dataset(path, engine="scipy")
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.") from error
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{path} is not whole, or no netCDF file: {str(error).splitlines()[0]}") from error
    try:
        return from_dataset(dataset)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
