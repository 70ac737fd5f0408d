"""The paper's Tables 1-3 from the results of a run, with the paper's numbers beside ours where they are known."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

SETS = ("highlighted", "least", "random")


def masking_table(results: Mapping[str, Any], *, sets: tuple[str, ...], baselines: list[str]) -> pd.DataFrame:
    """Accuracy against masking, a row per run, baseline and node set; shares are in [0, 1].

    Args:
        results: as `results.json` holds them.
        sets: which node sets.
        baselines: which baselines.

    Returns:
        Columns ``run, baseline, set, m=0, m=..., beta`` (Eq. 7) and what the paper prints for highlighted nodes.
    """
    rows = []
    for name, run in results["runs"].items():
        for baseline in baselines:
            for which in sets:
                curve = run["faithfulness"][baseline][which]
                row: dict[str, Any] = {"run": name, "baseline": baseline, "set": which}
                for masking, accuracy in zip(curve["masking"], curve["accuracy"], strict=True):
                    row[f"m={masking:g}"] = accuracy["value"]
                row["beta"] = curve["beta"]
                paper = (run.get("paper") or {}) if which == "highlighted" and baseline == baselines[0] else {}
                row["paper: accuracy at m=0"] = paper.get("accuracy_unmasked")
                row["paper: beta as printed"] = paper.get("faithfulness")
                row["paper: beta recomputed"] = paper.get("faithfulness_recomputed")
                rows.append(row)
    return pd.DataFrame(rows)


def contrastivity_table(results: Mapping[str, Any]) -> pd.DataFrame:
    """Contrastivity of each run, by our definition and by the authors' released code, with its interval."""
    rows = []
    for name, run in results["runs"].items():
        found = run["contrastivity"]
        rows.append(
            {
                "run": name,
                "contrastivity": found["value"],
                "low": found["low"],
                "high": found["high"],
                "classes": found["classes"],
                "constant maps left out": found["constant"],
                "parity das2022": run["das2022"]["contrastivity"],
                "paper": (run.get("paper") or {}).get("contrastivity"),
            }
        )
    return pd.DataFrame(rows)


def tables(results: Mapping[str, Any], baselines: list[str]) -> dict[str, pd.DataFrame]:
    """All tables: 1 masks highlighted nodes, 2 adds the other node sets and baselines, 3 is contrastivity."""
    return {
        "table1": masking_table(results, sets=("highlighted",), baselines=baselines[:1]),
        "table2": masking_table(results, sets=SETS, baselines=baselines),
        "table3": contrastivity_table(results),
    }
