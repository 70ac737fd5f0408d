"""A comparison of methods on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

SHOWN = ("auroc, nodes", "auroc, frames", "auroc, positions", "deletion gain")
"""Metrics that fit into eighty columns; the report has all."""


def comparison_tables(results: Mapping[str, Any]) -> list[Table]:
    """A table per run: the means of every method, the best of each metric starred."""
    tables = []
    for name, run in results["runs"].items():
        table = Table(
            title=f"{results['title']} {name}: {run['model_title']}, {run['accuracy']['value']:.3f} right, "
            f"{run['clips']} clips",
            box=None,
            pad_edge=False,
            title_justify="left",
        )
        table.add_column("method", no_wrap=True)
        shown = [metric for metric in SHOWN if metric in run["higher_is_better"]]
        for metric in shown:
            table.add_column(metric, justify="right")
        table.add_column("ms a clip", justify="right")
        cells = {(row["method"], row["metric"]): row["value"] for row in run["table"]}
        for method in run["methods"]:
            values = [
                "-"
                if cells[method, metric] is None
                else f"{cells[method, metric]:.2f}{' *'[run['best'][metric] == method]}"
                for metric in shown
            ]
            table.add_row(method, *values, f"{1000 * run['seconds_per_clip'][method]:.3g}")
        tables.append(table)
    return tables
