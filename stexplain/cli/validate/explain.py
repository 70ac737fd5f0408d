"""Checks the options of `stexplain explain` before anything heavy is imported."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stexplain.cards import DatasetCard, SeriesCard, any_card, card_names, model_card
from stexplain.cli.validate.datasets import validate_data, validate_out, validate_split, validate_store
from stexplain.cli.validate.method_names import method_names
from stexplain.cli.validate.target import ParsedTarget, validate_target
from stexplain.errors import CardError, InputError, suggest, unknown
from stexplain.files import read_json
from stexplain.reading import given_path


def validate_explain(
    model: str,
    *,
    card: str,
    data: Path | None,
    split: str | None,
    ids: list[str] | None,
    first: int,
    method: str,
    target: ParsedTarget,
    out: Path,
) -> DatasetCard | SeriesCard:
    """Checks the options of `stexplain explain`.

    Returns:
        The dataset card.

    Raises:
        CardError: where there is no such dataset card or model, or one of them is not valid.
        InputError: where a name does not exist, a number is out of range, or a path is not what it should be.
    """
    # In the order of the help, so that of several mistakes the first there is reported.
    validate_model(model)
    dataset = any_card(card)
    validate_data(dataset, data)
    if isinstance(dataset, DatasetCard):
        validate_store(dataset, data)
    validate_split(dataset, split)
    if not ids and first < 1:
        raise InputError(f"--first: got {first}; expected at least 1.")
    if method not in (names := method_names()):
        raise unknown("method", method, names)
    if not is_factory(model):  # a model of one's own may have other classes than the dataset
        validate_target(target, saved_model(model), dataset)
    validate_out(out)
    return dataset


def is_factory(model: str) -> bool:
    """Whether MODEL is the import path of one's own model, such as ``mine.net:make``, and no file."""
    module, separator, _ = model.partition(":")
    return bool(separator) and not given_path(model, "MODEL").exists() and re.fullmatch(r"[\w.]+", module) is not None


def saved_model(model: str) -> dict[str, Any] | None:
    """What `model.json` in a trained model's folder says; none where MODEL is no such folder."""
    about = given_path(model, "MODEL") / "model.json"
    return read_json(about) if about.is_file() else None


def validate_model(model: str) -> None:
    """Refuses a model that is neither a trained one's folder, nor a model card, nor a module that can be found.

    Raises:
        CardError: where there is no such folder or card, or the card is not valid.
        InputError: where the module of a factory is not installed.
    """
    folder = given_path(model, "MODEL")
    if is_factory(model):
        # Only the top-level package is looked for: finding a submodule would import its parents, and they torch.
        top = model.partition(":")[0].partition(".")[0]
        beside = Path.cwd() / top
        if not (beside.is_dir() or beside.with_suffix(".py").is_file() or find_spec(top)):
            raise InputError(f"MODEL: got {model!r}, but {top!r} cannot be imported. Is it installed?")
    # A folder comes before a card of the same name, as `load_model` decides.
    elif folder.is_dir() and not any((folder / name).is_file() for name in ("model.json", "card.toml")):
        raise CardError(f"MODEL: got {folder}, which holds neither model.json (a trained model) nor card.toml.")
    elif not folder.exists() and model not in (names := card_names("models")):
        raise CardError(f"MODEL: got {model!r}, which is neither a folder nor a model card. {suggest(model, names)}")
    elif not (folder / "model.json").is_file():
        model_card(model)
