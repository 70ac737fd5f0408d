"""What finds the cause of generated data without a model: baseline explainers, and a regression on node statistics.

    python benchmarks/shortcuts.py planted ntu roads [--train]

Per dataset: the mean AUROC of every baseline explainer over nodes, frames and positions of the test samples; of
recordings, the accuracy of a logistic regression on statistics of each node, and with `--train` that of
the network of the experiment.
"""

import argparse
from typing import Any

import numpy as np
import torch

import stexplain as stx
from stexplain.cards import is_series_card, model_card
from stexplain.metrics import baseline_scores, best_baseline
from stexplain.training.evaluate import evaluate

# Of each dataset the protocol and the model, as the experiments have them.
RUNS = {"planted": ("random", "stgcn2"), "ntu": ("xsub", "stgcn7")}
OVER = ("nodes", "frames", "positions")


def statistics(x: np.ndarray) -> np.ndarray:
    """Mean, spread, extremes, and the same of the steps, of each node and channel of clips ``[B, M, T, N, C]``."""
    x = x[:, 0]
    steps = np.diff(x, axis=1)
    parts = [f(values, axis=1) for values in (x, steps) for f in (np.mean, np.std, np.min, np.max)]
    parts += [np.abs(steps).mean(1), np.abs(np.diff(steps, axis=1)).mean(1)]
    return np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)


def regression(train: Any, test: Any) -> float:
    """The test accuracy of a logistic regression on statistics, with the best of three penalties."""
    features, labels = [], []
    for part in (train, test):
        features.append(statistics(part.batch(slice(None)).x.numpy()))
        labels.append(torch.from_numpy(part.labels))
    mean, spread = features[0].mean(0), features[0].std(0) + 1e-9
    f, g = (torch.from_numpy((each - mean) / spread).float() for each in features)
    found = []
    for penalty in (1e-3, 1e-2, 1e-1):
        weight = torch.zeros(f.shape[1], len(train.classes), requires_grad=True)
        optimizer = torch.optim.LBFGS([weight], max_iter=100)

        def loss(optimizer: Any = optimizer, weight: Any = weight, penalty: float = penalty) -> torch.Tensor:
            optimizer.zero_grad()
            value = torch.nn.functional.cross_entropy(f @ weight, labels[0]) + penalty * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        # The best penalty is chosen by the test split: a bound from above on what such a regression finds.
        found.append(float(((g @ weight).argmax(1) == labels[1]).float().mean()))
    return max(found)


def network(name: str, protocol: str, model_name: str, seed: int) -> float:
    """The test accuracy of the experiment's network."""
    recipe = model_card(model_name).recipe("quick")
    train = stx.load_dataset(name, split=f"{protocol}/train+validation")
    torch.manual_seed(seed)
    model = stx.load_model(model_name, classes=train.classes, graph=train.graph, recipe="quick")
    stx.fit(model, train, recipe=recipe, seed=seed)
    return evaluate(model, stx.load_dataset(name, split=f"{protocol}/test")).accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="+", choices=[*RUNS, "roads"])
    parser.add_argument("--train", action="store_true", help="also train the experiment's network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--protocol", help="in place of the one that the table of runs has, such as xview")
    options = parser.parse_args()
    for name in options.dataset:
        if is_series_card(name):
            train, test = (stx.load_dataset(name, split=part) for part in ("train", "test"))
            events = test.events
            forecasts = [stx.Forecast(row.target, int(row.horizon)) for row in events.itertuples()]
            batch = test.events_batch()
            # The graph of the series, which no model gives here.
            near = {"SlownessNearTarget": {"graph": test.graph, "hops": 2}}
            scores = baseline_scores([batch], training=train, targets=[stx.PerSample(forecasts)], options=near)
        else:
            protocol, model_name = options.protocol or RUNS[name][0], RUNS[name][1]
            recipe = model_card(model_name).recipe("quick")
            train, test = (
                stx.load_dataset(name, split=f"{protocol}/{part}", recipe=recipe)
                for part in ("train+validation", "test")
            )
            scores = baseline_scores(list(test.batches(64)), training=train)
            print(f"{name}: logistic regression on per-node statistics {regression(train, test):.2f}", flush=True)
        for baseline_explainer, score in scores.items():
            values = [np.nanmean(score.scores[over]["auroc"]) for over in OVER]
            print(f"{name}: {baseline_explainer:20}" + "".join(f"{value:8.2f}" for value in values), flush=True)
        print(f"{name}: best " + ", ".join(f"{over} {best_baseline(scores, over)}" for over in OVER), flush=True)
        if options.train and name in RUNS:
            print(f"{name}: network {network(name, protocol, model_name, options.seed):.2f}", flush=True)


if __name__ == "__main__":
    main()
