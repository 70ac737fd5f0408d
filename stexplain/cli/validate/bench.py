"""Checks the options of `stexplain bench` before anything heavy is imported."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stexplain.cards import DatasetCard, SeriesCard, any_card, card_names, card_path, card_values, model_card
from stexplain.cli.validate.datasets import validate_data, validate_out, validate_recordings
from stexplain.errors import CardError, InputError, suggest, unknown

MAX_SEED = 2**63 - 1
"""numpy refuses negative seeds, torch those above 64 bits."""


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
    path = _experiment_file(experiment)
    dataset = any_card(card or experiment)
    declared = _declared_runs(card_values(path))
    for name in runs or ():
        if name not in declared:
            raise unknown("run", name, declared)
    selected = [declared[name] for name in runs or declared]
    for run in selected:
        _validate_run(run, dataset, recipe)
    # Runs on datasets of their own take the synthetic data of those.
    if any(not run.get("card") for run in selected):
        validate_data(dataset, data)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"--seed: got {seed}; expected 0 to {MAX_SEED}.")
    validate_out(out)
    if isinstance(dataset, DatasetCard):
        validate_recordings(dataset, data)


def _experiment_file(experiment: str) -> Path:
    """The `experiment.toml` beside the dataset card of this name, or at this path."""
    names = [*_with_experiment(card_names("datasets"))]
    try:
        card = card_path("datasets", experiment)
    except CardError:
        if Path(experiment).expanduser().exists():
            raise  # a folder without a card: its own message says what is missing
        raise CardError(
            f"there is no experiment {experiment!r}. {suggest(experiment, names)} "
            "Or give the path of a folder that holds card.toml and experiment.toml."
        ) from None
    path = card.with_name("experiment.toml")
    if not path.is_file():
        raise CardError(
            f"the dataset {experiment!r} has no experiment: {path} is missing. Write one beside its card, or run "
            f"another one on its data: stexplain bench NAME --card {experiment} --data DIR, with NAME one of "
            f"{', '.join(names)}."
        )
    return path


def _with_experiment(names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if card_path("datasets", name).with_name("experiment.toml").is_file())


def _declared_runs(experiment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The runs that an experiment declares, by name; whether the rest of it is valid is checked as it is run."""
    runs = [run for run in experiment.get("runs", []) if isinstance(run, dict)] or [
        {"model": model} for model in experiment.get("models", [])
    ]
    # A run without a name of its own is called after its protocol and model, as is its folder.
    return {
        str(run.get("name") or "/".join(str(run[key]) for key in ("protocol", "model") if key in run)): run
        for run in runs
    }


def _validate_run(run: dict[str, Any], dataset: DatasetCard | SeriesCard, recipe: str | None) -> None:
    # A run may be on a dataset of its own, which `--card` leaves as it is.
    card = any_card(str(run["card"])) if run.get("card") else dataset
    protocol = run.get("protocol")
    if protocol is not None and isinstance(card, DatasetCard) and protocol not in card.protocols:
        raise unknown(f"protocol of the card {card.name!r}", protocol, card.protocols)
    name = recipe or run.get("recipe")
    if "model" in run and name is not None:
        model_card(run["model"]).recipe(name)
