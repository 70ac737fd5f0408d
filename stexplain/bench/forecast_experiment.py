"""What an experiment on forecasters is, as `experiment.toml` beside the series' card."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stexplain.bench.experiment import Recipes, Share
from stexplain.cards import Count, Part, Positive, read_toml
from stexplain.errors import CardError


class Slowdowns(Part):
    """Which forecasts are explained.

    Where the data has planted events, they are those of the test part. Elsewhere they are falls of what a sensor reads,
    from the last reading of the window to the one at `horizon`.

    Attributes:
        horizon: how many steps ahead, where nothing is planted.
        fall: by how much a reading must fall, in the unit of the series, where nothing is planted.
        foreseen: the share of the fall that the forecast must have: what the model missed cannot be explained.
        count: at most so many are explained.
        shown: so many of them are drawn.
    """

    horizon: Count = 6
    fall: Positive
    foreseen: Share = 0.33
    count: Count = 60
    shown: Count = 2


class Deletion(Part):
    """The test of faithfulness: readings are replaced by what is usual, cell by cell.

    Attributes:
        steps: into how many shares the way is cut.
        repeats: how many random orders each is compared with.
    """

    steps: Count = 10
    repeats: Count = 3


class Hiding(Part):
    """The same for whole sensors: the most important ones, the least, and as many at random go towards what is usual.

    Attributes:
        nodes: how many sensors are in each set.
        values: the shares m of the way, without 0, which is always measured.
    """

    nodes: Count = 3
    values: list[Share] = Field(default_factory=lambda: [0.25, 0.5, 0.75, 1.0])


class ForecastExperiment(Part):
    """An experiment on forecasters, as its TOML file says it.

    Attributes:
        models: names of model cards.
        recipes: which recipe is used on planted data, and which on real data.
        horizons: at which steps ahead errors are reported.
        slowdowns: which forecasts are explained.
        deletion: how faithfulness is measured, reading by reading.
        masking: how it is measured, sensor by sensor.
        steps: points of integrated gradients.
    """

    kind: Literal["forecast"]
    title: str
    question: str
    citation: str
    models: Annotated[list[str], Field(min_length=1)]
    recipes: Recipes
    horizons: Annotated[list[Count], Field(min_length=1)]
    slowdowns: Slowdowns
    deletion: Deletion = Deletion()
    masking: Hiding = Hiding()
    steps: Count = 16


def forecast_experiment(path: Path) -> ForecastExperiment:
    """The experiment of this file.

    Raises:
        CardError: where it is missing or says something impossible.
    """
    if not path.is_file():
        raise CardError(f"there is no experiment: {path} is missing. Write one beside the card of the series.")
    return read_toml(path, ForecastExperiment)
