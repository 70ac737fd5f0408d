"""How often intervals hold the truth: the tables of docs/intervals.md, as Markdown.

    python benchmarks/coverage.py [RUNS]

Every cell is the share of RUNS simulated data sets (default 1,000) whose 95% interval holds the value that they were
drawn from. The standard deviation of such a share is 0.007 at 1,000 runs. Seeded: the same numbers come out again.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta as beta_distribution
from scipy.stats import norm

from stexplain.explainers.explanation import Explanation
from stexplain.metrics import ClassImportance, Fidelity, MaskingCurve, contrastivity, interval

Floats = NDArray[np.float64]
RESAMPLES = 400
SIZES = (5, 10, 30, 100)
GROUPS = (5, 10, 20, 50)
CHARACTERISED = (20, 40, 100)

# Name, how n values are drawn, their mean, known bounds.
VALUES: list[tuple[str, Callable[[np.random.Generator, int], Floats], float, tuple[float, float] | None]] = [
    ("normal", lambda r, n: r.normal(size=n), 0.0, None),
    ("AUROC-like, beta(8, 2)", lambda r, n: r.beta(8, 2, n), 0.8, (0, 1)),
    ("near one, beta(20, 1)", lambda r, n: r.beta(20, 1, n), 20 / 21, (0, 1)),
    ("nine of ten exactly one", lambda r, n: np.where(r.random(n) < 0.9, 1, r.uniform(0.3, 1, n)), 0.965, (0, 1)),
    ("share of 0.7", lambda r, n: (r.random(n) < 0.7) * 1.0, 0.7, (0, 1)),
    ("share of 0.95", lambda r, n: (r.random(n) < 0.95) * 1.0, 0.95, (0, 1)),
    ("skewed, lognormal(0, 0.5)", lambda r, n: r.lognormal(0, 0.5, n), float(np.exp(0.125)), None),
    ("very skewed, lognormal(0, 1)", lambda r, n: r.lognormal(0, 1, n), float(np.exp(0.5)), None),
]


def grouped(random: np.random.Generator, count: int, sizes: str, correlation: float) -> tuple[Floats, NDArray[np.intp]]:
    """Values of mean 0 and variance 1 whose groups share a part of the variance, and their groups."""
    # "unequal" differ by about a factor of two, "very unequal" by ten.
    spread = {"equal": 0.0, "unequal": 0.7, "very unequal": 1.2}[sizes]
    each = np.maximum(1, np.round(20 * random.lognormal(0, spread, count))).astype(int)
    groups = np.repeat(np.arange(count), each)
    shared, own = random.normal(size=count)[groups], random.normal(size=len(groups))
    return shared * correlation**0.5 + own * (1 - correlation) ** 0.5, groups


def accuracy_holds(
    random: np.random.Generator, count: int, accuracy: float, correlation: float, seed: int, clips: int = 20
) -> bool:
    """Whether the interval of an accuracy holds it, of persons who differ in how well they are recognised."""
    # Beta-binomial: persons of an intraclass correlation 1 / (a + b + 1), of sizes that differ by about two.
    total = 1 / correlation - 1 if correlation else 0.0
    each = random.beta(accuracy * total, (1 - accuracy) * total, count) if total else np.full(count, accuracy)
    sizes = np.maximum(1, np.round(clips * random.lognormal(0, 0.7, count))).astype(int)
    groups = np.repeat(np.arange(count), sizes)
    correct = (random.random(len(groups)) < each[groups]) * 1.0
    found = interval(correct, groups=groups, seed=seed, resamples=RESAMPLES, bounds=(0, 1))
    return found.low <= accuracy <= found.high


def characterization_holds(random: np.random.Generator, samples: int, grouped: bool, plus: float, seed: int) -> bool:
    """Whether the interval of `Fidelity.characterization` holds that of the means: fid+ of `plus`, fid- of 0.3."""
    # What four samples of a group share is a third of the variance.
    groups, common = np.arange(samples) // (4 if grouped else 1), 1 / 3 if grouped else 0.0
    shared = random.normal(size=samples)[groups] * common**0.5
    noise = shared + random.normal(size=(2, samples)) * (1 - common) ** 0.5
    sides = {
        side: {"probability": beta_distribution.ppf(norm.cdf(one), 4 * mean, 4 * (1 - mean))[None]}
        for side, mean, one in zip(("plus", "minus"), (plus, 0.3), noise, strict=True)
    }
    fidelity = Fidelity("positions", "mean", np.array([0.1]), sides, ("",) * samples)
    (found,) = fidelity.characterization(groups=groups if grouped else None, seed=seed, resamples=RESAMPLES)
    truth = 1 / (0.5 / plus + 0.5 / 0.7)
    return found.low <= truth <= found.high


def beta_holds(random: np.random.Generator, samples: int, fall: float, seed: int) -> bool:
    """Whether beta's interval holds the truth of a classifier of accuracy 0.8 that masking makes worse by `fall`."""
    masking = np.array([0.0, 0.3, 0.6, 0.9])
    accuracy = 0.8 - fall * masking
    # Half of the samples keep one draw at all steps, as samples do that masking leaves alone.
    draws = np.where(random.random(samples) < 0.5, random.random(samples), random.random((len(masking), samples)))
    correct = draws < accuracy[:, None]
    curve = MaskingCurve(masking, {"highlighted": correct}, ("",) * samples, "zero", 1, 0)
    found = curve.faithfulness(seed=seed, resamples=RESAMPLES)
    truth = float((masking * fall * masking).sum() / 0.8)
    return found.low <= truth <= found.high


