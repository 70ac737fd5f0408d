"""Faults that change no result: each with its reason, so that it is not looked at again."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from tests.mutation.mapping import ROOT
from tests.mutation.mutants import Mutant


def equivalent(module: str, mutant: Mutant) -> str:
    """Why a mutant changes nothing; empty where it is not known to.

    Args:
        module: its path from the root.
        mutant: the fault.
    """
    for one in listed():
        same = one["module"] == module and one["function"] == mutant.function and mutant.what in one["what"]
        if same and one["code"] == code(module, mutant.line):
            return str(one["why"])
    return ""


@functools.cache
def listed() -> list[dict[str, Any]]:
    """The faults of `equivalent.toml`: module, function, code of the line, what is changed there, and why it may be."""
    return list(tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")).get("equivalent", []))


def code(module: str, line: int) -> str:
    """A line of a module: it is known by what it says, as its number changes."""
    return (ROOT / module).read_text("utf-8").splitlines()[line - 1].strip()
