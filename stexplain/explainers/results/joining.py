"""The check before results of several batches are joined."""

from collections.abc import Sequence
from typing import Any

from stexplain.errors import InputError


def check_alike(noun: str, parts: Sequence[Any], names: Sequence[str] = ()) -> None:
    """Refuses to join nothing, or parts that differ in an attribute.

    Args:
        noun: what the parts are, for messages.
        parts: to be joined.
        names: of the attributes that must be the same.

    Raises:
        InputError: naming the attribute and its values.

    Example:
        >>> check_alike("numbers", [1 + 2j, 1 + 3j], ["real", "imag"])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: numbers of different imag cannot be joined: 2.0, 3.0. Join those of one kind.
    """
    if not parts:
        raise InputError(f"parts: got no {noun} to join; expected at least one.")
    for name in names:
        # Compared as text: attributes may be tuples, numbers or words.
        kinds = sorted({str(getattr(part, name)) for part in parts})
        if len(kinds) > 1:
            raise InputError(
                f"{noun} of different {name} cannot be joined: {', '.join(kinds)}. Join those of one kind."
            )
