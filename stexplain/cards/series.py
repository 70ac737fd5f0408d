"""Cards of series: long readings on a graph that come with their graph, such as loop detectors on a road network."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from stexplain.cards.dataset import DatasetCard, dataset_card, is_series_card
from stexplain.cards.fields import Count, Positive
from stexplain.cards.files import Card, Part, load_card
from stexplain.errors import CardError, suggest


class Splits(Part):
    """Shares of the time that train and validate, in the order of time; the rest tests."""

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _rest(self) -> "Splits":
        if self.train + self.validation >= 1:
            raise ValueError("train and validation leave nothing to test")
        return self


class SeriesPart(Part):
    """The series.

    Attributes:
        channels: names of the C channels.
        target_channel: the name of the one that is predicted.
        unit: of the target channel.
        minutes: from one frame to the next.
        start: the time of the first frame, where the files do not tell.
        window: how many frames a forecaster reads.
        horizon: how many frames it predicts.
        missing: a value that means that there is no reading; none: only NaN does.
        splits: how time is split.
    """

    channels: Annotated[list[str], Field(min_length=1)]
    target_channel: str
    unit: str
    minutes: Positive
    start: datetime | None = None
    window: Count = 12
    horizon: Count = 12
    missing: float | None = None
    splits: Splits = Splits()

    @model_validator(mode="after")
    def _known(self) -> "SeriesPart":
        if self.target_channel not in self.channels:
            raise ValueError(
                f"target_channel is {self.target_channel!r}, which is no channel. "
                + suggest(self.target_channel, self.channels)
            )
        return self


class SeriesCard(Card):
    """A series: its channels and splits, its licence, and how to get it. The graph comes with the data.

    Attributes:
        reader: an import path, ``"package.module"``, whose `read(path, card)` gives a `SeriesFile`.
        planted: an import path whose `generate(card, out, *, seed)` writes files that the reader reads, or none.
        files: names of the files, where they differ from what the reader looks for: ``readings``, ``adjacency``,
            ``distances``.
    """

    title: str
    summary: str
    licence: str
    url: str
    citation: str
    obtain: str
    reader: str
    planted: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    series: SeriesPart


def series_card(card: "str | Path | SeriesCard") -> SeriesCard:
    """The series card of this name, or at this path.

    Args:
        card: a bundled name, a path to a card's file or folder, or a card, which comes back as it is.

    Raises:
        CardError: where there is none, it says something impossible, or it is of recordings.

    Example:
        >>> series_card("metr-la").series.missing
        0.0
    """
    if isinstance(card, SeriesCard):
        return card
    if not is_series_card(card):
        dataset_card(card)  # says what is wrong with a card that is of neither kind
        raise CardError(
            f"the card {str(card)!r} is of recordings with classes; wanted one of a series, with a part [series]. "
            "load_dataset reads both; dataset_card gives this one."
        )
    return load_card("datasets", card, SeriesCard)


def any_card(card: "str | Path") -> DatasetCard | SeriesCard:
    """The dataset card of this name, or at this path, of either kind.

    Raises:
        CardError: where there is none, or it says something impossible.

    Example:
        >>> [type(any_card(name)).__name__ for name in ("ntu", "metr-la")]
        ['DatasetCard', 'SeriesCard']
    """
    return series_card(card) if is_series_card(card) else dataset_card(card)
