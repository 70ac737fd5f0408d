"""Runs the experiment that lies beside a dataset's card, of whatever kind it is."""

import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stexplain.cards import DatasetCard, card_names, card_path
from stexplain.errors import CardError, suggest

KINDS = ("recognition", "forecast", "comparison")
"""What an experiment may be: each is a module of this package with a function `run`."""


def bench(
    experiment: "str | Path | DatasetCard",
    *,
    card: "str | Path | DatasetCard | None" = None,
    data: "str | Path | None" = None,
    out: "str | Path | None" = None,
    recipe: str | None = None,
    runs: Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = True,
    command: str | None = None,
) -> Path:
    """Runs an experiment: trains, explains, scores and reports.

    A folder holds one run. Where it was stopped, the same call goes on from its last finished stage and ends with the
    same numbers.

    Args:
        experiment: the name or path of the dataset card beside which the `experiment.toml` lies.
        card: of the dataset that it is run on; default: that card. Another one needs its `data`, or planted data.
        data: what the card's reader or a prepared store holds; none: the card's planted data.
        out: the run folder; default: ``runs/NAME``.
        recipe: of the model cards; default: as the experiment says, for planted or for real data.
        runs: only these of the experiment; default: all.
        seed: of everything random.
        progress: whether progress bars are shown.
        command: what to note in the results as the command that made them.

    Returns:
        The run folder, with `results.json`, `report.html`, `log.txt`, `tables/` and `figures/`.

    Raises:
        CardError: where there is no such card or experiment, or it says something impossible.
        InputError: for unknown names, or a folder that holds a run of something else.
        DataError: for broken data.
    """
    home = experiment.path if isinstance(experiment, DatasetCard) else card_path("datasets", experiment)
    path = home.with_name("experiment.toml")
    module = import_module(f"stexplain.bench.{_kind(path, home)}")
    folder: Path = module.run(
        path,
        card=experiment if card is None else card,
        data=data,
        out=out,
        recipe=recipe,
        runs=runs,
        seed=seed,
        progress=progress,
        command=command,
    )
    return folder


def _having() -> list[str]:
    """The names of the datasets that have an experiment."""
    return [
        name for name in card_names("datasets") if card_path("datasets", name).with_name("experiment.toml").is_file()
    ]


def _kind(path: Path, card: Path) -> str:
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CardError(
            f"the dataset of {card} has no experiment: {path} is missing. Write one beside its card, or run another's "
            f"on it: `stexplain bench NAME --card {card.parent.name} --data DIR`, NAME one of {', '.join(_having())}."
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path} could not be read as TOML: {error}.") from error
    kind = str(said.get("kind", KINDS[0]))
    if kind not in KINDS:
        raise CardError(f"{path} is of the kind {kind!r}. {suggest(kind, KINDS)}")
    return kind
