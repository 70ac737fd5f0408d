"""Which names are drawn, in which order, and in which group: checked once, for every figure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from stexplain.errors import InputError, unknown

OTHER = "other"


def ordered(kind: str, names: Sequence[str], order: Sequence[str] | None) -> list[str]:
    """The names to draw, in the order asked for; all of them as they come where none is asked for.

    Args:
        kind: what the names are of, for messages, such as ``"node"``.
        names: what there is.
        order: what to draw and in which order; it may leave names out.

    Raises:
        InputError: where the order names something that is not there, or something twice.

    Example:
        >>> ordered("node", ["hip", "knee", "head"], ["head", "hip"])
        ['head', 'hip']
    """
    present = [str(name) for name in names]
    twice = [name for name, count in Counter(present if order is None else map(str, order)).items() if count > 1]
    if twice:
        raise InputError(f"{kind} {twice[0]!r} is named twice. Name each {kind} once.")
    if order is None:
        return present
    for name in order:
        if str(name) not in present:
            raise unknown(kind, name, present)
    return [str(name) for name in order]


def grouped(
    kind: str, names: Sequence[str], groups: Mapping[str, Sequence[str]] | None
) -> tuple[dict[str, str], list[str]]:
    """The group of every name, and the groups in the order in which the names come upon them.

    A name in no group belongs to "other"; a name in several, to the first.

    Raises:
        InputError: where a group names something that is not there.

    Example:
        >>> grouped("node", ["head", "hip", "tail"], {"trunk": ["hip"], "skull": ["head"]})
        ({'head': 'skull', 'hip': 'trunk', 'tail': 'other'}, ['skull', 'trunk', 'other'])
    """
    found: dict[str, str] = {}
    for group, members in (groups or {}).items():
        for member in members:
            if str(member) not in names:
                raise unknown(kind, member, names)
            found.setdefault(str(member), str(group))
    of = {name: found.get(name, OTHER) for name in names}
    return of, list(dict.fromkeys(of.values()))
