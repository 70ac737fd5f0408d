"""Small networks of sensors, and files of them as others write these, for the tests."""

import numpy as np
import pandas as pd
import pytest

T, N = 40, 4

SHORT = {"window": 4, "horizon": 2}


def readings(channels=2, seed=0):
    return np.random.default_rng(seed).normal(50, 5, size=(T, N, channels)).astype(np.float32)


def times(zone=None):
    return pd.date_range("2012-03-01", periods=T, freq="5min", tz=zone)


RING = [(0, 1, 1.0), (1, 2, 1.2), (2, 3, 0.8), (3, 0, 1.0), (0, 2, 6.0), (0, 0, 0.0), (1, 1, 0.0)]


def kernel(links=RING, least=0.1):
    """LibCity's and DCRNN's: exp(-(d / sigma)^2) over the listed distances."""
    sigma = np.array([far for *_, far in links]).std()
    found = {(a, b): float(np.exp(-((far / sigma) ** 2))) for a, b, far in links if a != b}
    return {pair: round(weight, 9) for pair, weight in sorted(found.items()) if weight >= least}


def entries(graph):
    return {
        tuple(edge): round(float(weight), 9) for edge, weight in zip(graph.edges.tolist(), graph.weight, strict=True)
    }


def tsl(path, values, channels=("speed", "flow")):
    """As `to_hdf` writes a frame in the fixed format, columns (sensor, channel)."""
    h5py = pytest.importorskip("h5py")
    names = [f"s{n}" for n in range(N)]
    codes = np.array([[n, c] for n in range(N) for c in range(len(channels))])
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        for axis in ("axis0", "block0_items"):
            group.attrs[f"{axis}_nlevels"], group.attrs[f"{axis}_variety"] = 2, "multi"
            for level, labels in enumerate((names, channels)):
                group[f"{axis}_level{level}"] = np.array(labels, "S")
                group[f"{axis}_label{level}"] = codes[:, level].astype(np.int8)
        group["axis1"] = times().to_numpy().astype("datetime64[ns]").astype(np.int64)
        group["axis1"].attrs["kind"] = "datetime64"
        group["block0_values"] = values.reshape(T, -1)
