"""Parses `--option NAME=VALUE`."""

import json
from collections.abc import Sequence
from typing import Any

from stexplain.errors import InputError


def parse_options(given: Sequence[str]) -> dict[str, Any]:
    """The further options of a method, by name.

    Args:
        given: as typed. A value is a number, true or false, a list or object as JSON has them, else text.

    Raises:
        InputError: where one has no name or no value, or a name is given twice.

    Example:
        >>> parse_options(["steps=50", "baseline=mean", "per_channel=True"])
        {'steps': 50, 'baseline': 'mean', 'per_channel': True}
    """
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise InputError(f"--option: got {text!r}; expected NAME=VALUE, such as steps=50.")
        if name in options:
            raise InputError(f"--option: got {name} twice; expected it once.")
        try:
            # As Python writes them, too.
            options[name] = json.loads({"True": "true", "False": "false"}.get(value, value))
        except json.JSONDecodeError:
            options[name] = value
    return options
