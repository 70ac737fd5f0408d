"""Checks the options of `stexplain explain` before anything heavy is imported."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stexplain.cards import DatasetCard, SeriesCard, any_card, card_names, model_card
from stexplain.cli.validate.datasets import is_card, validate_data, validate_split, validate_store
from stexplain.cli.validate.method_names import method_names
from stexplain.cli.validate.outputs import Outputs
from stexplain.cli.validate.runs import model_in, trained_on
from stexplain.cli.validate.target import ParsedTarget, validate_target
from stexplain.errors import CardError, InputError, suggest, unknown
from stexplain.files import read_json
from stexplain.reading import given_path


@dataclass(frozen=True)
class Checked:
    """What the options of `stexplain explain` name, checked.

    Attributes:
        model: the model; inside a run folder, the one that was found there.
        dataset: the dataset card.
        data: where the data lies; none: generated.
        split: such as ``"xsub/test"``; none: the default.
        outputs: where to write.
        said: what was found and not typed, a sentence each.
    """

    model: str
    dataset: DatasetCard | SeriesCard
    data: Path | None
    split: str | None
    outputs: Outputs
    said: tuple[str, ...]


def validate_explain(
    model: str,
    *,
    card: str | None,
    data: Path | None,
    split: str | None,
    ids: list[str] | None,
    first: int | None,
    method: str,
    target: ParsedTarget,
    outputs: Outputs,
    group_by: str | None = None,
    cluster_by: str | None = None,
) -> Checked:
    """Checks the options of `stexplain explain`.

    Raises:
        CardError: where there is no such dataset card or model, or one of them is not valid.
        InputError: where a name does not exist, a number is out of range, or a path is not what it should be.
    """
    checked = named_samples(model, card, data, split, outputs)
    found, dataset = checked.model, checked.dataset
    if not ids and first is not None and first < 1:
        raise InputError(f"--first: got {first}; expected at least 1.")
    if method not in (names := method_names()):
        raise unknown("method", method, names)
    if not is_factory(found):  # a model of one's own may have other classes than the dataset
        validate_target(target, saved_model(found), dataset)
    if cluster_by is not None and group_by is None:
        raise InputError("--cluster-by: got it without --group-by; expected both. Give --group-by too.")
    if group_by is not None and isinstance(dataset, SeriesCard):
        raise InputError(
            f"--group-by: got {group_by!r}, but {dataset.name!r} is a series, whose windows are in no groups. Give a "
            "dataset of recordings."
        )
    return checked


def named_samples(
    model: str, card: str | None, data: Path | None, split: str | None, outputs: Outputs | None = None
) -> Checked:
    """The model and the samples that options name, where some follow from others.

    Raises:
        CardError: where there is no such dataset card or model, or one of them is not valid.
        InputError: where a name does not exist, a path is not what it should be, or the model has other nodes.
    """
    # In the order of the help, so that of several mistakes the first there is reported.
    found, said = model_in(model)
    validate_model(found)
    known = trained_on(found) if card is None else None
    if known is not None:
        card, data = known.card, data or known.data
        said = f"{said} As in {known.folder}: {known.options}.".strip()
        split = split or (f"{known.protocol}/test" if known.protocol else None)
    if card is None and data is not None:
        if not given_path(data, "--data").exists():
            raise InputError(f"--data: got {data}, which does not exist. Give a prepared store, or --card too.")
        # A store of one's own files has its card in it.
        card = str(data) if is_card(given_path(data, "--data")) else None
    if card is None:
        raise InputError(
            "--card: got nothing; expected a dataset card, by name (`stexplain data list`) or path. Of your own files "
            "`stexplain data prepare skeletons` makes a store that has its card: give that as --data."
        )
    dataset = any_card(card)
    validate_data(dataset, data)
    if isinstance(dataset, DatasetCard):
        validate_store(dataset, data)
        _check_nodes(found, dataset)
    validate_split(dataset, split)
    return Checked(found, dataset, data, split, outputs or Outputs(None, ()), (said,) if said else ())


def _check_nodes(model: str, dataset: DatasetCard) -> None:
    """Refuses samples of other nodes than a trained model has: an error in it would speak of a tensor."""
    nodes = ((saved_model(model) or {}).get("graph") or {}).get("nodes")
    if nodes is not None and len(nodes) != len(dataset.graph.nodes):
        raise InputError(
            f"--card: got {dataset.name!r}, of {len(dataset.graph.nodes)} nodes; expected one of {len(nodes)}, as "
            f"{model} was trained on. Inside a run folder it knows its own: leave --card out."
        )


def is_factory(model: str) -> bool:
    """Whether MODEL is the import path of one's own model, such as ``mine.net:make``, and no file."""
    module, separator, name = model.partition(":")
    # The path of a folder that is not there, such as C:\\runs\\one, is none.
    separator = separator if name[:1] not in ("/", "\\") else ""
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
    elif not folder.exists() and model not in (names := card_names("models")):
        raise CardError(f"MODEL: got {model!r}, which is neither a folder nor a model card. {suggest(model, names)}")
    elif not (folder / "model.json").is_file():
        model_card(model)
