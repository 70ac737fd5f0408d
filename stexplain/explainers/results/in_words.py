"""What an explanation is, in one line."""

from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from stexplain.explainers.results.notes import beyond_default
from stexplain.explainers.results.times import times_in_words

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation


def in_words(e: "Explanation") -> str:
    """What an explanation is: of what, by which method, how large, and what matters most."""
    samples, instances, frames, nodes = e.values.shape
    # Over the samples in which a node was observed. Stable: nodes that are equally important stay in the graph's order.
    nodes_of = e.nodes().where(np.logical_or.reduce(e.present, axis=(1, 2)))
    mean = nodes_of.mean(axis=0).sort_values(ascending=False, kind="stable")
    top = ", ".join(str(name) for name in mean.index[:3][mean.to_numpy()[:3] > 0]) or "none"
    about = f" of {e.target} in" if e.target else " of"
    where = f" at {e.layer}" if e.layer else ""
    excluded = float(e.padding_share.mean()) if samples else 0.0
    notes = beyond_default(e.notes)
    span, peak = times_in_words(e)
    return (
        f"<Explanation{about} {_count(samples, 'sample')} by {e.method}{where}: "
        f"{_count(instances, 'instance')} x {_count(frames, 'frame')}{f' ({span})' if span else ''} x "
        f"{_count(nodes, 'node')}; most important: {top}{f', most at {peak}' if peak else ''}"
        f"{f'; {excluded:.0%} excluded on padding' if excluded > 0 else ''}"
        f"{f'; noted: {shorten(notes[0], 72)}' if notes else ''}"
        f"{f' (and {len(notes) - 1} more)' if len(notes) > 1 else ''}>"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
