"""Which methods find the planted truth, in sentences that follow from the tests alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from stexplain.report.verdicts import Verdict

JUDGED = "auroc, positions"
"""The metric that methods are judged by."""


def comparison_verdicts(runs: Mapping[str, Mapping[str, Any]], controls: Sequence[str]) -> list[Verdict]:
    """Judges every run: how many methods find the truth better than each control, and which is best.

    Args:
        runs: the ``runs`` of a ``results.json`` of kind comparison.
        controls: the methods that know no model.

    Returns:
        One verdict per run and control; it holds where every method is better by its corrected test, and is open where
        only some are.
    """
    found: list[Verdict] = []
    for name, run in runs.items():
        for control in controls:
            tests = [row for row in run["tests"] if row["metric"] == JUDGED and row["against"] == control]
            if not tests:
                continue
            better = [row["method"] for row in tests if row["better"] == row["method"]]
            worse = [row["method"] for row in tests if row["better"] == control]
            means = {row["method"]: row["value"] for row in run["table"] if row["metric"] == JUDGED}
            best = run["best"][JUDGED]
            told = f"{len(better)} of {len(tests)} methods find the planted cells better than {control}"
            told += f" ({means[control]:.2f}); the best is {best} ({means[best]:.2f})"
            told += f". Worse than {control}: {', '.join(worse)}" if worse else ""
            holds = True if len(better) == len(tests) else None if better else False
            found.append({"text": f"{name}: {told}.", "holds": holds})
    return found
