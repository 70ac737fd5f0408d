"""Cards of series: one long multivariate time series on a graph, such as loop detectors on a road network."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stexplain.cards.dataset import DatasetCard, dataset_card, is_series_card
from stexplain.cards.fields import Count, Positive
from stexplain.cards.files import load_card
from stexplain.cards.part import DataCard, Part
from stexplain.errors import CardError, suggest


class Splits(Part):
    """The shares of time of the training and the validation split, in the order of time; the rest is the test split.

    Attributes:
        train: in (0, 1).
        validation: in [0, 1); with `train` less than 1, so that a test split is left.

    Example:
        >>> splits = Splits(train=0.6, validation=0.2)
        >>> round(1 - splits.train - splits.validation, 2)  # of the test split
        0.2
    """

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _rest(self) -> "Splits":
        if self.train + self.validation >= 1:
            raise ValueError(
                f"got train {self.train} and validation {self.validation}; expected a sum below 1, so that a "
                "test split is left"
            )
        return self


class SeriesPart(Part):
    """The table [series].

    Attributes:
        channels: names of the C channels.
        target_channel: the name of the channel to forecast; left out: the first.
        unit: of the target channel; left out: not said, and nowhere guessed.
        minutes: time between two frames.
        start: the time of the first frame, where the files do not hold it.
        time_zone: whose clocks the times are on, such as ``"Europe/Berlin"``, where they have no zone and clocks change
            between them; of times with a zone or offsets, the one to bring them to.
        window: number of input frames of a forecaster.
        horizon: number of frames that it forecasts.
        missing: the value that marks a missing observation; none: only NaN does.
        links: what the numbers of a file of links are, where it does not say it; see `load_sensors`.
        splits: the shares of the splits.

    Example:
        >>> speeds = SeriesPart(channels=["speed", "flow"], minutes=5, unit="mph")
        >>> speeds.target_channel, speeds.window * speeds.minutes  # an hour is read
        ('speed', 60.0)
    """

    channels: Annotated[list[str], Field(min_length=1, examples=['channels = ["speed"]'])]
    target_channel: str
    unit: str = ""
    minutes: Positive = Field(examples=["minutes = 5"])
    start: datetime | None = None
    time_zone: str | None = None
    window: Count = 12
    horizon: Count = 12
    missing: float | None = None  # many networks write 0 where a detector failed
    links: Literal["distances", "weights", "neighbours", "none"] | None = None
    splits: Splits = Splits()

    @model_validator(mode="before")
    @classmethod
    def _target(cls, values: Any) -> Any:
        channels = values.get("channels") if isinstance(values, dict) else None
        return {"target_channel": channels[0], **values} if isinstance(channels, list) and channels else values

    @model_validator(mode="after")
    def _known(self) -> "SeriesPart":
        if self.target_channel not in self.channels:
            raise ValueError(
                f"got target_channel {self.target_channel!r}; expected one of the channels. "
                + suggest(self.target_channel, self.channels)
            )
        return self


class SeriesCard(DataCard):
    """A series: channels, splits, licence, and how to obtain it. The graph is in the data's own files.

    Attributes:
        reader: an import path, ``"package.module"``, whose `read(path, card)` returns a `SeriesFile`; left out: that of
            the formats of `load_sensors`, which it tells by their names.
        planted: an import path whose `generate(card, out, *, seed)` writes files that the reader reads, or none.
        files: names of the files, where they differ from the reader's defaults: ``values``, ``adjacency``,
            ``distances``, ``links``.
        name: of the card; folders of results are called by it.
        title: a heading for reports; left out: the name.
        summary: a sentence or two on what was recorded.
        licence: of the data.
        url: where it is described.
        citation: of the paper that introduces it.
        obtain: how one gets the files.
        series: channels, times and splits.

    Example:
        >>> card = series_card("metr-la")
        >>> card.series.channels, card.series.minutes, card.series.missing
        (['speed'], 5.0, 0.0)
    """

    reader: str = "stexplain.data.signals.reader"
    series: SeriesPart


def series_card(card: "str | Path | SeriesCard") -> SeriesCard:
    """The series card of this name, or at this path.

    Args:
        card: a bundled name, a path to a card's file or folder, or a card, which is returned unchanged.

    Raises:
        CardError: where there is none, it is invalid, or it is of recordings.

    Example:
        >>> series_card("metr-la").series.missing
        0.0
    """
    if isinstance(card, SeriesCard):
        return card
    if not is_series_card(card):
        dataset_card(card)  # raises for a card of neither kind, with its wrong fields
        raise CardError(
            f"card: got {str(card)!r}, a dataset of recordings with classes; expected a series, with a table [series]. "
            "load_dataset reads both; dataset_card reads this one."
        )
    return load_card("datasets", card, SeriesCard)


def any_card(card: "str | Path") -> DatasetCard | SeriesCard:
    """The dataset card of this name, or at this path, of either kind.

    Args:
        card: a bundled name, a path to a card's file or folder, or a card, which is returned unchanged.

    Raises:
        CardError: where there is none, or it is invalid.

    Example:
        >>> [type(any_card(name)).__name__ for name in ("ntu", "metr-la")]
        ['DatasetCard', 'SeriesCard']
    """
    return series_card(card) if is_series_card(card) else dataset_card(card)
