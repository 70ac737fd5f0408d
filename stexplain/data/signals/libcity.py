"""LibCity's atomic files: `.geo` (sensors), `.rel` (links) and `.dyna` (values), as `config.json` says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.data.labelled import check_span
from stexplain.data.readers.number_table import read_text_table
from stexplain.data.signals.sensor_data import SensorData
from stexplain.errors import DataError, InputError
from stexplain.files import read_json
from stexplain.graph import STGraph
from stexplain.graph.notices import without_loops
from stexplain.reading import is_there
from stexplain.reading.shape import Form

_FIXED = ("dyna_id", "type", "time", "entity_id")


class _Info(Form):
    """What is read of the configuration."""

    data_col: str | list[str] | None = None
    weight_col: str | list[str] | None = None
    time_intervals: float | int | None = None
    weight_adj_epsilon: float | int = 0.1
    bidir_adj_mx: bool | None = None
    calculate_weight_adj: bool | None = None
    set_weight_link_or_dist: str | None = None
    init_weight_inf_or_zero: str | None = None


class _Config(Form):
    info: _Info = _Info()


def read(folder: Path) -> SensorData:
    """Reads a folder of LibCity.

    Links get what LibCity's own configuration asks for: ``set_weight_link_or_dist = "link"``: weight 1;
    ``calculate_weight_adj``: the Gaussian kernel of the distances, below ``weight_adj_epsilon`` no edge; else, with
    ``init_weight_inf_or_zero = "zero"``, the numbers as weights. ``bidir_adj_mx``: both directions. Positions are the
    points of the geography, or the middle of its lines and polygons.

    Raises:
        DataError: where a file is missing or broken, or files do not fit each other.
        InputError: where the configuration does not say what the numbers of links are.
    """
    geo_path = _one(folder, "*.geo")
    config = folder / "config.json"
    info = read_json(config, _Config, remedy="Correct it.").get("info", {}) if is_there(config) else {}
    geo = read_text_table(geo_path)
    _require(geo_path, geo, ("geo_id",))
    nodes = tuple(geo["geo_id"])
    if len(set(nodes)) < len(nodes):
        raise DataError(f"{geo_path}: a geo_id appears twice; expected each once.")
    positions = _positions(geo_path, geo)
    values, channels, time = _dyna(folder, nodes, info)
    rel = sorted(folder.glob("*.rel"))
    graph = _graph(_one(folder, "*.rel"), nodes, info, positions) if rel else None
    seconds = info.get("time_intervals")
    step = (time[1] - time[0]).total_seconds() if len(time) > 1 else None
    if isinstance(seconds, int | float) and step is not None and step != seconds:
        raise DataError(
            f"{folder / 'config.json'} says {seconds:g} s from frame to frame, and the second time of the .dyna is "
            f"{step:g} s after the first. Are both of one dataset?"
        )
    return SensorData(
        geo_path, values, nodes, channels, time=time, positions=positions, geographic=positions is not None, graph=graph
    )


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        here = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise DataError(f"{folder}: got {len(found)} files {pattern}; expected one. It holds: {here}.")
    return found[0]


def _require(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for name in columns:
        if name not in table.columns:
            raise DataError(f"{path} has the columns {', '.join(table.columns)}; expected {name} among them.")


def _positions(path: Path, geo: pd.DataFrame) -> NDArray[np.float64] | None:
    if "coordinates" not in geo:
        return None
    points = []
    for line, text in enumerate(geo["coordinates"], 2):
        try:
            # Of a polygon the first ring, of a line all of its points.
            found = np.array(json.loads(text or "[]"), np.float64)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{path}, line {line}: the coordinates are {text!r}; expected [longitude, latitude]."
            ) from error
        if found.size == 0:
            return None
        found = found.reshape(-1, found.shape[-1]) if found.ndim else found
        if found.shape[-1] != 2 or not np.isfinite(found).all():
            raise DataError(f"{path}, line {line}: the coordinates are {text!r}; expected [longitude, latitude].")
        points.append(found.mean(0))
    return np.array(points)


def _dyna(folder: Path, nodes: tuple[str, ...], info: dict[str, Any]) -> tuple[Any, tuple[str, ...], pd.DatetimeIndex]:
    paths = sorted(folder.glob("*.dyna"))
    if not paths:
        others = [path.name for path in sorted(folder.glob("*.grid")) + sorted(folder.glob("*.od"))]
        also = f" {others[0]} is of cells, which load_sensors does not read: save it as netCDF." if others else ""
        raise DataError(f"{folder} holds no .dyna, the values by time and sensor.{also}")
    tables = []
    for path in paths:
        table = read_text_table(path)
        _require(path, table, ("time", "entity_id"))
        tables.append(table.assign(_path=str(path), _line=np.arange(2, len(table) + 2)))
    table = pd.concat(tables, ignore_index=True)

    def refuse(row: int, what: str) -> DataError:
        return DataError(f"{table['_path'].iloc[row]}, line {table['_line'].iloc[row]}: {what}")

    named = info.get("data_col") or [name for name in tables[0].columns if name not in (*_FIXED, "_path", "_line")]
    channels = tuple(str(name) for name in ([named] if isinstance(named, str) else named))
    _require(paths[0], table, channels)
    time = pd.to_datetime(table["time"], errors="coerce", format="ISO8601")
    odd = np.flatnonzero(time.isna().to_numpy())
    if odd.size:
        raise refuse(odd[0], f"the time is {table['time'].iloc[odd[0]]!r}; expected one such as 2012-03-01T00:00:00Z.")
    index = {name: number for number, name in enumerate(nodes)}
    node = table["entity_id"].map(index)
    odd = np.flatnonzero(node.isna().to_numpy())
    if odd.size:
        raise refuse(odd[0], f"the sensor {table['entity_id'].iloc[odd[0]]!r} is not in the .geo.")
    frames = pd.DatetimeIndex(time.drop_duplicates()).sort_values()
    if len(frames) > 1:
        # A time that no sensor has is a frame of gaps, not a longer step.
        step = pd.Timedelta(np.diff(frames).min())
        check_span(frames[0], frames[-1], step, len(frames), paths[0])
        frames = frames.union(pd.date_range(frames[0], frames[-1], freq=step))
    row, column = frames.get_indexer(pd.DatetimeIndex(time)), node.to_numpy(np.int64)
    twice = np.flatnonzero(pd.Series(row * len(nodes) + column).duplicated().to_numpy())
    if twice.size:
        raise refuse(twice[0], f"the sensor {table['entity_id'].iloc[twice[0]]!r} has a second row of its time.")
    values = np.full((len(frames), len(nodes), len(channels)), np.nan, np.float32)
    for number, name in enumerate(channels):
        cells = pd.to_numeric(table[name].replace("", "nan"), errors="coerce")
        odd = np.flatnonzero((cells.isna() & ~table[name].str.lower().isin(["", "nan"])).to_numpy())
        if odd.size:
            raise refuse(odd[0], f"{name} is {table[name].iloc[odd[0]]!r}; expected a number.")
        values[row, column, number] = cells.to_numpy(np.float32)
    return values, channels, frames


def _graph(path: Path, nodes: tuple[str, ...], info: dict[str, Any], positions: Any) -> STGraph:
    rel = read_text_table(path)
    _require(path, rel, ("origin_id", "destination_id"))
    pairs = rel[["origin_id", "destination_id"]].set_axis(["source", "target"], axis=1)
    for end in ("source", "target"):
        odd = np.flatnonzero(~pairs[end].isin(nodes).to_numpy())
        if odd.size:
            raise DataError(f"{path}, line {odd[0] + 2}: the sensor {pairs[end].iloc[odd[0]]!r} is not in the .geo.")
    both = bool(info.get("bidir_adj_mx", False))
    others = [name for name in rel.columns if name not in ("rel_id", "type", "origin_id", "destination_id")]
    column = info.get("weight_col") or (others[0] if len(others) == 1 else None)
    column = column[0] if isinstance(column, list) and column else column
    try:
        if not others or info.get("set_weight_link_or_dist") == "link":
            far = rel[others[0]] if len(others) == 1 else None
            neighbours = _once(pairs[without_loops(pairs, nodes, far)], both)
            return STGraph.from_pandas(neighbours, nodes, directed=not both, positions=positions)
        if column is None:
            raise InputError(
                f"{path} has {', '.join(others)}; which is the weight? Name it as weight_col in config.json."
            )
        _require(path, rel, (str(column),))
        numbers = pd.to_numeric(rel[str(column)], errors="coerce")
        odd = np.flatnonzero(numbers.isna().to_numpy())
        if odd.size:
            raise DataError(
                f"{path}, line {odd[0] + 2}: {column} is {rel[str(column)].iloc[odd[0]]!r}; expected a number."
            )
        if info.get("calculate_weight_adj"):
            table = _once(pairs.assign(distance=numbers), both)
            least = float(info.get("weight_adj_epsilon", 0.1))
            return STGraph.from_distances(table, nodes, threshold=least, directed=not both, positions=positions)
        if str(info.get("init_weight_inf_or_zero", "")).lower() != "zero":
            raise InputError(
                f"{path}: the configuration does not say whether {column} is a distance or a weight. Write into "
                'config.json, under "info", "calculate_weight_adj": true (distances), "init_weight_inf_or_zero": '
                '"zero" (weights) or "set_weight_link_or_dist": "link" (neighbours); or give graph=.'
            )
        weighted = _once(pairs.assign(weight=numbers)[without_loops(pairs, nodes, numbers)], both)
        return STGraph.from_pandas(weighted, nodes, directed=not both, positions=positions)
    except InputError as error:
        raise type(error)(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _once(pairs: pd.DataFrame, both: bool) -> pd.DataFrame:
    """Each link once; where both directions are meant, in one of them."""
    if not both:
        return pairs.drop_duplicates()
    ends = np.sort(pairs[["source", "target"]].to_numpy(str), axis=1)
    ordered = pairs.assign(source=ends[:, 0], target=ends[:, 1])
    return ordered.drop_duplicates(["source", "target"])
