"""`stexplain doctor`: prints the diagnosis."""

import typer

from stexplain.cli.command import echo_json
from stexplain.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Print versions, DGL's state, threads, folders and extras. Exit with 1 if something is broken.

    Example:

      stexplain doctor --json
    """
    from stexplain.cli.diagnosis.diagnose import diagnose

    findings = diagnose()
    if as_json:
        echo_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name:<24} {finding.value}")
            if not finding.ok:
                # Below the value, in its column.
                typer.echo(f"     {'':<24} {finding.remedy}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
