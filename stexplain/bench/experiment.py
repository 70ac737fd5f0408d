"""From an experiment's TOML to runs and stages, all of it checked before any work begins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stexplain.bench.run import Run, Task, task_of
from stexplain.bench.stage import Stage
from stexplain.bench.stages import stage_types
from stexplain.cards import DatasetCard, ModelCard, SeriesCard, any_card, model_card
from stexplain.cards.experiment import MAX_SEED, MAX_SEEDS, ExperimentCard, RunPart, experiment_card, experiment_path
from stexplain.cards.files import read_part
from stexplain.errors import CardError, InputError, StexplainError, suggest, unknown

AnyDataset = DatasetCard | SeriesCard


@dataclass(frozen=True)
class Experiment:
    """An experiment, ready to run.

    Attributes:
        path: of its TOML file.
        card: of the dataset that it runs on where a run names no other.
        declared: what the file declares.
        stages: in the order of the report; those included that others need.
        added: stage that the file does not list -> the stage that needs it.
    """

    path: Path
    card: AnyDataset
    declared: ExperimentCard
    stages: Mapping[str, Stage[Any]]
    added: Mapping[str, str]

    def order(self, task: Task) -> list[Stage[Any]]:
        """The stages of a run in the order in which they are computed: after those that they need."""
        # Depth first: a stage is done after all that it needs. Insertion order is the order of computing.
        done: dict[str, Stage[Any]] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            # `path` is the way from a listed stage to this one; meeting a stage twice on it never ends.
            if name in path:
                raise InputError(
                    f"stages: got a cycle, {' needs '.join([*path, name])}; expected none. Take one of them out of "
                    "`needs`."
                )
            for need in self.stages[name].needs(task):
                visit(need, (*path, name))
            done.setdefault(name, self.stages[name])

        # An added stage is computed only where a listed one needs it for this task.
        for name in self.stages:
            if name not in self.added:
                visit(name, ())
        return list(done.values())

    def runs(
        self,
        names: Sequence[str] | None = None,
        *,
        data: Path | None = None,
        recipe: str | None = None,
        seed: int = 0,
        seeds: int = 1,
        folder: Path = Path(),
        progress: bool = False,
    ) -> list[Run]:
        """The runs, and every further training as a run of its own: ``NAME/seed-S``, of the next seed.

        Args:
            names: only these; none: all.
            data: of the experiment's own dataset; none: its generated data.
            recipe: of the model cards; none: as the experiment says.
            seed: of everything random.
            seeds: how many trainings of each run, from seeds that follow on each other.
            folder: that holds the folders of the runs.
            progress: whether progress bars are shown.

        Raises:
            InputError: for an unknown run or recipe, fewer than one training, or where data is missing.
        """
        known = {part.title: part for part in self.declared.runs}
        for name in names or ():
            if name not in known:
                raise unknown("run", name, known)
        if not 1 <= seeds <= MAX_SEEDS:
            raise InputError(f"seeds: got {seeds}; expected 1 to {MAX_SEEDS:,} trainings of each run.")
        if not 0 <= seed <= MAX_SEED - seeds + 1:
            raise InputError(f"seed: got {seed} for {seeds} trainings; expected 0 to {MAX_SEED}, the last one's too.")
        first = [self._run(known[name], data, recipe, seed, folder, progress) for name in names or known]
        # All runs once before any is trained again: an experiment that is stopped then has results of each.
        further = [
            replace(run, name=name, first=run.name, seed=run.seed + step, folder=folder / name)
            for step in range(1, seeds)
            for run in first
            for name in [f"{run.name}/seed-{run.seed + step}"]
        ]
        return first + further

    def check(self, runs: Sequence[Run]) -> None:
        """Checks the options of stages against runs on their own data, such as one without planted events.

        Raises:
            CardError: with a line per problem.
        """
        _raise(self.path, [problem for run in runs for problem in _stage_problems(self.stages, run)])

    def _run(
        self, part: RunPart, data: Path | None, recipe: str | None, seed: int, folder: Path, progress: bool
    ) -> Run:
        card = self.card if part.card is None else any_card(part.card)
        # `data` is of the experiment's dataset; a run on another card uses that card's generated data.
        run_data = data if part.card is None else None
        if run_data is None and card.planted is None:
            raise InputError(
                f"the dataset {card.name!r} has no synthetic data. Give its files: --data DIR\n"
                f"How to get them: {card.obtain.strip()}"
            )
        model = model_card(part.model)
        name = recipe or self.recipe(part, planted=run_data is None)
        if part.epochs is not None:
            # Cards are immutable and shared by runs: this run gets a copy of both card and recipe.
            changed = model.recipe(name).model_copy(update={"epochs": part.epochs})
            model = model.model_copy(update={"recipes": {**model.recipes, name: changed}})
        model.recipe(name)  # a recipe that does not exist is reported before hours of work, not after
        return Run(
            name=part.title,
            card=card,
            data=run_data,
            protocol=part.protocol or "",
            model_card=model,
            recipe_name=name,
            seed=seed,
            folder=folder / part.title,
            progress=progress,
            published=part.published,
        )

    def recipe(self, part: RunPart, *, planted: bool) -> str:
        """The name of a run's training recipe."""
        if part.recipe is not None:
            return part.recipe
        recipes = self.declared.recipes
        if recipes is None:
            raise CardError(f"{self.path}: the run {part.title!r} has no recipe. Give it one, or a table [recipes].")
        return recipes.planted if planted else recipes.real


