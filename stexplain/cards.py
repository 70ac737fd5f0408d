"""Cards: what a dataset or a model is, as TOML that a person can review.

A bundled card is found by its name (``"ntu"``, ``"stgcn10"``), a user's own by the path of its file or folder; both
work alike. Folders named in the environment variable `STEXPLAIN_CARDS` (separated as `PATH` is) are searched by name
too. What a card may say is the classes below, field by field; anything else is an error that names the nearest field.
"""

import hashlib
import os
import tomllib
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from stexplain.errors import CardError, suggest

Value = int | str
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


class Part(BaseModel):
    """A part of a card: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(Part):
    """What every card has: a `name`, and the file that it was read from."""

    name: str
    _path: Path = PrivateAttr()

    @property
    def path(self) -> Path:
        """The file that the card was read from."""
        return self._path

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the card's file; kept with every result."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()


class GraphPart(Part):
    """The graph: `nodes` in the order of the data, `edges` as pairs of names, and what drawing needs."""

    nodes: list[str]
    edges: list[tuple[str, str]]
    weight: list[float] | None = None
    directed: bool = False
    center: str | None = None
    groups: dict[str, list[str]] = {}
    positions: dict[str, tuple[float, float]] = {}


class AxesPart(Part):
    """The axes of a sample: how many `instances`, which `channels`, in what `unit`, frames per second."""

    instances: Count = 1
    channels: list[str]
    unit: str
    frame_rate: Positive


class ClassPart(Part):
    """One class: the `id` by which files name it, its `name`, and how many `instances` (persons) act in it."""

    id: Value
    name: str
    instances: Count = 1


class Selection(Part):
    """Recordings whose `field` (such as "subject") has one of `values`."""

    field: str
    values: list[Value]


class Protocol(Part):
    """How recordings are split: `train` by a field, the rest is the test split.

    `validation` is a part of the training recordings, set aside for early stopping; the test split is never used for
    that. Where `test` is given, recordings that are in neither are left out.
    """

    title: str
    train: Selection
    test: Selection | None = None
    validation: Selection


class DatasetCard(Card):
    """A dataset of recordings: its graph, axes, classes and protocols, its licence, and how to get it."""

    title: str
    summary: str
    licence: str
    url: str
    citation: str
    obtain: str
    reader: str
    planted: str | None = None
    files: dict[str, str] = {}
    graph: GraphPart
    axes: AxesPart
    classes: list[ClassPart]
    protocols: dict[str, Protocol]

    @property
    def class_names(self) -> list[str]:
        """The names of the classes; the index in this list is the label."""
        return [entry.name for entry in self.classes]


class Augment(Part):
    """Random changes of training samples. Each is off at its default.

    Attributes:
        crop: the shortest share of the frames that a random crop keeps, in (0, 1]; 1 keeps all.
        rotate: the largest angle about the vertical axis, in degrees, either way.
        scale: the largest relative change of size, such as 0.1 for 0.9 to 1.1.
    """

    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    rotate: NonNegative = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Recipe(Part):
    """How a model is trained and what it is given.

    A recipe for clips says how they are sampled, by `frames` and `sampling`. One for forecasts says neither: the
    windows of a series are given as they are.

    Attributes:
        summary: one line on what the recipe is for, and its source.
        frames: T, the number of frames that the model sees of a clip.
        sampling: `pad` repeats nothing and fills with invalid frames up to `frames` (longer clips are cut at the
            end); `resample` stretches the valid frames linearly to `frames`.
        center: `none`, or `first`: subtract the centre node of the first valid frame of the first instance.
        augment: random changes of training samples.
        optimizer: `sgd`, `adamw` or `rmsprop`.
        rate: the (highest) learning rate.
        schedule: `step` (times `decay` at `milestones`, in epochs), `one-cycle` or `cosine`.
        select: which epoch's weights are kept: `last`, or `best` on the validation part (by accuracy, or by the error
            of forecasts).
        patience: epochs without improvement on validation before training stops; none: never stop early.
        hyperparameters: of the model card, overridden for this recipe (such as a smaller width).
    """

    summary: str
    epochs: Count
    batch: Count
    frames: Count | None = None
    sampling: Literal["pad", "resample"] | None = None
    center: Literal["none", "first"] = "none"
    augment: Augment = Augment()
    optimizer: Literal["sgd", "adamw", "rmsprop"] = "sgd"
    rate: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    weight_decay: NonNegative = 0.0
    schedule: Literal["step", "one-cycle", "cosine"] = "step"
    milestones: list[Count] = []
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    clip_norm: Positive | None = None
    select: Literal["last", "best"] = "last"
    patience: Count | None = None
    hyperparameters: dict[str, Any] = {}

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.frames is None) != (self.sampling is None):
            raise ValueError("frames and sampling go together: give both (for clips) or neither (for forecasts)")
        return self

    @property
    def clip_frames(self) -> int:
        """`frames`, of a recipe for clips.

        Raises:
            CardError: of a recipe for forecasts.
        """
        if self.frames is None:
            raise CardError(
                f"this recipe ({self.summary}) says no `frames` and `sampling`: it is for forecasts, and clips came. "
                "Take a recipe of a model for clips."
            )
        return self.frames


class ModelCard(Card):
    """A model: which architecture with which hyperparameters, and the recipes it is trained by."""

    title: str
    summary: str
    citation: str
    architecture: str
    hyperparameters: dict[str, Any]
    recipes: dict[str, Recipe]

    def recipe(self, name: str) -> Recipe:
        """The recipe of this name.

        Raises:
            CardError: where the card has none of this name.
        """
        if name not in self.recipes:
            raise CardError(f"model card {self.name!r} has no recipe {name!r}. {suggest(name, self.recipes)}")
        return self.recipes[name]


AnyCard = TypeVar("AnyCard", bound=Card)
AnyPart = TypeVar("AnyPart", bound=Part)


def dataset_card(card: "str | Path | DatasetCard") -> DatasetCard:
    """The dataset card of this name, or at this path: of recordings, not of a series (see `series_card`).

    Args:
        card: a bundled name, a path to a card's file or folder, or a card, which comes back as it is.

    Raises:
        CardError: where there is none, or it says something impossible: names the file, the field and the remedy.

    Example:
        >>> dataset_card("ntu").graph.nodes[20]
        'spine shoulder'
        >>> dataset_card("ntuu")
        Traceback (most recent call last):
        ...
        stexplain.errors.CardError: there is no dataset card 'ntuu'. Did you mean 'ntu'? ...
    """
    if isinstance(card, DatasetCard):
        return card
    if is_series_card(card):
        raise CardError(
            f"the card {str(card)!r} is of a series of readings; wanted one of recordings with classes. "
            "load_dataset reads both; series_card gives this one."
        )
    return load_card("datasets", card, DatasetCard)


def model_card(card: "str | Path | ModelCard") -> ModelCard:
    """The model card of this name, or at this path; see `dataset_card`."""
    return card if isinstance(card, ModelCard) else load_card("models", card, ModelCard)


def is_series_card(card: "str | Path") -> bool:
    """Whether the dataset card of this name, or at this path, is of a series: whether it has a part `series`.

    Raises:
        CardError: where there is none, or it is not TOML.

    Example:
        >>> is_series_card("ntu")
        False
    """
    return "series" in _values(card_path("datasets", card))


def card_names(kind: Literal["datasets", "models"]) -> list[str]:
    """The names of all cards of a kind that are found without a path, sorted.

    Example:
        >>> "ntu" in card_names("datasets")
        True
    """
    return sorted(_known(kind))


def card_path(kind: Literal["datasets", "models"], card: "str | Path") -> Path:
    """The file of the card of this name, or at this path.

    Args:
        kind: of card.
        card: a bundled name, or a path to a card's file or folder.

    Raises:
        CardError: where there is none, with the nearest name.

    Example:
        >>> card_path("datasets", "ntu").name
        'card.toml'
    """
    known = _known(kind)
    path = known.get(str(card)) if isinstance(card, str) else None
    if path is not None:
        return path
    given = Path(card).expanduser()
    path = given / "card.toml" if given.is_dir() else given
    if path.is_file():
        return path
    if given.is_dir():
        raise CardError(f"the folder {given} holds no card.toml. See the bundled cards for what one says.")
    raise CardError(
        f"there is no {kind[:-1]} card {str(card)!r}. {suggest(str(card), known)} "
        "Or give the path of a card's file or folder."
    )


def load_card(kind: Literal["datasets", "models"], card: "str | Path", model: type[AnyCard]) -> AnyCard:
    """The card of this name, or at this path, read as one of this class; see `dataset_card`."""
    path = card_path(kind, card)
    loaded = read_toml(path, model)
    loaded._path = path
    return loaded


def read_toml(path: Path, model: type[AnyPart]) -> AnyPart:
    """Reads a TOML file into a `Part`, with an error that names the file, the field, what came and the remedy."""
    try:
        return model.model_validate(_values(path))
    except ValidationError as error:
        raise CardError(f"{path} is not a valid {model.__name__}:\n" + _in_words(error, model)) from None


def imported(path: str, what: str) -> Any:
    """What an import path of a card names: ``"package.module"`` or ``"package.module:name"``.

    Raises:
        CardError: where it cannot be imported, naming what wanted it.
    """
    module_name, _, name = path.partition(":")
    try:
        module: ModuleType = import_module(module_name)
    except ModuleNotFoundError as error:
        raise CardError(f"{what} names {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    if not name:
        return module
    if not hasattr(module, name):
        raise CardError(f"{what} names {path!r}, but {module_name} has no {name!r}. {suggest(name, dir(module))}")
    return getattr(module, name)


def _roots() -> list[Path]:
    """Folders that hold `datasets/` and `models/`: the user's, then the checkout's, then the wheel's."""
    package = Path(__file__).resolve().parent
    own = [Path(part).expanduser() for part in os.environ.get("STEXPLAIN_CARDS", "").split(os.pathsep) if part]
    # The checkout wins over a copy in the wheel, which would be stale while the checkout is edited.
    checkout = [package.parent] if (package.parent / "pyproject.toml").is_file() else []
    return [*own, *checkout, package / "_cards"]


