"""What an experiment is: runs, masking and figures, as `experiment.toml` beside the dataset's card."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stexplain.cards import Count, DatasetCard, Part, read_toml
from stexplain.errors import CardError, suggest

Share = Annotated[float, Field(ge=0, le=1)]


class Run(Part):
    """One trained model: a protocol of the dataset's card and a model card's name."""

    protocol: str
    model: str

    @property
    def name(self) -> str:
        """What the run is called, and its folder."""
        return f"{self.protocol}/{self.model}"


class Recipes(Part):
    """Which recipe of the model cards is used on planted data, and which on the dataset itself."""

    planted: str
    real: str


class Masking(Part):
    """The test of faithfulness: how many nodes are attenuated, by how much, towards which baselines.

    Attributes:
        nodes: how many nodes are in each set.
        values: the attenuations m of Eq. 7, without 0, which is always measured.
        baselines: names in `stexplain.data.baselines`; the paper's comes first.
        clips: at most so many test clips are masked, drawn at random; none: all.
    """

    nodes: Count
    values: list[Share]
    baselines: list[str]
    clips: Count | None = None


class Figures(Part):
    """What the figures show.

    Attributes:
        clips: classes of which Fig. 1 shows a clip.
        nodes: the order of the nodes in Figs. 2-4; empty: the card's.
        classes: the order of the classes, as ids of the card; empty: the card's.
    """

    clips: list[str]
    nodes: list[str] = Field(default_factory=list)
    classes: list[int | str] = Field(default_factory=list)


class Published(Part):
    """What the paper prints for a run, where it is known; shares are in [0, 1]."""

    accuracy: Share | None = None
    accuracy_unmasked: Share | None = None
    faithfulness: float | None = None
    faithfulness_recomputed: float | None = None
    contrastivity: float | None = None
    note: str = ""


class Experiment(Part):
    """An experiment, as its TOML file says it."""

    kind: Literal["recognition"] = "recognition"
    title: str
    question: str
    citation: str
    runs: list[Run]
    recipes: Recipes
    masking: Masking
    figures: Figures
    published: dict[str, Published] = Field(default_factory=dict)
    paper_note: str = ""


def experiment(card: DatasetCard, path: Path | None = None) -> Experiment:
    """The experiment on a dataset.

    Args:
        card: of the dataset.
        path: of the `experiment.toml`; default: the one beside the card.

    Raises:
        CardError: where it cannot be read, or names a protocol, class or node that the card lacks.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> [run.name for run in experiment(dataset_card("ntu")).runs]
        ['xsub/stgcn10', 'xview/stgcn10', 'xsub/stgcn7']
    """
    path = card.path.with_name("experiment.toml") if path is None else path
    found = read_toml(path, Experiment)
    names = {"protocol": card.protocols, "class": card.class_names, "node": card.graph.nodes}
    asked = [("protocol", run.protocol) for run in found.runs]
    asked += [("class", name) for name in found.figures.clips] + [("node", name) for name in found.figures.nodes]
    for kind, name in asked:
        if name not in names[kind]:
            raise CardError(f"{path} names the {kind} {name!r}, which the card lacks. {suggest(name, names[kind])}")
    ids = {entry.id for entry in card.classes}
    for wanted in found.figures.classes:
        if wanted not in ids:
            raise CardError(f"{path}: figures.classes names {wanted!r}, which is no class id of the card.")
    return found
