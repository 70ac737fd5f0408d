"""What an experiment that compares methods is, as `experiment.toml` beside a dataset's card."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stexplain.cards import Count, Part, read_toml
from stexplain.errors import CardError, suggest


class ComparedRun(Part):
    """One trained model whose explanations are compared.

    Attributes:
        name: of the run, and of its folder.
        card: the dataset card; none: that of the experiment.
        protocol: of that card.
        model: a model card.
        recipe: of the model card.
        epochs: in place of the recipe's.
    """

    name: str
    card: str | None = None
    protocol: str
    model: str
    recipe: str
    epochs: Count | None = None


class Deletion(Part):
    """How the gain in area of deletion curves is measured; see `stexplain.metrics.deletion_curve`."""

    baseline: str = "mean"
    steps: Count = 5
    repeats: Count = 2


class ComparisonExperiment(Part):
    """An experiment that compares methods, as its TOML file says it.

    Attributes:
        clips: how many test clips are explained, drawn at random from those that the model gets right.
        controls: methods that every other one is tested against.
        size: methods whose importance is the absolute value of what they give.
        leave_out: methods that are not compared.
        options: method -> its options. ``groups = "graph"`` stands for the groups of the graph.
    """

    kind: Literal["comparison"]
    title: str
    question: str
    citation: str
    clips: Count
    controls: list[str]
    size: list[str] = Field(default_factory=list)
    leave_out: list[str] = Field(default_factory=list)
    runs: list[ComparedRun]
    deletion: Deletion = Deletion()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)


def comparison_experiment(path: Path) -> ComparisonExperiment:
    """Reads an experiment.

    Raises:
        CardError: where it says something impossible, or names a method that does not exist.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> path = dataset_card("planted").path.with_name("experiment.toml")
        >>> [run.name for run in comparison_experiment(path).runs]
        ['graph', 'body']
    """
    from stexplain.explainers.by_name import methods

    found = read_toml(path, ComparisonExperiment)
    known = methods()
    for name in [*found.controls, *found.size, *found.leave_out, *found.options]:
        if name not in known:
            raise CardError(f"{path} names the method {name!r}, which does not exist. {suggest(name, known)}")
    names = [run.name for run in found.runs]
    if not names or len(set(names)) < len(names):
        raise CardError(f"{path} has runs called {names}; wanted at least one, each with a name of its own.")
    if not found.controls:
        raise CardError(f"{path} has no controls. Name at least one, such as 'Random'.")
    return found
