"""Scores, counted one by one."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def slow_scores(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float, NDArray[np.int64]]:
    """Accuracy, top-5 accuracy and confusion [label, answer], sample by sample."""
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    right = among = 0
    for row, label in zip(logits, labels, strict=True):
        order = sorted(range(classes), key=lambda answer: -row[answer])
        confusion[label, order[0]] += 1
        right += order[0] == label
        among += label in order[:5]
    return right / len(labels), among / len(labels), confusion


def slow_auroc(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The chance that a true one is above another, by all pairs; a tie is half a win."""
    wins = [float(a > b) + 0.5 * float(a == b) for a in values[truth] for b in values[~truth]]
    return sum(wins) / len(wins)


def slow_average_precision(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The mean, over true ones, of the precision among all that are at least as high."""
    return sum(float(truth[values >= a].mean()) for a in values[truth]) / int(truth.sum())


def slow_contrastivity(psi: NDArray[np.float64]) -> float:
    """1 - the mean of numpy's Pearson correlation over pairs of rows that vary."""
    rows = [row for row in psi if row.std() > 0]
    pairs = [np.corrcoef(rows[i], rows[j])[0, 1] for i in range(len(rows)) for j in range(i)]
    return 1 - sum(pairs) / len(pairs)


def slow_gini(sizes: NDArray[np.float64]) -> float:
    """Half the mean absolute difference of all pairs, over the mean: the Gini index by its oldest definition."""
    pairs = [abs(one - other) for one in sizes for other in sizes]
    return float(sum(pairs) / (2 * len(sizes) ** 2 * sizes.mean()))


def slow_mask_scores(value: NDArray[np.float64], true: NDArray[np.bool_]) -> dict[str, float]:
    """Crabbé & van der Schaar (2021): the integrals over thresholds by the midpoints of many small intervals."""
    mask = (value - value.min()) / (value.max() - value.min())
    thresholds = (np.arange(5_000) + 0.5) / 5_000
    precision = [true[mask >= threshold].mean() for threshold in thresholds]
    recall = [(mask[true] >= threshold).mean() for threshold in thresholds]
    information = entropy = 0.0
    for one in mask[true]:
        information -= float(np.log(max(1 - one, 1e-5)))
        entropy -= sum(float(part * np.log(part)) for part in (one, 1 - one) if part > 0)
    return {
        "aup": float(np.mean(precision)),
        "aur": float(np.mean(recall)),
        "information": information,
        "entropy": entropy,
    }


def slow_forecast_errors(
    forecasts: NDArray[np.float64], targets: NDArray[np.float64], observed: NDArray[np.bool_]
) -> dict[str, list[float]]:
    """MAE, RMSE and MAPE in percent at each horizon and, last, over all of them, reading by reading; [n, H, N] each."""
    found: dict[str, list[float]] = {"mae": [], "rmse": [], "mape": []}
    windows, horizons, nodes = targets.shape
    for chosen in [*([h] for h in range(horizons)), list(range(horizons))]:
        absolute, squared, relative = [], [], []
        for i in range(windows):
            for h in chosen:
                for n in range(nodes):
                    if observed[i, h, n]:
                        error = abs(forecasts[i, h, n] - targets[i, h, n])
                        absolute.append(error)
                        squared.append(error**2)
                        if abs(targets[i, h, n]) > 5e-5:
                            relative.append(error / abs(targets[i, h, n]))
        found["mae"].append(sum(absolute) / len(absolute))
        found["rmse"].append((sum(squared) / len(squared)) ** 0.5)
        found["mape"].append(100 * sum(relative) / len(relative))
    return found


def ranked_auroc(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """`slow_auroc` of many values, of any shape: by ranks."""
    values, truth = values.ravel(), truth.ravel()
    hits = int(truth.sum())
    return float((rankdata(values)[truth].sum() - hits * (hits + 1) / 2) / (hits * (len(truth) - hits)))
