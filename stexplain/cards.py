"""Cards of datasets of recordings and of models: what each may say, field by field."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stexplain.card_files import Card as Card
from stexplain.card_files import Part as Part
from stexplain.card_files import card_names as card_names
from stexplain.card_files import card_path as card_path
from stexplain.card_files import card_values, load_card
from stexplain.card_files import imported as imported
from stexplain.card_files import read_toml as read_toml
from stexplain.errors import CardError, suggest

Value = int | str
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


class GraphPart(Part):
    """The graph: `nodes` in the order of the data, `edges` as pairs of names, and what drawing needs."""

    nodes: list[str]
    edges: list[tuple[str, str]]
    weight: list[float] | None = None
    directed: bool = False
    center: str | None = None
    groups: dict[str, list[str]] = Field(default_factory=dict)
    positions: dict[str, tuple[float, float]] = Field(default_factory=dict)


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
    files: dict[str, str] = Field(default_factory=dict)
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
    milestones: list[Count] = Field(default_factory=list)
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    clip_norm: Positive | None = None
    select: Literal["last", "best"] = "last"
    patience: Count | None = None
    hyperparameters: dict[str, Any] = Field(default_factory=dict)

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
    return "series" in card_values(card_path("datasets", card))
