"""The end of an experiment on the terminal: the main numbers, the verdicts, and the path of the report."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stexplain.bench.report import first_trainings, results_of, stages_of
from stexplain.bench.stage import RunResults, TextTable


def print_summary(folder: Path) -> None:
    """Prints the main numbers and verdicts of an experiment, how long it took, and where the report is."""
    results, runs = results_of(folder)
    stages = stages_of(folder, results)
    console = Console(highlight=False)
    # Stages give columns, runs give rows; a dict keeps the order of the columns.
    head: dict[str, None] = {}
    rows: list[tuple[RunResults, dict[str, str]]] = []
    for run in runs:
        columns: dict[str, str] = {}
        for stage in stages:
            if stage.name in run.stages:
                columns |= stage.headline(run)
        head |= dict.fromkeys(columns)
        rows.append((run, columns))
    if head:
        body = [[run.name, *(columns.get(name, "-") for name in head)] for run, columns in rows]
        console.print(_table(TextTable(str(results["title"]), ["run", *head], body)))
    # Every training has its row above; the longer tables are of the first.
    runs = first_trainings(runs)
    for run in runs:
        for stage in stages:
            for table in stage.terminal(run) if stage.name in run.stages else ():
                console.print(_table(table))
    for verdict in results["verdicts"]:
        where = f"{verdict['run']}: " if len(runs) > 1 else ""
        console.print(f"{verdict['verdict'] + ':':<14} {where}{verdict['text']}", markup=False)
    # The time of all stages, also of those that an earlier call finished.
    total = sum(results["seconds"].values())
    console.print(f"\n{total / 60:.1f} minutes. The report: {folder / 'report.html'}", soft_wrap=True, markup=False)


def _table(table: TextTable) -> Table:
    # As text: brackets in a name of the data's are none of rich's markup.
    shown = Table(title=Text(table.title) if table.title else None, box=None, pad_edge=False, title_justify="left")
    for number, name in enumerate(table.head):
        # Numbers to the right, so that their digits align; the first column names the row.
        shown.add_column(Text(name), no_wrap=not number, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown
