"""The order, the groups and the lengths of names on an axis, checked the same way for every chart."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stexplain.errors import InputError, unknown
from stexplain.viz.directions import isolated_name

OTHER = "other"


def ordered(kind: str, names: Sequence[str], order: Sequence[str] | None) -> list[str]:
    """The names to draw, in the given order; without an order all names, unchanged.

    Args:
        kind: what is named, for messages, such as ``"node"``.
        names: all names.
        order: the names to draw, in order; it may leave names out.

    Raises:
        InputError: where `order` holds an unknown name, or a name appears twice.

    Example:
        >>> ordered("node", ["hip", "knee", "head"], ["head", "hip"])
        ['head', 'hip']
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"{kind}: got {names!r}; expected a list of names.")
    present = [str(name) for name in names]
    if order is not None and not len(order):
        raise InputError(f"{_plural(kind)}: got no name to draw; expected at least one, or None: all.")
    # A name twice would be one band of the axis with two values in it.
    twice = [name for name, count in Counter(present if order is None else map(str, order)).items() if count > 1]
    if twice:
        raise InputError(f"{_plural(kind)}: got {twice[0]!r} twice; expected each {kind} once.")
    if order is None:
        return present
    for name in order:
        if str(name) not in present:
            raise unknown(kind, name, present)
    return [str(name) for name in order]


def grouped(
    kind: str, names: Sequence[str], groups: Mapping[str, Sequence[str]] | None
) -> tuple[dict[str, str], list[str]]:
    """The group of each name, and the groups in the order of their first names.

    A name in no group belongs to "other"; a name in several, to the first.

    Raises:
        InputError: where a group holds an unknown name.

    Example:
        >>> grouped("node", ["head", "hip", "tail"], {"trunk": ["hip"], "skull": ["head"]})
        ({'head': 'skull', 'hip': 'trunk', 'tail': 'other'}, ['skull', 'trunk', 'other'])
    """
    group_of: dict[str, str] = {}
    for group, members in (groups or {}).items():
        for member in members:
            if str(member) not in names:
                raise unknown(kind, member, names)
            # A name in several groups belongs to the first of them.
            group_of.setdefault(str(member), str(group))
    of_each = {name: group_of.get(name, OTHER) for name in names}
    return of_each, list(dict.fromkeys(of_each.values()))


def shortened(names: Iterable[str], most: int) -> dict[str, str]:
    """Each name as a chart writes it: of at most `most` letters, and no two names alike.

    A long name loses its end; its middle where long names then were alike; else all but what tells it apart.

    Args:
        names: all that are written in one chart.
        most: letters, at least 8.

    Example:
        >>> shortened(["hip", "sensor at Main and 5th", "sensor at Main and 6th"], 12)
        {'hip': 'hip', 'sensor at Main and 5th': 'sensor…d 5th', 'sensor at Main and 6th': 'sensor…d 6th'}
    """
    every = [str(name) for name in dict.fromkeys(names)]
    long = [name for name in every if len(name) > most]
    taken = [name for name in every if len(name) <= most]
    head = most // 2

    def shared(name: str, other: str) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False)))

    def about_difference(name: str) -> str:
        # From a little before the first letter that no name like it shares.
        same = max((shared(name, other) for other in long if other != name), default=0)
        start = min(max(same - 2, head), len(name))
        return f"{name[: head - 2]}…{name[start : start + most - head]}"

    cuts: tuple[Callable[[str], str], ...] = (
        lambda name: f"{name[: most - 1].rstrip()}…",
        lambda name: f"{name[:head].rstrip()}…{name[head + 1 - most :].lstrip()}",
        about_difference,
    )
    for cut in cuts:
        texts = [cut(name) for name in long]
        if len({*texts, *taken}) == len(every):
            break
    else:
        # Names that only differ here and there: counted.
        texts = [f"{name[: most - 3 - len(str(at))]}… {at}" for at, name in enumerate(long, 1)]
    return {name: name for name in every} | dict(zip(long, texts, strict=True))


