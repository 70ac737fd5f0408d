"""What a stage is: one file in `stexplain/bench/stages` that computes results of a run and shows them.

The runner and the report know no stage by name: they go through what `stages.stage_types` finds. A stage computes plain
JSON, once, and writes what is too large for it into the run's folder; all that is shown is made from these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pandas as pd

from stexplain.bench.claims import Claim
from stexplain.bench.figures import Figures
from stexplain.bench.run import FORECASTING, TASKS, Run, Task, run_label
from stexplain.cards import Part

Results = Mapping[str, Mapping[str, Any]]
"""Stage -> its result."""
Parts = Callable[[str, Callable[[], Mapping[str, Any]]], Mapping[str, Any]]
"""Called as ``parts(name, work)``: the result of a part of a stage, worked out once and kept, so that it can resume."""


class Table(NamedTuple):
    """A table that is written as CSV and shown in the report.

    Attributes:
        title: above it in the report.
        frame: its rows.
        digits: of its numbers, as pandas' `float_format`; ``results.json`` keeps all of them.
    """

    title: str
    frame: pd.DataFrame
    digits: str = "%.4f"


class TextTable(NamedTuple):
    """A table for the terminal, of texts.

    Attributes:
        title: above it; may be empty.
        head: the names of the columns, as many as a row has cells.
        rows: cells as they are shown.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Card(NamedTuple):
    """A card of the report's summary.

    Attributes:
        title: its heading, as text.
        html: what stands below it.
        wide: whether it takes the whole width.
    """

    title: str
    html: str
    wide: bool = False


@dataclass(frozen=True)
class RunResults:
    """What `results.json` holds of one run.

    Attributes:
        name: of the run.
        about: model, protocol, recipe, and `stages`: the result of each stage.
        dataset: what it was run on.
        node: what a node is: "joint", "sensor".
        others: further trainings of the run, each from a seed of its own.
    """

    name: str
    about: Mapping[str, Any]
    dataset: Mapping[str, Any]
    node: str = "node"
    others: "tuple[RunResults, ...]" = field(default=(), repr=False)

    @property
    def trainings(self) -> "tuple[RunResults, ...]":
        """All trainings of the run, this one first: it is the one that sections show."""
        return (self, *self.others)

    @property
    def stages(self) -> Results:
        """The result of each stage."""
        # A page is made of unfinished results too: every field may be missing.
        results: Results = self.about.get("stages") or {}
        return results

    @property
    def published(self) -> Mapping[str, Any]:
        """What a paper prints for this run."""
        numbers: Mapping[str, Any] = self.about.get("published") or {}
        return numbers

    @property
    def model(self) -> str:
        """The model's title."""
        return str(self.about.get("model_title") or self.about.get("model") or "the model")

    @property
    def label(self) -> str:
        """What the run is called in sentences and tables: short, such as "STGCN-10 xsub"."""
        return run_label(
            self.name, str(self.about.get("protocol") or ""), str(self.about.get("model") or ""), self.model
        )

    @property
    def planted(self) -> bool:
        """Whether its data was generated."""
        return bool(self.dataset.get("planted"))

    @property
    def description(self) -> str:
        """What the run is, such as "STGCN-10 (cross-subject: 20 subjects train, the other 20 test)"."""
        # Runs of one model differ by their protocol; a series has none.
        protocol = str(self.about.get("protocol_title") or self.about.get("protocol") or "")
        # A title begins with a capital, which has no place inside of a sentence; an abbreviation keeps its own.
        protocol = protocol if protocol[1:2].isupper() else protocol[:1].lower() + protocol[1:]
        return f"{self.model} ({protocol})" if protocol else self.model

    @property
    def units(self) -> str:
        """What is explained: events of a series, or samples.

        Example:
            >>> RunResults("stgcn", {"task": "forecasting"}, {}).units, RunResults("stgcn", {}, {}).units
            ('events', 'samples')
        """
        return "events" if self.about.get("task") == FORECASTING else "samples"

    @property
    def unit(self) -> str:
        """The unit of a series' forecasts."""
        return str(self.dataset.get("unit") or "")

    def minutes(self, frames: float) -> str:
        """A number of a series' frames as time, such as "30 min"."""
        # Results without a dataset are shown too, as far as they go; five minutes are usual of loop detectors.
        return f"{float(self.dataset.get('minutes') or 5) * frames:g} min"


