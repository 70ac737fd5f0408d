"""Do the edges along which a planted slowdown spreads come first, at the lags at which it is under way?

On the planted roads queues go upstream, from one sensor to the one before. So it is known which messages carry the
news of a later slowdown: those from a sensor that holds a cause at that frame to one on the shortest way to the
target. Each planted slowdown that a trained forecaster predicted is explained by `EdgeImportance`. Scores are AUROC
over edges (summed over frames), over frames (summed over edges) and over edge x frame: means over events with 95%
bootstrap intervals. Self loops are left out.

- importance: what each message takes from the forecast, minus the importance;
- magnitude: its size alone;
- change: importance less that of the same window with the historical average in its place;
- weights: a baseline that knows the weights of the edges alone;
- weights x drop: a baseline that knows how far the sender is below its historical average, too, but no model.

    python benchmarks/edges.py RUN [--json FILE]

RUN is a finished run of ``stexplain bench roads``, such as ``runs/roads/stgcn-roads``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import stexplain as stx
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.planted.roads_network import network
from stexplain.data.windows import WindowBatch
from stexplain.explainers.targets import Forecast, PerSample
from stexplain.metrics.localisation import localisation

AXES = {"nodes": "edges", "frames": "frames", "positions": "edge x frame"}


def on_the_way(events: pd.DataFrame, cause: NDArray[np.bool_], edges: list[tuple[str, str]]) -> NDArray[np.bool_]:
    """Which messages carry a cause along the shortest way to the target, ``[events, frames, edges]``."""
    roads = network()
    index = {name: number for number, name in enumerate(roads.sensors)}
    far = 99
    hops = [{**dict(reached), sensor: 0} for sensor, reached in enumerate(roads.upstream(5))]
    truth = np.zeros((*cause.shape[:2], len(edges)), bool)
    for row, target in enumerate(index[name] for name in events["target"]):
        for edge, (source, receiver) in enumerate((index[a], index[b]) for a, b in edges):
            whole = hops[source].get(target, far)
            # An edge of a diffusion convolution may span several links.
            if hops[source].get(receiver, far) + hops[receiver].get(target, far) == whole < far:
                truth[row, :, edge] = cause[row, :, source]
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--json", type=Path, help="writes the figures here")
    arguments = parser.parse_args()
    model = stx.load_model(arguments.run).eval()
    events = pd.read_csv(arguments.run / "events.csv")
    test = stx.load_dataset("roads", split="test")
    batch: WindowBatch = test.events_batch(events["event"].to_numpy())
    averages = HistoricalAverage.fit(stx.load_dataset("roads", split="train")).in_window(batch)
    target = PerSample(
        [Forecast(node, int(step)) for node, step in zip(events["target"], events["horizon"], strict=True)]
    )
    assert batch.truth is not None
    cause = batch.truth[:, 0].numpy()
    with stx.EdgeImportance(model) as explain:
        e = explain(batch, target=target)
        at_average = explain(averages, target=target)
    print(e)
    change = (batch.x - averages).sum(-1)[:, 0].numpy() * batch.observed[:, 0].numpy()  # [B, T, N]
    results: dict[str, Any] = {"events": len(events)}
    for block, part in e.over_time.items():
        own = [number for number, name in enumerate(e.block) if name == block]
        ends = [(e.source[number], e.target[number]) for number in own]
        kept = np.array([a != b for a, b in ends])
        edges = [pair for pair, keep in zip(ends, kept, strict=True) if keep]
        frames = part.frames.astype(int)
        of_relation = [e.relation[number] for number, keep in zip(own, kept, strict=True) if keep]
        weight = _weights(model, edges, of_relation)
        source = [e.node_names.index(a) for a, _ in edges]
        values = part.values[:, :, kept]
        ranked = {
            "importance": -values,
            "magnitude": np.abs(values),
            "change": at_average.over_time[block].values[:, :, kept] - values,
            "weights": np.broadcast_to(weight, values.shape),
            "weights x drop": np.maximum(-change[:, frames][:, :, source], 0) * weight,
        }
        truth = on_the_way(events, cause, edges)[:, frames]
        for name, numbers in ranked.items():
            scores = localisation(numbers[:, None], truth[:, None])
            for over, words in AXES.items():
                value = scores.interval(over, "auroc")
                results.setdefault(block, {}).setdefault(name, {})[words] = value._asdict()
        excluded, share = scores.excluded("nodes"), truth.mean()
        print(f"{block}: {len(edges)} edges, {len(frames)} frames, {share:.4f} on the way, {excluded} events excluded")
        for name, by_axis in results[block].items():
            columns = (
                f"{words} {one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" for words, one in by_axis.items()
            )
            print(f"  {name:15s}", "  ".join(columns))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


def _weights(model: torch.nn.Module, edges: list[tuple[str, str]], of_relation: list[str]) -> NDArray[np.float64]:
    """The size of the weight of each edge."""
    relations: Any = model.relations
    nodes = network().sensors
    by_edge = {
        (nodes[a], nodes[b], name): abs(weight)
        for name, *ends in zip(relations.names, relations.source, relations.target, relations.weight, strict=True)
        for a, b, weight in zip(*(each.tolist() for each in ends), strict=True)
    }
    return np.array([by_edge[*pair, name] for pair, name in zip(edges, of_relation, strict=True)])


if __name__ == "__main__":
    main()