def load_experiment(experiment: "str | Path", card: "str | Path | AnyDataset | None" = None) -> Experiment:
    """The experiment beside a dataset's card.

    Args:
        experiment: the name of the card, or its path.
        card: of the dataset to run it on; none: that card.

    Raises:
        CardError: where it is missing, or says something impossible: every problem in a line.

    Example:
        >>> experiment = load_experiment("ntu")
        >>> [stage.name for stage in experiment.order("classification")][:3]
        ['train', 'accuracy', 'examples']
        >>> load_experiment("roads").added
        {}
    """
    path, declared = experiment_path(experiment), experiment_card(experiment)
    if isinstance(card, DatasetCard | SeriesCard):
        dataset: AnyDataset = card
    else:
        dataset = any_card(experiment if card is None else card)
    problems: list[str] = []
    stages, added = _stages(path, declared, dataset, problems)
    loaded = Experiment(path, dataset, declared, stages, added)
    _raise(path, [*problems, *_problems(loaded)])
    return loaded


def _raise(path: Path, problems: Sequence[str]) -> None:
    """One error for all problems of a file, where there are some."""
    # Runs on the same card have the same problems.
    distinct = list(dict.fromkeys(problems))
    if distinct:
        listed = distinct[0] if len(distinct) == 1 else f"{len(distinct)} problems:\n  " + "\n  ".join(distinct)
        raise CardError(f"{path}: {listed}")


def _stages(
    path: Path, declared: ExperimentCard, card: AnyDataset, problems: list[str]
) -> tuple[dict[str, Stage[Any]], dict[str, str]]:
    """The stages that the file lists, and before each those that it needs and the file does not list."""
    types = stage_types()
    tasks = sorted({task_of(card if run.card is None else any_card(run.card)) for run in declared.runs})
    stages: dict[str, Stage[Any]] = {}
    added: dict[str, str] = {}

    def add(name: str, needed_by: str = "") -> None:
        if name in stages:
            return
        if name not in types:
            problems.append(f"stages.{name}: there is no such stage. {suggest(name, types)}")
            return
        stage_type = types[name]
        refused = [task for task in tasks if task not in stage_type.tasks]
        # An added stage may be for one task only: `order` leaves it out of runs of the other.
        if refused and not needed_by:
            problems.append(
                f"stages.{name}: is for {' and '.join(stage_type.tasks)}; the experiment has runs of {refused[0]}. "
                "Remove it."
            )
            return
        try:
            options = read_part(declared.stages.get(name, {}), stage_type.Options, source=path, at=f"stages.{name}")
        except CardError as error:
            # The first line names the file, which stands above all problems.
            problems.extend(line.strip() for line in str(error).split("\n")[1:])
            return
        stage = stage_type(options)
        for need in dict.fromkeys(need for task in tasks if task in stage_type.tasks for need in stage.needs(task)):
            # A listed one keeps its own place in the report.
            if need not in declared.stages:
                add(need, name)
        stages[name] = stage
        if needed_by:
            added[name] = needed_by

    for name in declared.stages:
        add(name)
    return stages, added


def _problems(experiment: Experiment) -> Iterator[str]:
    """What is wrong with the runs, and with the options of stages for each of them."""
    published = {name for stage in experiment.stages.values() for name in stage.published}
    for part in experiment.declared.runs:
        where = f"runs.{part.title}"
        try:
            card = experiment.card if part.card is None else any_card(part.card)
            model = model_card(part.model)
        except CardError as error:
            # Without its cards nothing else of this run can be checked; the other runs can.
            yield f"{where}: {error}"
            continue
        yield from (f"{where}: {problem}" for problem in _run_problems(experiment, part, card, model))
        for name in part.published:
            if name not in published:
                yield f"{where}.published: no stage shows {name!r}. {suggest(name, published)}"
        # Checks of options read cards only, so a run without data and recipe will do.
        run = Run(part.title, card, None, part.protocol or "", model, "", published=part.published)
        yield from _stage_problems(experiment.stages, run)


def _stage_problems(stages: Mapping[str, Stage[Any]], run: Run) -> Iterator[str]:
    for stage in stages.values():
        if run.task in stage.tasks:
            yield from (f"stages.{stage.name}.{problem}" for problem in stage.check(run))


def _run_problems(experiment: Experiment, part: RunPart, card: AnyDataset, model: ModelCard) -> Iterator[str]:
    if isinstance(card, SeriesCard):
        if part.protocol:
            yield f"protocol: got {part.protocol!r}; the series {card.name!r} is split by time. Remove it."
    elif part.protocol not in card.protocols:
        hint = suggest(part.protocol or "", card.protocols)
        yield f"protocol: got {part.protocol!r}, which the card {card.name!r} lacks. {hint}"
    # Both recipes are checked, whichever data the experiment runs on today.
    for planted in (True, False):
        try:
            model.recipe(experiment.recipe(part, planted=planted))
        except StexplainError as error:
            yield str(error)
            return
