"""Cards of models: architecture, hyperparameters and training recipes, field by field."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stexplain.cards.fields import Count, NonNegative, Positive
from stexplain.cards.files import Card, Part, load_card
from stexplain.errors import CardError, suggest


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


def model_card(card: "str | Path | ModelCard") -> ModelCard:
    """The model card of this name, or at this path; see `dataset_card`."""
    return card if isinstance(card, ModelCard) else load_card("models", card, ModelCard)
