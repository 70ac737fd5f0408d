"""Results by class: an average over classes hides those of which the explanation is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.bench.html import listed, number, table
from stexplain.bench.shared.localisation_scores import in_groups
from stexplain.intervals.bootstrap import interval

FOUND = 0.6
"""A class counts as found where its mean AUROC is at least this; chance level 0.5."""
ByClass = Mapping[str, Mapping[str, Any]]
"""Class -> its mean score with interval, and its number of samples."""


def by_class(
    scores: Mapping[str, NDArray[np.float64]], names: Sequence[str], groups: Any = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Method -> class -> the mean of its samples' scores, with interval and number of samples.

    Args:
        scores: of every method, one per sample, ``[n]``, in [0, 1]; NaN for a sample without one. A class of only such
            samples is left out.
        names: the class of each sample, n of them.
        groups: of samples that are not independent, n of them.

    Example:
        >>> by_class({"A": np.array([0.5, 0.5, np.nan])}, ["nod", "nod", "hop"])["A"]["nod"]["samples"]
        2
    """
    labels = np.array(names)
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for method, values in scores.items():
        results[method] = {}
        for name in dict.fromkeys(names):
            rows = np.flatnonzero((labels == name) & ~np.isnan(values))
            own = values[rows]
            if len(own):
                found_ends = interval(own, **in_groups(groups, rows), bounds=(0, 1))
                results[method][name] = {**found_ends.to_dict(), "samples": len(own)}
    return results


def found(classes: ByClass) -> list[str]:
    """The classes whose ground truth is found: those whose mean AUROC is at least `FOUND`."""
    return [name for name, result in classes.items() if result["value"] >= FOUND]


def classes_in_words(classes: ByClass, node: str) -> str:
    """Of which classes the ground truth is found, and of which not.

    Example:
        >>> score = {"value": 0.9, "low": 0.8, "high": 1.0}
        >>> classes_in_words({"throw": score, "nod head": {"value": 0.02, "low": 0.0, "high": 0.1}}, "joint")
        'finds the ground-truth joints of 1 of 2 classes; not of nod head (AUROC 0.02).'
    """
    right = found(classes)
    wrong = [f"{name} (AUROC {result['value']:.2f})" for name, result in classes.items() if name not in right]
    words = f"finds the ground-truth {node}s of {len(right)} of {len(classes)} classes"
    return f"{words}; not of {listed(wrong)}." if wrong else f"{words}."


def class_table(label: str, methods: Mapping[str, ByClass]) -> str:
    """A row per class and a column for each of the first two methods, which use the model; nothing without classes."""
    shown = list(methods)[:2]
    names = dict.fromkeys(name for method in shown for name in methods[method])
    body = [
        [name, *(number(methods[method].get(name)) for method in shown), methods[shown[0]].get(name, {}).get("samples")]
        for name in names
    ]
    caption = f"AUROC over nodes by class (95% interval): {label}"
    return table(["class", *shown, "samples"], body, caption=caption) if body else ""
