"""Cards of experiments: `experiment.toml` beside a dataset's card, which lists runs and stages."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from stexplain.cards.fields import Count
from stexplain.cards.files import card_names, card_path, read_toml
from stexplain.cards.part import Part
from stexplain.errors import CardError
from stexplain.reading.within import leads_out

MAX_SEED = 2**63 - 1
"""numpy refuses negative seeds, torch those above 64 bits."""
MAX_SEEDS = 10_000
"""The most trainings of each run."""
_TAKEN = ("stages", "figures", "tables", "store", "lock")
"""What the folder of an experiment holds beside those of its runs."""


class Recipes(Part):
    """Which recipe of the model cards trains the models on generated (planted) data, and which on real data."""

    planted: str
    real: str


class RunPart(Part):
    """One trained model on one dataset.

    Attributes:
        name: of the run and of its folder; empty: ``"protocol/model"``, or the model's name where there is no protocol.
        card: the dataset card; none: the one beside the experiment.
        protocol: the split protocol of that card; a series has none.
        model: a model card.
        recipe: a training recipe of the model card; none: as `Recipes` says.
        epochs: in the place of the recipe's.
        published: what a paper prints for this run, by the names that the stages read, such as ``accuracy = 0.821``.
    """

    name: str = ""
    card: str | None = None
    protocol: str | None = None
    model: str
    recipe: str | None = None
    epochs: Count | None = None
    # Not a part: which names there are is known to the stages, which lie above cards.
    published: dict[str, float | str] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of the run, given or made of protocol and model."""
        return self.name or "/".join(filter(None, (self.protocol, self.model)))

    @model_validator(mode="after")
    def _within(self) -> "RunPart":
        if leads_out(self.title) or self.title.split("/")[0] in ("", ".", *_TAKEN):
            raise ValueError(
                f"got the name {self.title[:80]!r}; expected one that a folder within that of the results may have, "
                f"and none of {', '.join(_TAKEN)}. Give the run a `name`"
            )
        return self


class ExperimentCard(Part):
    """An experiment: what it asks, which models it trains on which data, and what it measures on them.

    Attributes:
        node: what one node is, in the singular, for the report: ``"joint"``, ``"sensor"``.
        runs: the trained models.
        recipes: the training recipe of those runs that name none.
        stages: stage -> its options. Their order is the order of the report.
    """

    title: str
    question: str
    citation: str
    node: str = "node"
    recipes: Recipes | None = None
    runs: Annotated[list[RunPart], Field(min_length=1)]
    # Read by each stage as its own `Options`, once its name is known to be one.
    stages: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]


def experiment_path(card: "str | Path") -> Path:
    """The `experiment.toml` beside a dataset's card.

    Args:
        card: a bundled name, or the path of a card's file or folder.

    Raises:
        CardError: where there is no such card, or no experiment beside it.

    Example:
        >>> experiment_path("ntu").name
        'experiment.toml'
    """
    home = card_path("datasets", card)
    path = home.with_name("experiment.toml")
    if path.is_file():
        return path
    with_experiment = [
        name for name in card_names("datasets") if card_path("datasets", name).with_name(path.name).is_file()
    ]
    raise CardError(
        f"the dataset of {home} has no experiment: {path} is missing. Write one beside its card, or run another's on "
        f"it: `stexplain bench NAME --card {home.parent.name} --data DIR`, NAME one of {', '.join(with_experiment)}."
    )


def experiment_card(card: "str | Path") -> ExperimentCard:
    """The experiment beside a dataset's card, field by field; what its names mean is checked by `stexplain.bench`.

    Raises:
        CardError: where it is missing, is not TOML, or says something impossible.

    Example:
        >>> [run.title for run in experiment_card("ntu").runs]
        ['xsub/stgcn10', 'xview/stgcn10', 'xsub/stgcn7']
    """
    path = experiment_path(card)
    experiment = read_toml(path, ExperimentCard)
    # Names are made of protocol and model where none is given: only the whole list shows a clash.
    names = [run.title for run in experiment.runs]
    for name in names:
        if names.count(name) > 1:
            raise CardError(f"{path}: got two runs with the name {name!r}; expected a name of its own for each run.")
    return experiment