def said(names: Sequence[str], values: ArrayLike, count: int = 3) -> str:
    """The names of the values furthest from zero, with these, for those who do not see a chart; zeros are left out.

    Example:
        >>> said(["hip", "hand", "head"], [0.5, -2.0, float("nan")])
        'hand (-2), hip (0.5)'
    """
    array = np.nan_to_num(np.asarray(values, np.float64))
    order = np.argsort(-np.abs(array), kind="stable")[:count]
    return ", ".join(f"{names[index]} ({array[index]:.3g})" for index in order if array[index])


def which_sample(ids: Sequence[str], sample: int, valid: ArrayLike | None = None, instance: int = 0) -> list[str]:
    """Says which one of several samples and instances a chart shows: it is not their mean. Nothing where there is one.

    Args:
        ids: of all samples; empty strings where they have no names.
        sample: the index of the one that is drawn.
        valid: the padding masks ``[B, M, T]``, where one instance alone is drawn.
        instance: its index.

    Example:
        >>> which_sample(["p01", "p02"], 1), which_sample(["", ""], 0), which_sample(["p01"], 0)
        (['Sample p02, one of 2.'], ['Sample 1 of 2.'], [])
        >>> which_sample([""], 0, np.ones((1, 2, 5), bool), instance=1)
        ['Instance 2 of 2.']
    """
    count, said = len(ids), []
    if count > 1:
        said.append(f"Sample {ids[sample]}, one of {count:,}." if ids[sample] else f"Sample {sample + 1} of {count:,}.")
    there = 1 if valid is None else int(np.asarray(valid, bool)[sample].any(axis=-1).sum())
    if there > 1:
        said.append(f"Instance {instance + 1} of {there}.")
    return [" ".join(said)] if said else []


def in_lines(text: str, most: int) -> list[str]:
    """A name in one line of at most `most` letters, or in two, parted at a blank; in one, too long, where none helps.

    Example:
        >>> in_lines("point to something", 12), in_lines("throw", 12), in_lines("sensor_of_the_north", 12)
        (['point to', 'something'], ['throw'], ['sensor_of_the_north'])
    """
    parted = [
        [text[:at].rstrip(), text[at:].lstrip()]
        for at, letter in enumerate(text)
        if len(text) > most and letter == " " and max(len(text[:at].rstrip()), len(text[at:].lstrip())) <= most
    ]
    # The lines of the most equal lengths.
    return min(parted, key=lambda lines: max(map(len, lines)), default=[text])


def labelled(
    names: Sequence[str], limit: int, ends: Mapping[str, str] | None = None, *, two_lines: bool = False
) -> dict[str, Any]:
    """Options of an axis or header whose labels are names: none is wider than `limit` pixels, and no two are alike.

    Vega cuts the end of what is too long, after which names such as those of sensors on one road would be the same.

    Args:
        names: as they stand in the data.
        limit: in pixels.
        ends: the names -> what stands behind each in the data, such as `` (forecast)``, which is never cut.
        two_lines: a name that is too long for one line may take two, where there is room above, as in a header.
    """
    ends = ends or {}
    # Seven pixels hold a letter of the 12 point font.
    most = max(limit // 7 - max(map(len, ends.values()), default=0), 8)
    bare = [*ends, *(name for name in names if name not in {f"{own}{end}" for own, end in ends.items()})]
    lines = {name: found for name in bare if two_lines and len(found := in_lines(name, most)) > 1}
    cut = shortened([name for name in bare if name not in lines], most)
    texts = {f"{name}{ends.get(name, '')}": f"{isolated_name(text)}{ends.get(name, '')}" for name, text in cut.items()}
    changed: dict[str, Any] = {**lines, **{name: text for name, text in texts.items() if name != text}}
    if not changed:
        return {"labelLimit": limit}
    keys, values = json.dumps(list(changed)), json.dumps(list(changed.values()))
    at = f"indexof({keys}, datum.value)"
    return {"labelLimit": limit, "labelExpr": f"{at} < 0 ? datum.label : {values}[{at}]"}


def _plural(kind: str) -> str:
    """As the argument is called that lists them."""
    return kind + ("es" if kind.endswith("s") else "s")
