"""The end of a run on the terminal: what came out, and where it lies."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stexplain.bench.comparison_summary import comparison_tables
from stexplain.files import read_json


def print_summary(folder: Path) -> None:
    """Prints what a run of any kind found: its tables, its verdicts, how long it took and the path of the report."""
    results = read_json(folder / "results.json")
    console = Console(highlight=False)
    for table in TABLES[results.get("kind", "recognition")](results):
        console.print(table)
    for verdict in results["verdicts"]:
        console.print({True: "yes ", False: "no  ", None: "open"}[verdict["holds"]], verdict["text"])
    total = sum(results["seconds"].values())
    console.print(f"\n{total / 60:.1f} minutes. The report: {folder / 'report.html'}", soft_wrap=True)


def recognition_tables(results: Mapping[str, Any]) -> list[Table]:
    """The accuracy, localisation and faithfulness of every run."""
    table = _table(results["title"], "run")
    for column in ("right", "AUROC nodes", "frames", "positions", "Motion nodes", "frames", "beta", "contrast"):
        table.add_column(column, justify="right")
    for name, run in results["runs"].items():
        where = run["localisation"]
        scores = [
            f"{where[method][over]['auroc']['value']:.2f}" if where else "-"
            for method, over in (
                ("STGGradCAM", "nodes"),
                ("STGGradCAM", "frames"),
                ("STGGradCAM", "positions"),
                ("Motion", "nodes"),
                ("Motion", "frames"),
            )
        ]
        first = next(iter(run["faithfulness"].values()))
        contrast = run["contrastivity"]["value"]
        table.add_row(
            name,
            f"{run['accuracy']['value']:.3f}",
            *scores,
            f"{first['highlighted']['beta']:.2f}",
            "-" if contrast is None else f"{contrast:.2f}",
        )
    return [table]


def forecast_tables(results: Mapping[str, Any]) -> list[Table]:
    """Errors of every model beside baselines, and how well explanations find what was planted and move forecasts."""
    unit, minutes = results["dataset"]["unit"], results["dataset"]["minutes"]
    found = []
    for name, run in results["runs"].items():
        errors = _table(f"{results['title']}: {name}", f"mean absolute error, {unit}")
        for step in run["horizons"]:
            errors.add_column(f"{minutes * step:g} min", justify="right")
        for method, measures in run["errors"].items():
            errors.add_row(method, *(_digits(measures["mae"][step - 1]) for step in run["horizons"]))
        found.append(errors)
        if not run["deletion"]:
            continue
        methods = _table("", "explanation")
        for column in ("AUROC sensors", "lags", "positions", f"deletion, {unit}", "random"):
            methods.add_column(column, justify="right")
        for method, curves in run["deletion"].items():
            scores = (run["localisation"] or {}).get(method)
            methods.add_row(
                method,
                *(
                    _digits(scores[over]["auroc"]["value"]) if scores else "-"
                    for over in ("nodes", "frames", "positions")
                ),
                *(_digits(curves["deletion"][which]["value"]) for which in ("explained", "random")),
            )
        found.append(methods)
    return found


TABLES: dict[str, Callable[[Mapping[str, Any]], list[Table]]] = {
    "recognition": recognition_tables,
    "forecast": forecast_tables,
    "comparison": comparison_tables,
}
"""What is printed of the results, by the kind of experiment."""


def _table(title: str, first: str) -> Table:
    table = Table(title=title or None, box=None, pad_edge=False, title_justify="left")
    table.add_column(first, no_wrap=True)
    return table


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
