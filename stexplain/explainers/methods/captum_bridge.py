"""The bridge to captum, an optional library of attribution methods, which is imported when it is first needed."""

from typing import Any

from stexplain.errors import InputError


def captum_attr(method: str) -> Any:
    """The module `captum.attr`.

    Args:
        method: what needs it, for the message.

    Raises:
        InputError: where captum is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise InputError(
            f"{method} needs captum, which cannot be imported ({error}). Run: pip install 'stexplain[captum]'"
        ) from error
    return captum.attr
