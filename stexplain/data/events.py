"""Events of a planted series: what happens after a window, and which positions of the window cause it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.errors import InputError
from stexplain.graph import STGraph

COLUMNS = ("target", "frame", "horizon")


@dataclass(frozen=True)
class SeriesEvents:
    """The events of a whole series and their ground truth; a series without any has an empty table.

    Attributes:
        table: a row per event: ``target`` (a node), ``frame`` (the first of its window), ``horizon``, and more.
        truth: which positions of the window cause the event, ``[events, window, N]``, bool, or none.
        counterfactual: the target channel of each window without the event's cause, ``[events, window, N]``, float32
            (anything where a value is missing), or none.
    """

    table: pd.DataFrame
    truth: NDArray[np.bool_] | None
    counterfactual: NDArray[np.float32] | None = None

    def within(self, starts: NDArray[np.int64]) -> pd.DataFrame:
        """The events whose window is among these, with its index as the column ``window``.

        Args:
            starts: the first frame of each window, ``[n]``.
        """
        window_at = {int(start): index for index, start in enumerate(starts)}
        window = self.table["frame"].map(window_at)
        # The row's number in the whole series stays its index: `truth` is addressed by it.
        inside = self.table[window.notna()]
        return inside.assign(window=window[window.notna()].astype(np.int64))

    def without_cause(self, x: Tensor, present: Tensor, chosen: NDArray[np.int64], channel: int) -> Tensor:
        """Windows ``[B, 1, T, N, C]`` of these events as they would have been without their cause.

        Args:
            x: the windows as they were.
            present: which of their positions hold an observation, ``[B, 1, T, N]``, bool.
            chosen: numbers of the events, ``[B]``.
            channel: the one that is forecast.

        Raises:
            InputError: where the events have no counterfactual.
        """
        if self.counterfactual is None:
            raise InputError(
                "the events of this series have no counterfactual. Use generated data: load_dataset('roads')."
            )
        changed, shown = x.clone(), torch.from_numpy(self.counterfactual[chosen][:, None])
        # Missing values are zero in both, as the mask of the batch says.
        changed[..., channel] = torch.where(present, shown, 0)
        return changed


def series_events(
    table: pd.DataFrame | None,
    truth: NDArray[np.bool_] | None,
    counterfactual: NDArray[np.floating] | None = None,
    *,
    window: int,
    horizon: int,
    nodes: int,
    graph: STGraph | None,
) -> SeriesEvents:
    """Checks events and their ground truth against the series that they are of.

    Raises:
        InputError: where a column is missing, a node or horizon is unknown, or truth or counterfactual has another
            shape.
    """
    if table is None:
        for name, array in (("truth", truth), ("counterfactual", counterfactual)):
            if array is not None:
                raise InputError(f"got {name} without events; expected both, a row of events for each {name}.")
        return SeriesEvents(pd.DataFrame({"target": [], "frame": pd.Series([], dtype=np.int64), "horizon": []}), None)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"events: got the columns {', '.join(map(str, table.columns))}; expected {', '.join(COLUMNS)}, and "
            f"{missing[0]!r} is missing."
        )
    # No batch axis: events are of one series, and a truth belongs to a row of the table.
    shape = (len(table), window, nodes)
    if truth is None or truth.shape != shape:
        raise InputError(
            f"truth: got shape {None if truth is None else truth.shape}; expected {shape}, [events, window, N]."
        )
    if counterfactual is not None and counterfactual.shape != shape:
        raise InputError(f"counterfactual: got shape {counterfactual.shape}; expected {shape}, [events, window, N].")
    if graph is not None:
        for name in table["target"]:
            # Raises, with the nearest name, where the graph has no such node.
            graph.index(str(name))
    if not table["horizon"].between(1, horizon).all():
        raise InputError(f"events: got a horizon of {table['horizon'].max()}; expected 1 to {horizon}.")
    values = None if counterfactual is None else counterfactual.astype(np.float32, copy=False)
    return SeriesEvents(table.reset_index(drop=True), truth, values)


def chosen_events(
    known: pd.DataFrame, events: "Sequence[int] | NDArray[np.int64] | Literal['all']"
) -> NDArray[np.int64]:
    """The numbers of events that a user asks for, each checked to be in a table.

    Raises:
        InputError: where the table has no such event.
    """
    chosen = known.index.to_numpy() if isinstance(events, str) else np.asarray(events)
    absent = [number for number in chosen.tolist() if number not in known.index]
    if absent:
        shown = ", ".join(map(str, known.index[:20])) + ", ..." * (len(known) > 20)
        raise InputError(f"events: got {absent[0]}; expected events of this split: {shown or 'it has none'}.")
    return np.asarray(chosen)