def contrastivity_holds(random: np.random.Generator, mean: Floats, samples: int, seed: int) -> bool:
    """Whether contrastivity's interval holds that of the mean maps ``[classes, N]``."""
    labels = np.repeat(np.arange(len(mean)), samples)
    values = mean[labels] * random.gamma(4, 0.25, (len(labels), mean.shape[1]))
    ids = tuple(f"{seed} {row}" for row in range(len(labels)))
    e = Explanation(values[:, None, None], np.ones((len(labels), 1, 1), bool), ids=ids)
    found = ClassImportance([str(k) for k in range(len(mean))], [str(n) for n in range(mean.shape[1])], seed=seed)
    found.update(e, labels, np.ones(len(labels), bool))
    estimate = found.interval(contrastivity)
    return bool(estimate.low <= contrastivity(mean) <= estimate.high)


def head(name: str, columns: Sequence[str]) -> None:
    line = f"| {' | '.join([name, *columns])} |"
    print(f"\n{line}\n|{'---|' * (line.count('|') - 1)}", flush=True)


def row(name: str, cells: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"


def main(runs: int) -> None:
    random = np.random.default_rng(0)
    head("mean of", [f"n = {size}" for size in SIZES])
    for name, draw, mean, bounds in VALUES:
        cells = []
        for size in SIZES:
            found = [interval(draw(random, size), seed=r, resamples=RESAMPLES, bounds=bounds) for r in range(runs)]
            cells.append(float(np.mean([one.low <= mean <= one.high for one in found])))
        print(row(name, cells), flush=True)
    head("groups | correlation", [f"{count} groups" for count in GROUPS])
    for sizes in ("equal", "unequal", "very unequal"):
        for correlation in (0.0, 0.3, 0.9):
            cells = []
            for count in GROUPS:
                hits = 0
                for run in range(runs):
                    values, groups = grouped(random, count, sizes, correlation)
                    found = interval(values, groups=groups, seed=run, resamples=RESAMPLES)
                    hits += found.low <= 0 <= found.high
                cells.append(hits / runs)
            print(row(f"{sizes} | {correlation}", cells), flush=True)
    head("accuracy in groups | correlation", [f"{count} groups" for count in GROUPS])
    for accuracy in (0.7, 0.9, 0.97, 0.99):
        for correlation in (0.0, 0.1, 0.3):
            cells = [
                np.mean([accuracy_holds(random, count, accuracy, correlation, r) for r in range(runs)])
                for count in GROUPS
            ]
            print(row(f"{accuracy} | {correlation}", cells), flush=True)
    # Few of few: an AUROC or a pointing game of two samples a group, which one in ten or thirty hits.
    head("hits in groups of two | correlation", [f"{count} groups" for count in GROUPS])
    for rate in (0.03, 0.1, 0.3):
        for correlation in (0.0, 0.3):
            cells = [
                np.mean([accuracy_holds(random, count, rate, correlation, r, 2) for r in range(runs)])
                for count in GROUPS
            ]
            print(row(f"{rate} | {correlation}", cells), flush=True)
    head("characterization", [f"n = {size}" for size in CHARACTERISED])
    for plus in (0.1, 0.5, 0.9):
        for grouped_by in (False, True):
            cells = [
                np.mean([characterization_holds(random, size, grouped_by, plus, r) for r in range(runs)])
                for size in CHARACTERISED
            ]
            print(row(f"fid+ {plus}, {'groups of 4' if grouped_by else 'independent'}", cells), flush=True)
    sizes = (20, 100, 480)
    head("beta (Eq. 7)", [f"n = {size}" for size in sizes])
    for fall in (0.0, 0.1, 0.5):
        cells = [np.mean([beta_holds(random, size, fall, r) for r in range(runs)]) for size in sizes]
        print(row(f"accuracy falls from 0.8 to {0.8 - 0.9 * fall:.2f}", cells), flush=True)
    sizes = (5, 10, 20, 60)
    print(
        f"\n| contrastivity | {' | '.join(f'{size} samples a class' for size in sizes)} |\n|---|{'---|' * len(sizes)}"
    )
    mean = 0.3 + np.abs(random.normal(size=(6, 12)))
    cells = [np.mean([contrastivity_holds(random, mean, size, r) for r in range(max(1, runs // 4))]) for size in sizes]
    print(row(f"6 classes, 12 nodes ({max(1, runs // 4)} runs)", cells))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
