"""Cards of models: architecture, hyperparameters and training recipes, field by field."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stexplain.cards.fields import Count, NonNegative, Positive
from stexplain.cards.files import load_card
from stexplain.cards.part import Card, Part
from stexplain.errors import CardError, suggest


class Augment(Part):
    """Random augmentation of training samples. Each is off by default.

    Attributes:
        crop: the smallest share of the frames in a random crop, in (0, 1]; 1: no crop.
        rotate: the largest angle about the vertical axis, in degrees, in both directions.
        scale: the largest relative change of size, such as 0.1 for 0.9 to 1.1.

    Example:
        >>> Augment(rotate=15, scale=0.1)
        Augment(crop=1.0, rotate=15.0, scale=0.1)
    """

    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    rotate: NonNegative = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Recipe(Part):
    """A training recipe: preprocessing, optimiser and schedule.

    A recipe for clips has `frames` and `sampling`. One for forecasts has neither: the windows of a series have the
    length that the model takes.

    Attributes:
        summary: one line: what the recipe is for, and its source.
        epochs: how many, at most.
        batch: samples per step.
        frames: T, the number of input frames per clip.
        sampling: `pad` appends invalid frames up to `frames` (longer clips are cut at the end); `resample`
            interpolates the valid frames linearly to `frames`.
        center: `none`, or `first`: subtract the centre node of the first valid frame of the first instance.
        align: a joint of both sides, such as `hip`: the body is turned about the vertical so that the line from "left
            hip" to "right hip" in the first frame in which both were read lies along x, and a person faces a Kinect
            (pyskl's PreNormalize3D without its tilt). None: a body faces the way that it was recorded.
        stream: `joint`, `bone` (child minus parent), or the `motion` of either (the next frame minus this one); taken
            after centring, turning and augmentation.
        augment: random augmentation of training samples.
        optimizer: `sgd`, `adamw` or `rmsprop`.
        rate: the (highest) learning rate.
        momentum: of `sgd` and `rmsprop`; of `adamw` the first beta; in [0, 1).
        nesterov: whether the momentum of `sgd` is Nesterov's.
        weight_decay: the weight of the L2 norm (of `adamw`: decoupled from the gradient), at least 0.
        schedule: `step` (times `decay` at `milestones`), `one-cycle` or `cosine`.
        milestones: epochs at which the rate falls, of `step`.
        decay: what it is multiplied by there, in (0, 1].
        clip_norm: the largest norm of the gradient, which is scaled down to it; none: as it is.
        select: the epoch whose weights are used: `last`, or `best` on the validation split (by accuracy, or by the
            error of forecasts).
        patience: epochs without improvement on the validation split before training stops; none: no early stopping.
        hyperparameters: replace those of the model card for this recipe (such as a smaller width).

    Example:
        >>> recipe = model_card("stgcn10").recipe("stgcn2018")
        >>> recipe.optimizer, recipe.rate, recipe.milestones, recipe.clip_frames
        ('sgd', 0.1, [10, 50], 300)
        >>> recipe.model_copy(update={"epochs": 2}).epochs
        2
    """

    summary: str
    epochs: Count
    batch: Count
    frames: Count | None = None
    sampling: Literal["pad", "resample"] | None = None
    center: Literal["none", "first"] = "none"
    align: str | None = None
    stream: Literal["joint", "bone", "joint motion", "bone motion"] = "joint"
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
    # With "last" and no patience, the clips of the validation split are trained on, too.
    select: Literal["last", "best"] = "last"
    patience: Count | None = None
    hyperparameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        # One decides how the other is reached: frames without a way of sampling, or the reverse, mean nothing.
        if (self.frames is None) != (self.sampling is None):
            raise ValueError("got only one of frames and sampling; expected both (clips) or neither (forecasts)")
        return self

    @property
    def clip_frames(self) -> int:
        """`frames` of a recipe for clips.

        Raises:
            CardError: where the recipe is for forecasts.
        """
        if self.frames is None:
            raise CardError(
                f"recipe: got one for forecasts, without `frames` and `sampling` ({self.summary}); expected one for "
                "clips. Use a recipe of a model for clips."
            )
        return self.frames


class ModelCard(Card):
    """A model: its architecture, hyperparameters and training recipes.

    Attributes:
        name: of the card.
        title: as reports write it.
        summary: a sentence or two on the model.
        citation: of its paper.
        architecture: an import path, ``"package.module:Class"``.
        hyperparameters: arguments of that class, beside the graph and the classes.
        recipes: name -> how it is trained.

    Example:
        >>> card = model_card("stgcn10")
        >>> card.architecture, len(card.hyperparameters["channels"])
        ('stexplain.nn.stgcn:STGCN', 10)
    """

    title: str
    summary: str
    citation: str
    architecture: str  # an import path: the class may be a user's own
    hyperparameters: dict[str, Any]  # checked against the architecture's signature when a model is built
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
    """The model card of this name, or at this path; see `dataset_card`.

    Args:
        card: a bundled name, a path to a card's file, or a card, which is returned unchanged.

    Raises:
        CardError: where there is none, or it is invalid; with the file, the field and the remedy.

    Example:
        >>> sorted(model_card("stgcn10").recipes)
        ['modern', 'quick', 'small', 'stgcn2018']
    """
    return card if isinstance(card, ModelCard) else load_card("models", card, ModelCard)
