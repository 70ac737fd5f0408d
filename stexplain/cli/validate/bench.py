"""Checks the options of `stexplain bench` before anything heavy is imported."""

from collections.abc import Sequence
from pathlib import Path

from stexplain.cards import DatasetCard, SeriesCard, any_card, card_names, card_path, model_card
from stexplain.cards.experiment import MAX_SEED, ExperimentCard, RunPart, experiment_card
from stexplain.cli.validate.datasets import validate_data, validate_out, validate_recordings
from stexplain.errors import CardError, InputError, suggest, unknown
from stexplain.reading import given_path


def validate_bench(
    experiment: str,
    *,
    card: str | None,
    data: Path | None,
    out: Path | None,
    recipe: str | None,
    runs: Sequence[str] | None,
    seed: int,
) -> None:
    """Checks the options of `stexplain bench`.

    Raises:
        CardError: where there is no such experiment, dataset card or recipe, or one of them is not valid.
        InputError: where a run or a protocol does not exist, the seed is out of range, or a path is not what it should
            be.
    """
    declared = {run.title: run for run in _experiment(experiment).runs}
    dataset = any_card(card or experiment)
    for name in runs or ():
        if name not in declared:
            raise unknown("run", name, declared)
    selected = [declared[name] for name in runs or declared]
    for run in selected:
        _validate_run(run, dataset, recipe)
    # Runs on datasets of their own take the synthetic data of those.
    if any(run.card is None for run in selected):
        validate_data(dataset, data)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"--seed: got {seed}; expected 0 to {MAX_SEED}.")
    validate_out(out)
    if isinstance(dataset, DatasetCard):
        validate_recordings(dataset, data)


def _experiment(experiment: str) -> ExperimentCard:
    """The experiment of this name, or at this path; a name that is misspelt is compared with those of experiments."""
    try:
        card_path("datasets", experiment)
    except CardError:
        if given_path(experiment, "EXPERIMENT").exists():
            raise  # a folder without a card: its own message says what is missing
        names = [name for name in card_names("datasets") if _has_experiment(name)]
        raise CardError(
            f"there is no experiment {experiment!r}. {suggest(experiment, names)} "
            "Or give the path of a folder that holds card.toml and experiment.toml."
        ) from None
    return experiment_card(experiment)


def _has_experiment(name: str) -> bool:
    return card_path("datasets", name).with_name("experiment.toml").is_file()


def _validate_run(run: RunPart, dataset: DatasetCard | SeriesCard, recipe: str | None) -> None:
    # A run may be on a dataset of its own, which `--card` leaves as it is.
    card = dataset if run.card is None else any_card(run.card)
    if run.protocol is not None and isinstance(card, DatasetCard) and run.protocol not in card.protocols:
        raise unknown(f"protocol of the card {card.name!r}", run.protocol, card.protocols)
    model = model_card(run.model)
    if name := recipe or run.recipe:
        model.recipe(name)
