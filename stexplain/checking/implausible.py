"""What is finite, and still hardly a measurement: joints in one point, coordinates too far away, silent sensors."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.wording import agree

FARTHEST = 1e6
"""A coordinate beyond this is no place of a body, whether in metres, millimetres or pixels."""
CODES = (-1, -9, -99, -999, -9999, -99999, -9.9, -99.9, -999.9, -99.99, -999.99)
"""Numbers that programs write where they have no observation, of what is never below zero."""
HUGE = 1e19
"""Programs fill gaps with numbers such as 1e20, and 9.96921e36 of netCDF."""
FRAMES = 2016
"""So many frames of a series are looked at, evenly spread: a week of five minutes."""


def implausible_body(xyz: NDArray[Any], valid: NDArray[np.bool_]) -> str:
    """What is implausible about the coordinates of a recording, in words; empty: nothing.

    Args:
        xyz: ``[M, T, N, C]``, coordinates alone, finite where valid.
        valid: ``[M, T]``, bool.

    Example:
        >>> xyz = np.random.default_rng(0).random((1, 4, 5, 3))
        >>> xyz[:, 1:3] = 0.5
        >>> implausible_body(xyz, np.ones((1, 4), bool))
        'in 2 of 4 frames all joints are in one point'
        >>> implausible_body(xyz[:, :1] * 1e30, np.ones((1, 1), bool))[:16]
        'coordinates up t'
    """
    found = []
    farthest = float(np.abs(xyz[valid]).max(initial=0.0))
    if farthest > FARTHEST:
        found.append(f"coordinates up to {farthest:.3g}")
    # Two joints may well meet.
    if xyz.shape[2] > 2:
        together = valid & (xyz == xyz[:, :, :1]).all((2, 3))
        if together.any():
            found.append(f"in {int(together.sum())} of {int(valid.sum())} frames all joints are in one point")
    return "; ".join(found)


def implausible_sensors(
    values: Any, nodes: Sequence[str], missing: float | None = None, *, what: str = "sensors"
) -> list[str]:
    """What is implausible about the sensors of a series, a sentence for each kind.

    Args:
        values: ``[T, N]`` or ``[T, N, C]``; NaN where missing.
        nodes: N names.
        missing: the number that stands for a missing value; none: NaN alone.
        what: the nodes are called.

    Example:
        >>> values = np.random.default_rng(0).random((50, 4))
        >>> values[:, 1], values[:, 3] = 5.0, values[:, 0]
        >>> for sentence in implausible_sensors(values, ["a", "b", "c", "d"]):
        ...     print(sentence)
        1 of 4 sensors never changes ('b')
        1 of 4 sensors repeats another ('d' as 'a')
        >>> values[3:5, 0] = -999
        >>> implausible_sensors(values, ["a", "b", "c", "d"])[0].partition(" (")[0]
        '1 of 4 sensors holds -999, and nothing else is below zero'
    """
    stored = np.asarray(values[:: max(1, len(values) // FRAMES)])
    looked = stored.astype(np.float64)
    if missing is not None:
        # As it is stored: -99.9 in float32 is another number in float64.
        looked = np.where(stored == missing, np.nan, looked)
    looked = looked.reshape(len(looked), len(nodes), -1)
    if len(looked) < 2:
        return []
    infinite = np.isinf(looked)
    # What else there is to say is of the other values.
    looked = np.where(infinite, np.nan, looked)
    seen = ~np.isnan(looked)
    silent = ~seen.any((0, 2))
    low, high = np.where(seen, looked, np.inf).min(0), np.where(seen, looked, -np.inf).max(0)
    still = ~silent & (low >= high).all(1)
    first: dict[bytes, int] = {}
    twins = []
    for number in np.flatnonzero(~silent & ~still).tolist():
        other = first.setdefault(np.ascontiguousarray(looked[:, number]).tobytes(), number)
        if other != number:
            twins.append(f"{nodes[number]!r} as {nodes[other]!r}")
    sums, means = ([repr(nodes[number]) for number in found] for found in _of_the_others(looked))
    kinds = (
        (
            agree(int(infinite.any((0, 2)).sum()), "holds", "hold")
            + " infinite values, of which no window can be taken: leave out what is missing",
            [repr(nodes[number]) for number in np.flatnonzero(infinite.any((0, 2))).tolist()],
        ),
        (
            f"{agree(int(silent.sum()), 'was', 'were')} never observed",
            [repr(nodes[number]) for number in np.flatnonzero(silent).tolist()],
        ),
        (
            f"never {agree(int(still.sum()), 'changes', 'change')}",
            [repr(nodes[number]) for number in np.flatnonzero(still).tolist()],
        ),
        (f"{agree(len(twins), 'repeats', 'repeat')} another", twins),
        (
            f"{agree(len(sums), 'is', 'are')} the sum of the others: leave it out where it is a total, and no place",
            sums,
        ),
        (f"{agree(len(means), 'is', 'are')} the mean of the others: leave it out where it is no place", means),
    )
    return (
        suspected_codes(looked, nodes, what)
        + _listed(looked, nodes, what)
        + [
            f"{len(named)} of {len(nodes)} {what} {said} ({', '.join(named[:5])}{', ...' if len(named) > 5 else ''})"
            for said, named in kinds
            if named
        ]
    )


def _listed(values: Any, nodes: Sequence[str], what: str) -> list[str]:
    """A sentence where two columns number rows, as where a table has a row for each sensor and each time.

    Both hold whole numbers, of which each goes with each, once; by chance that is hardly so of observations.
    """
    # Values, and perhaps a second number, stand beside the two.
    if not 3 <= len(nodes) <= 8 or len(values) < 20:
        return []
    columns = np.asarray(values, np.float64).reshape(len(values), len(nodes), -1)
    if columns.shape[2] > 1:
        return []
    columns = columns[..., 0]
    whole = [place for place in range(len(nodes)) if (columns[:, place] % 1 == 0).all()]
    for number, first in enumerate(whole):
        for second in whole[number + 1 :]:
            counts = [len(np.unique(columns[:, place])) for place in (first, second)]
            if min(counts) < 2 or len(columns) < 0.9 * counts[0] * counts[1]:
                continue
            if len(np.unique(columns[:, [first, second]], axis=0)) == len(columns):
                return [
                    f"{nodes[first]!r} and {nodes[second]!r} of {len(nodes)} {what} number the rows, each number of "
                    "one with each of the other, as where a table has a row for each sensor and time: give one with a "
                    "column for each sensor, table.pivot(index=..., columns=..., values=...)"
                ]
    return []


def _of_the_others(looked: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """The places of columns that are the sum, and the mean, of all others in every row but for rounding; of 3 at least.

    Args:
        looked: ``[T, N, C]``; rows with a missing value say nothing.
    """
    nodes = looked.shape[1]
    whole = ~np.isnan(looked).any((1, 2))
    if nodes < 3 or whole.sum() < 3:
        return [], []
    rows = looked[whole]
    total = rows.sum(1, keepdims=True)
    spread, unit = rows.std(0), _unit(rows)
    # What float32 loses of its seven digits.
    lost = 1e-6 * np.abs(rows).sum(1)[:, None]

    def places(expected: NDArray[np.float64], rounding: float) -> list[int]:
        off = rows - expected
        within = (np.abs(off) <= rounding + lost).all((0, 2)) & (spread > 0).all(1)
        # Of small whole numbers everything is within rounding: what is off is far less than what changes. And it is
        # to either side: columns that run beside each other are off by as much in every row.
        close = (np.sqrt((off**2).mean(0)) <= 0.02 * spread).all(1)
        either = (np.abs(off.mean(0)) <= 0.25 * rounding + lost.mean()).all(1)
        return [int(place) for place in np.flatnonzero(within & close & either)]

    # Rounding each addend to the digits that are there adds up to so much at most.
    sums, means = places(total / 2, 0.25 * nodes * unit), places(total / nodes, unit)
    # Of columns that are all alike each is the mean.
    return sums, means if len(means) < nodes else []


def _unit(values: NDArray[np.float64]) -> float:
    """The last digit that numbers are written with, such as 0.01; 0 where there are more than six."""
    scale = np.maximum(np.abs(values), 1)
    for digits in range(7):
        scaled = values * 10.0**digits
        if (np.abs(scaled - np.rint(scaled)) <= 1e-6 * 10.0**digits * scale).all():
            return float(10.0**-digits)
    return 0.0


def suspected_codes(looked: NDArray[np.float64], nodes: Sequence[str], what: str) -> list[str]:
    """A sentence where a number hardly is an observation, such as -999 or 1e20.

    Args:
        looked: ``[T, N, C]``, NaN where missing.
        nodes: N names.
        what: the nodes are called.
    """
    return _codes(looked, nodes, what) or _fills(looked, nodes, what)


def _codes(looked: NDArray[np.float64], nodes: Sequence[str], what: str) -> list[str]:
    """A sentence where numbers of `CODES` stand several times below all others, which are never below zero."""
    below = np.unique(looked[looked < 0])
    known = 0 < len(below) <= len(CODES) and all(np.isclose(one, CODES, rtol=1e-6).any() for one in below)
    if not known or not (looked > 0).any():
        return []
    if len(below) > 1:
        held = [repr(nodes[number]) for number in np.flatnonzero((looked < 0).any((0, 2))).tolist()]
        codes, some = " and ".join(f"{one:.7g}" for one in below), ", ".join(held[:5]) + ", ..." * (len(held) > 5)
        return [
            f"{len(held)} of {len(nodes)} {what} {agree(len(held), 'holds', 'hold')} {codes}, and nothing else is "
            f"below zero ({some}): where they stand for no observation, write NaN in their place"
        ]
    return _said(looked, float(below[0]), nodes, what, "nothing else is below zero")


def _fills(looked: NDArray[np.float64], nodes: Sequence[str], what: str) -> list[str]:
    """A sentence where the farthest number stands twice, is nines or huge, and ten times as far as any other."""
    seen = looked[~np.isnan(looked)]
    if not seen.size:
        return []
    code = float(seen[np.abs(seen).argmax()])
    others = np.abs(seen[seen != code])
    if not others.size or abs(code) < 10 * others.max():
        return []
    if abs(code) < HUGE and not re.fullmatch(r"9+(\.9+)?", f"{abs(code):.7g}"):
        return []
    return _said(looked, code, nodes, what, f"nothing else is beyond {others.max():.4g}")


def _said(looked: NDArray[np.float64], code: float, nodes: Sequence[str], what: str, rest: str) -> list[str]:
    held = np.flatnonzero((looked == code).any((0, 2))).tolist()
    if int((looked == code).sum()) < 2:
        return []
    some = ", ".join(repr(nodes[number]) for number in held[:5]) + (", ..." if len(held) > 5 else "")
    # As it is stored, so that it is found: the largest number of float32 has more digits.
    short = f"{code:.7g}"
    with np.errstate(over="ignore"):
        name = short if np.float32(float(short)) == np.float32(code) else str(np.float32(code))
    return [
        f"{len(held)} of {len(nodes)} {what} {agree(len(held), 'holds', 'hold')} {name}, and {rest} ({some}): "
        "where it stands for no observation, "
        f"give missing={name}"
    ]
