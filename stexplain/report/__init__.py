"""One HTML file that tells what a run found: opens offline, and starts with a summary that needs no prior knowledge."""

from stexplain.report.verdicts import Verdict as Verdict
from stexplain.report.verdicts import verdicts as verdicts
from stexplain.report.write import write_report as write_report

__all__ = ["Verdict", "verdicts", "write_report"]
