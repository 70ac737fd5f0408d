"""The tables of the terminal show names as they are."""

import io

import pytest
from rich.console import Console

from stexplain.bench.stage import TextTable
from stexplain.bench.summary import _table


@pytest.mark.parametrize("name", ["walk [slow]", "a [/b] c", "[red]x[/red]", "[link=https://example.org]x", "a [b"])
def test_brackets_in_names_are_no_markup(name):
    out = io.StringIO()
    table = _table(TextTable(f"T {name}", ["run", f"h {name}"], [[name, f"v {name}"]]))
    Console(file=out, width=200, highlight=False).print(table)
    for shown in (f"T {name}", f"h {name}", f"v {name}"):
        assert shown in out.getvalue()
