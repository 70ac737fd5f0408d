"""The order and the groups of names on an axis, checked the same way for every chart."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from stexplain.errors import InputError, unknown

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
        raise InputError(f"{kind}: got no name to draw; expected at least one, or None: all.")
    # A name twice would be one band of the axis with two values in it.
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