def _known(kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in reversed(_roots()):
        folder = root / kind
        for file in sorted([*folder.glob("*/card.toml"), *folder.glob("*.toml")]):
            found[file.parent.name if file.name == "card.toml" else file.stem] = file
    return found


def _values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CardError(f"{path} could not be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path} is not TOML: {error}.") from error


def _in_words(error: ValidationError, model: type[Part]) -> str:
    lines = []
    for entry in error.errors():
        where = ".".join(str(step) for step in entry["loc"])
        if entry["type"] == "extra_forbidden":
            fields = _fields_at(model, entry["loc"][:-1])
            lines.append(f"  {where}: there is no such field. {suggest(str(entry['loc'][-1]), fields)}")
        elif entry["type"] == "missing":
            lines.append(f"  {where}: is missing.")
        else:
            lines.append(f"  {where}: {entry['msg']}; {entry['input']!r} came.")
    return "\n".join(lines)


def _fields_at(model: type[Part], loc: tuple[int | str, ...]) -> list[str]:
    """The fields that a part has at a place in a card, for the nearest match."""
    parts: list[type[Part]] = [model]
    for step in loc:
        inner = [part.model_fields[str(step)].annotation for part in parts if str(step) in part.model_fields]
        parts = [part for kind in inner for part in _parts_in(kind)] or parts
    return [field for part in parts for field in part.model_fields]


def _parts_in(kind: Any) -> list[type[Part]]:
    if isinstance(kind, type) and issubclass(kind, Part):
        return [kind]
    return [part for argument in getattr(kind, "__args__", ()) for part in _parts_in(argument)]
