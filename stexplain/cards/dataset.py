"""Cards of datasets of recordings: graph, axes, classes and split protocols, field by field."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from stexplain.cards.fields import Count, Positive, Value
from stexplain.cards.files import card_path, card_values, load_card
from stexplain.cards.part import DataCard, Part
from stexplain.cards.skeletons import skeleton_fields
from stexplain.errors import CardError


class GraphPart(Part):
    """The graph: `nodes` in the order of the data, `edges` as pairs of names, groups and positions for drawing.

    A skeleton's name stands for all of them: ``graph = "coco-17"``. As ``skeleton = "coco-17"`` in the table it gives
    the fields that the table leaves out; of nodes and edges it gives both.

    Attributes:
        nodes: names of the N nodes, in the order of the data.
        edges: pairs of names, source and target.
        weight: of each edge; none: 1.
        directed: whether an edge leads one way alone.
        center: the node that skeletons are centred on, and that hop distances count from; none: not said.
        groups: names of nodes by the name of their group, such as "left arm".
        positions: x and y of nodes by name, for drawing, in any unit; y upwards.

    Example:
        >>> GraphPart(nodes=["hip", "knee"], edges=[("knee", "hip")]).directed
        False
        >>> body = GraphPart.model_validate({"skeleton": "coco-17", "center": "nose"})
        >>> len(body.nodes), body.center
        (17, 'nose')
    """

    nodes: list[str] = Field(examples=['nodes = ["hip", "knee", "ankle"], or skeleton = "coco-17" for a known one'])
    edges: list[tuple[str, str]] = Field(examples=['edges = [["knee", "hip"], ["ankle", "knee"]]'])
    weight: list[float] | None = None
    directed: bool = False
    center: str | None = None
    groups: dict[str, list[str]] = Field(default_factory=dict)
    # By name, not in order: a person can check the point of a joint.
    positions: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _skeleton(cls, values: Any) -> Any:
        values = {"skeleton": values} if isinstance(values, str) else values
        if not isinstance(values, dict) or "skeleton" not in values:
            return values
        # Other nodes than the skeleton's would leave its edges and groups without their joints.
        if both := [name for name in ("nodes", "edges") if name in values]:
            raise ValueError(f"got skeleton and {both[0]}; expected one of them. Leave out {' and '.join(both)}")
        given = {name: value for name, value in values.items() if name != "skeleton"}
        return skeleton_fields(values["skeleton"]) | given


class AxesPart(Part):
    """The axes of a sample.

    Attributes:
        instances: M, such as two where a clip may have two persons.
        channels: names of the C channels.
        unit: of the channels, such as "m"; empty: not said, and nowhere guessed.
        frame_rate: frames per second; none: charts and tables count frames.

    Example:
        >>> AxesPart(channels=["x", "y", "z"], unit="m", frame_rate=30).instances
        1
    """

    instances: Count = 1
    channels: list[str] = Field(examples=['channels = ["x", "y", "z"]'])
    unit: str = ""
    frame_rate: Positive | None = None


class ClassPart(Part):
    """One class.

    Attributes:
        id: in the files, a number or a text.
        name: as charts and reports write it.
        instances: how many, such as persons, take part in it.

    Example:
        >>> ClassPart(id=50, name="punch", instances=2).name
        'punch'
    """

    id: Value
    name: str
    instances: Count = 1


class Selection(Part):
    """Recordings whose `field` has one of `values`.

    Attributes:
        field: a column of the recordings, such as "subject"; the reader reads it from their names.
        values: which of them.

    Example:
        >>> dataset_card("ntu").protocols["xview"].train
        Selection(field='camera', values=[2, 3])
    """

    field: str
    values: list[Value]


class Protocol(Part):
    """A split protocol: `train` selects the training recordings by a field, the rest is the test split.

    `validation` selects the part of the training recordings that is held out for early stopping; the test split is
    never used for that. Where `test` is given, recordings in neither are excluded.

    Attributes:
        title: what it keeps apart, such as "cross-subject".
        train: the training recordings, those of validation among them.
        test: the recordings that results are measured on; none: all that are not in `train`.
        validation: the part of the training recordings that is held out for early stopping.

    Example:
        >>> xsub = dataset_card("ntu").protocols["xsub"]
        >>> xsub.title, xsub.train.field, len(xsub.train.values)
        ('Cross-subject: 20 subjects train, the other 20 test', 'subject', 20)
    """

    title: str
    train: Selection
    test: Selection | None = None
    validation: Selection


class DatasetCard(DataCard):
    """A dataset of recordings: graph, axes, classes, protocols, licence, and how to obtain it.

    `grouping` names what makes recordings dependent: the fields (or ``label``) whose values they share, by level, the
    outermost first, such as ``{"subject": ["subject"], "performance": ["subject", "replication", "label"]}``.
    Where it is left out and a protocol selects by subject, recordings are grouped by subject. Classes whose ids are
    their names may be a list of names: ``classes = ["walk", "run"]``.

    Attributes:
        name: of the card; folders of results are called by it.
        title: a heading for reports; left out: the name.
        summary: a sentence or two on what was recorded.
        licence: of the data.
        url: where it is described.
        citation: of the paper that introduces it.
        obtain: how one gets the files.
        planted: an import path whose `generate(card, out, *, seed)` writes synthetic recordings that the reader reads;
            none: there are none.
        files: names of files that the reader reads, where they differ from its defaults.
        reader: an import path, ``"package.module"``, with `find` and `read`.
        grouping: level -> fields, see above.
        graph: whose nodes are N.
        axes: of a sample.
        classes: in the order of the labels.
        protocols: name -> protocol, such as ``"xsub"``.

    Example:
        >>> card = dataset_card("ntu")
        >>> card.axes.channels, len(card.graph.nodes), sorted(card.protocols)
        (['x', 'y', 'z'], 25, ['xsub', 'xview'])
        >>> card.class_names[:2]
        ['drink water', 'eat meal']
    """

    # An import path, as text: reading a card imports no reader and no generator.
    reader: str = Field(examples=['reader = "stexplain.data.readers.ntu_skeleton"'])
    # Outermost first: the first is what intervals and tests take for independent.
    grouping: dict[str, list[str]] = Field(default_factory=dict)
    graph: GraphPart = Field(
        examples=['graph = "coco-17", or [graph] with nodes = ["hip", "knee"] and edges = [["knee", "hip"]]']
    )
    axes: AxesPart = Field(examples=['[axes] with channels = ["x", "y", "z"]'])
    classes: list[ClassPart] = Field(examples=['classes = ["walk", "run"]'])
    protocols: dict[str, Protocol] = Field(
        examples=[
            '[protocols.xsub] with title = "cross-subject", train = { field = "subject", values = [1, 2, 3] } and '
            'validation = { field = "subject", values = [3] }'
        ]
    )

    @model_validator(mode="after")
    def _grouping(self) -> "DatasetCard":
        # What a protocol keeps apart is what its author took for dependent. An empty table says that nothing is.
        if "grouping" not in self.model_fields_set and any(
            part.field == "subject" for one in self.protocols.values() for part in (one.train, one.validation)
        ):
            self.grouping["subject"] = ["subject"]
        return self

    @field_validator("classes", mode="before")
    @classmethod
    def _named_classes(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"id": entry, "name": entry} if isinstance(entry, str) else entry for entry in value]

    @property
    def store(self) -> Path | None:
        """The prepared store whose own card this is: the folder of the card; none of a card that is in no store."""
        home = self.path.parent
        return home if (home / "store.json").is_file() else None

    @property
    def class_names(self) -> list[str]:
        """The names of the classes; the index in this list is the label."""
        return [entry.name for entry in self.classes]


def dataset_card(card: "str | Path | DatasetCard") -> DatasetCard:
    """The dataset card of this name, or at this path: of recordings, not of a series (see `series_card`).

    Args:
        card: a bundled name, a path to a card's file or folder, or a card, which is returned unchanged.

    Raises:
        CardError: where there is none, or it is invalid; with the file, the field and the remedy.

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
    # Both kinds are in datasets/: without this check the error would be a list of all missing fields.
    if is_series_card(card):
        raise CardError(
            f"card: got {str(card)!r}, a series; expected a dataset of recordings with classes. load_dataset reads "
            "both; series_card reads this one."
        )
    return load_card("datasets", card, DatasetCard)


def is_series_card(card: "str | Path") -> bool:
    """Whether the dataset card of this name, or at this path, is of a series: whether it has a table [series].

    Args:
        card: a bundled name, or a path to a card's file or folder.

    Raises:
        CardError: where there is none, or it is not TOML.

    Example:
        >>> is_series_card("ntu")
        False
    """
    # Before validation: which class validates the card depends on the answer.
    return "series" in card_values(card_path("datasets", card))
