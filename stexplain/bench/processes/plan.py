"""The stages of a run in their order, each computed where no earlier call has finished it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console

from stexplain.bench.records import Records
from stexplain.bench.run import Run
from stexplain.bench.shared.warned import warned_in_words
from stexplain.bench.stage import Stage


class Plan(NamedTuple):
    """What is computed of a run.

    Attributes:
        run: the run.
        stages: its stages, those that others need before them.
        lines: what is shown as each begins.
    """

    run: Run
    stages: Sequence[Stage[Any]]
    lines: Sequence[str]

    def left(self, records: Records) -> bool:
        """Whether a stage is not finished."""
        return any(f"{self.run.name}/{stage.name}" not in records for stage in self.stages)


def compute(records: Records, plan: Plan, console: Console) -> dict[str, Mapping[str, Any]]:
    """Stage -> its result.

    Args:
        records: of the run folder.
        plan: of the run.
        console: where its lines go.
    """
    run, results = plan.run, dict[str, Mapping[str, Any]]()
    for stage, line in zip(plan.stages, plan.lines, strict=True):
        name = f"{run.name}/{stage.name}"
        console.print(f"{line}{', finished before' if name in records else ''}", markup=False)
        # A new dict each time: a stage cannot change the results of those before it.
        work = partial(stage.compute, run, dict(results), partial(_part, records, name))
        with warned_in_words(console, name):
            results[stage.name] = records(name, work)
    return results


def _part(records: Records, stage: str, name: str, work: Any) -> Mapping[str, Any]:
    return records(f"{stage}/{name}", work)
