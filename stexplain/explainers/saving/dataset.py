"""The fields of an explanation as an xarray dataset, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray

from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.reading.contents import reason_of

# Goes up by one when files of the version before can no longer be read.
_FORMAT = 1
# Before the names in `extra`, so that none can be mistaken for a variable of the explanation itself.
_EXTRA = "extra_"


def to_dataset(fields: Mapping[str, Any]) -> xarray.Dataset:
    """A dataset over the dimensions sample, instance, time, node (and position), with all else as attributes.

    Args:
        fields: of an `Explanation`, by name.
    """
    variables: dict[str, Any] = {
        "values": (("sample", "instance", "time", "node"), fields["values"], {"long_name": "signed importance"}),
        "valid": (("sample", "instance", "time"), fields["valid"]),
        # netCDF 3 has no 64-bit integers.
        "target": (("sample",), fields["targets"].astype(np.int32), {"long_name": fields["target"]}),
        "score": (("sample",), fields["score"]),
        "padding_share": (("sample",), fields["padding_share"]),
    }
    if fields["layer_values"] is not None:
        variables["layer_values"] = (("sample", "instance", "position", "node"), fields["layer_values"])
    if fields["channels"] is not None:
        axes = ("sample", "instance", "time", "node", "channel")
        variables["channels"] = (axes, fields["channels"], {"long_name": "signed importance per channel"})
    if fields["observed"] is not None:
        variables["observed"] = (("sample", "instance", "time", "node"), fields["observed"])
    if fields["standard_error"] is not None:
        variables["standard_error"] = (("sample", "instance", "time", "node"), fields["standard_error"])
    if fields["timestamps"] is not None:
        # As text, which has the offset from UTC, too: netCDF 3 has neither moments nor 64-bit integers.
        moments = np.asarray([moment.isoformat() for moment in fields["timestamps"]], dtype=str)
        variables["timestamp"] = (("sample",), moments, {"long_name": "moment of the first frame"})
    for name, numbers in fields["extra"].items():
        variables[_EXTRA + name] = (("sample",), numbers)
    # Attributes of netCDF are numbers or text: tuples and graphs are written as JSON.
    attributes = {
        "format": _FORMAT,
        "method": fields["method"],
        "layer": fields["layer"],
        "stride": fields["stride"],
        "classes": json.dumps(fields["classes"]),
        "reduce": fields["reduce"],
        "measures": fields["measures"],
        "time_unit": fields["time_unit"],
        "time_zone": _zone(fields["timestamps"]),
        "output_unit": fields["output_unit"],
        "channel_units": json.dumps(fields["channel_units"]),
        "notes": json.dumps(fields["notes"]),
        "made_by": json.dumps(dict(fields["made_by"])),
        "graph": "" if fields["graph"] is None else json.dumps(fields["graph"].to_dict()),
    }
    coordinates = {
        "sample": np.asarray(fields["ids"], dtype=str),
        "time": fields["time"],
        "node": np.asarray(fields["node_names"], dtype=str),
        **({} if fields["channels"] is None else {"channel": np.asarray(fields["channel_names"], dtype=str)}),
    }
    return xarray.Dataset(variables, coordinates, attributes)


def _zone(moments: pd.DatetimeIndex | None) -> str:
    """The name of a time zone; empty where there is none."""
    return "" if moments is None or moments.tz is None else str(moments.tz)


def _moments(dataset: xarray.Dataset) -> pd.DatetimeIndex | None:
    """The moments of the samples' first frames; none where the file has none."""
    if "timestamp" not in dataset:
        return None
    texts = [str(text) for text in dataset["timestamp"].values.tolist()]
    if not (zone := dataset.attrs.get("time_zone", "")):
        return pd.DatetimeIndex(texts)
    moments = pd.to_datetime(texts, utc=True)
    try:
        return moments.tz_convert(zone)
    except (KeyError, ValueError, TypeError):
        # A zone that this machine does not know: the moments are the same ones.
        return moments


def from_dataset(dataset: xarray.Dataset) -> dict[str, Any]:
    """The inverse of `to_dataset`: the fields of an `Explanation`, by name.

    Raises:
        DataError: where the dataset is not an explanation.
    """
    try:
        if dataset.attrs["format"] != _FORMAT:
            raise DataError(
                f"the format is {dataset.attrs['format']}; this version reads format {_FORMAT}. Another version of "
                "stexplain wrote it, and can read it."
            )
        graph = json.loads(dataset.attrs["graph"]) if dataset.attrs["graph"] else None
        return {
            "values": dataset["values"].values,
            "valid": dataset["valid"].values,
            "node_names": tuple(dataset["node"].values.tolist()),
            "time": dataset["time"].values,
            "method": dataset.attrs["method"],
            "target": dataset["target"].attrs["long_name"],
            "targets": dataset["target"].values.astype(np.int64),
            "score": dataset["score"].values,
            "ids": tuple(dataset["sample"].values.tolist()),
            "classes": tuple(json.loads(dataset.attrs["classes"])),
            # Files of earlier versions have none of these.
            "channels": dataset["channels"].values if "channels" in dataset else None,
            "observed": dataset["observed"].values.astype(np.bool_) if "observed" in dataset else None,
            "channel_names": tuple(dataset["channel"].values.tolist()) if "channels" in dataset else (),
            "reduce": dataset.attrs.get("reduce", ""),
            "measures": dataset.attrs.get("measures", ""),
            "time_unit": dataset.attrs.get("time_unit", "frame"),
            "output_unit": dataset.attrs.get("output_unit", ""),
            "channel_units": tuple(json.loads(dataset.attrs.get("channel_units", "[]"))),
            "timestamps": _moments(dataset),
            "standard_error": dataset["standard_error"].values if "standard_error" in dataset else None,
            "notes": tuple(json.loads(dataset.attrs.get("notes", "[]"))),
            "made_by": dict(json.loads(dataset.attrs.get("made_by", "{}"))),
            "layer": dataset.attrs["layer"],
            "layer_values": dataset["layer_values"].values if "layer_values" in dataset else None,
            "stride": int(dataset.attrs["stride"]),
            "padding_share": dataset["padding_share"].values,
            "graph": None if graph is None else STGraph.from_dict(graph),
            "extra": {
                str(name).removeprefix(_EXTRA): dataset[name].values
                for name in dataset.data_vars
                if str(name).startswith(_EXTRA)
            },
        }
    # Every entry may be of any type in a file that somebody else wrote.
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, InputError) as error:
        raise DataError(f"this is not an explanation: {reason_of(error)}") from error
