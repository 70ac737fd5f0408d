"""Reads LargeST as its scripts leave it: `his.npz` (data, mean, std), `idx_*.npy` and the network, `*_rn_adj.npy`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.data.readers.pems_npz import read_arrays
from stexplain.data.series_file import SeriesFile, found_file, times_from_start
from stexplain.errors import DataError
from stexplain.graph import STGraph
from stexplain.graph.notices import without_kernel_diagonal
from stexplain.reading import naming
from stexplain.reading.npy import load_npy


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    LargeST's files hold flow standardised by its training split, then time of day and day of week. Flow is returned in
    its own unit, as data * std + mean; `WindowedSeries.with_calendar` computes its own calendar. ``idx_train.npy``,
    ``idx_val.npy`` and ``idx_test.npy`` are checked against the values and not used: they list the last frame of
    windows, and windows at their borders share values, which the card's `splits` exclude.

    Args:
        where: the folder of ``his.npz`` (such as ``sd/2019``), or the file. The network lies there or in the folder
            above.
        card: of the series; `series.start` is the time of the first frame, such as 2019-01-01.

    Returns:
        Values ``[T, N, 1]``, float32. Sensors are numbers from 0, in the order of the network.

    Raises:
        DataError: where a file is missing or broken, or sizes do not fit.
    """
    path = found_file(Path(where), card.files.get("values", "his.npz"), "the values", companion=False)
    arrays = read_arrays(path, "data", "mean", "std")
    data, mean, std = arrays["data"], arrays["mean"], arrays["std"]
    if data.ndim != 3 or mean.size != 1 or std.size != 1 or len(card.series.channels) != 1:
        raise DataError(
            f"{path}: data has shape {data.shape}, mean {mean.shape} and std {std.shape}, and the card names "
            f"{len(card.series.channels)} channels; expected [T, N, C], one mean and one std, and one channel."
        )
    mean, std = mean.reshape(()).astype(float), std.reshape(()).astype(float)
    if not (np.isfinite(mean) and np.isfinite(std) and std > 0):
        raise DataError(
            f"{path}: got the mean {mean} and the standard deviation {std}; expected finite numbers, the second above "
            "0. Fetch the file again."
        )
    # Files of another year have the same names: an index out of range is the only sign of a mix-up.
    for index in sorted(path.parent.glob("idx_*.npy")):
        frames = read_array(index)
        if frames.dtype.kind == "f":
            raise DataError(f"{index} holds {frames.dtype}; expected whole numbers of frames. Fetch the file again.")
        last = frames.max(initial=0)
        if last >= len(data):
            raise DataError(f"{index} names the frame {last}; {path.name} holds {len(data)}. Are both of one year?")
    # The network is one for all years, so LargeST's own layout has it a folder above.
    folder = path.parent if any(path.parent.glob("*_rn_adj.npy")) else path.parent.parent
    network = found_file(folder, card.files.get("adjacency", "*_rn_adj.npy"), "the road network")
    matrix = read_array(network)
    if matrix.shape != (data.shape[1], data.shape[1]):
        raise DataError(
            f"{network} has shape {matrix.shape}; expected [{data.shape[1]}, {data.shape[1]}], as in {path}."
        )
    # Channel 0 is flow; in float64 until it is back in its unit.
    values = (data[..., :1] * float(std) + float(mean)).astype(np.float32)
    with naming(network):
        graph = STGraph.from_adjacency(without_kernel_diagonal(matrix))
    return SeriesFile(values, graph, times_from_start(card, len(data)))


def read_array(path: Path) -> NDArray[np.float64]:
    """An array of numbers from an npy file; nothing is unpickled.

    Raises:
        DataError: where the file is no npy, or its array is of objects.
    """
    found = load_npy(path)
    if found.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {found.dtype}; expected numbers. Fetch the file again.")
    return found
