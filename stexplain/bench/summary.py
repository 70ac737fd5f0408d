"""The end of a run on the terminal: what came out, and where it lies."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from stexplain.files import read_json


def print_summary(folder: Path) -> None:
    """Prints the accuracy, localisation and faithfulness of every run of a folder, and the path of the report."""
    results = read_json(folder / "results.json")
    console = Console(highlight=False)
    table = Table(title=results["title"], box=None, pad_edge=False, title_justify="left")
    table.add_column("run", no_wrap=True)
    for column in ("right", "AUROC nodes", "frames", "cells", "Motion nodes", "frames", "beta", "contrast"):
        table.add_column(column, justify="right")
    for name, run in results["runs"].items():
        where = run["localisation"]
        scores = [
            f"{where[method][over]['auroc']['value']:.2f}" if where else "-"
            for method, over in (
                ("STGGradCAM", "nodes"),
                ("STGGradCAM", "frames"),
                ("STGGradCAM", "cells"),
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
    console.print(table)
    for verdict in results["verdicts"]:
        console.print({True: "yes ", False: "no  ", None: "open"}[verdict["holds"]], verdict["text"])
    total = sum(results["seconds"].values())
    console.print(f"\n{total / 60:.1f} minutes. The report: {folder / 'report.html'}", soft_wrap=True)