class NoOptions(Part):
    """The options of a stage that has none."""


AnyOptions = TypeVar("AnyOptions", bound=Part)


class Stage(Generic[AnyOptions]):
    """A stage of an experiment. Its name is that of its file.

    Every method has a default that does nothing, so that a stage is as long as what it does.

    Attributes:
        title: the heading of its section in the report; ``{node}`` stands for what a node is.
        tasks: what the runs that it is for do: classification, forecasting, or both.
        published: the names of the paper's numbers that it shows, see `RunPart.published`.
        Options: what its table in the `experiment.toml` may say.
        figures_shown: how many figures stand beside its sentences; all others are folded.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    tasks: ClassVar[tuple[Task, ...]] = TASKS
    published: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Part]] = NoOptions
    figures_shown: ClassVar[int] = 1

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # The file's name is the stage's name: there is no list to keep.
        cls.name = cls.__module__.rpartition(".")[2]

    # A stage keeps nothing but its options: after a resumed run the report is made from JSON and files alone.
    def __init__(self, options: AnyOptions) -> None:
        self.options = options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The stages whose results or files this one reads; those that the experiment does not list are added."""
        return ("train",)

    def check(self, run: Run) -> Iterator[str]:
        """What is wrong with the options for a run, as "field: what", as far as the cards tell."""
        yield from ()

    def check_data(self, run: Run) -> None:
        """Refuses data that the stage can do nothing with, before anything is trained on it.

        Raises:
            InputError: saying what the data lacks.
        """

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """The results, as plain JSON.

        Args:
            run: the model and its data.
            results: of the stages that came before.
            parts: gives the result of a part of this stage, worked out once; see ``Parts``.
        """
        # The one method without a default: what a stage does.
        raise NotImplementedError

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Draws the figures of a run, once all its stages are computed."""

    def section(self, runs: Sequence[RunResults]) -> str:
        """The text of its section in the report, as HTML from `stexplain.bench.html`; without figures.

        Args:
            runs: those that have a result of this stage; the first training of each, which knows the others.
        """
        return ""

    def summary(self, runs: Sequence[RunResults]) -> Card | None:
        """Its card in the report's summary."""
        return None

    def trust(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """What a reader must know first to judge how far to trust the explanations, a line each."""
        yield from ()

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Claims, fixed here before any run, and their paired tests, which the runner corrects over all of a report."""
        yield from ()

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """What limits the conclusions of these runs."""
        yield from ()

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """Tables by the names of their CSV files.

        Args:
            runs: those that have a result of this stage, further trainings included: each is a row of its own.
        """
        return {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """The main numbers of one training, by name, each alone or as value with the interval between samples.

        Where a run is trained several times, the report shows their spread between trainings below the section.
        """
        return {}

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """Columns of the terminal's summary, which has a row per run."""
        return {}

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """Tables of its own for the terminal."""
        yield from ()


def as_table(number: int, runs: Sequence[RunResults]) -> str:
    """Which table of the paper one of ours is laid out as, and that its data is not the paper's where it is generated.

    Example:
        >>> as_table(1, [RunResults("xsub", {}, {"planted": True})])
        "as Table 1 of the paper, on synthetic data; the paper's numbers are of real data"
    """
    synthetic = any(run.planted for run in runs)
    return f"as Table {number} of the paper" + (
        ", on synthetic data; the paper's numbers are of real data" if synthetic else ""
    )


def as_figure(run: Run, name: str) -> str:
    """Which figure of the paper one of ours is drawn as, as the start of its title; empty where there is none.

    Args:
        run: whose figure it is.
        name: of the paper's figure, see `RunPart.published`.
    """
    if name not in run.published:
        return ""
    # The paper's figure is of real data: a title that names it says where ours is not.
    synthetic = ", on synthetic data" if run.clips("test").planted else ""
    return f"As {run.published[name]}{synthetic}: "
