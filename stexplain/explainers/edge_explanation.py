"""The result of edge importance: a number per sample and edge, with the nodes that the edge connects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.result import Charted, drawn
from stexplain.wording import counted


@dataclass(frozen=True)
class EdgeFrames:
    """Importance of the edges of one block at each frame.

    Attributes:
        frames: the frame that each position of the block stands for, ``[F]``; a half lies between two frames.
        values: signed importance, ``[B, F, E]``, float32; the edges are those of the block, in their order.
    """

    frames: NDArray[np.float64]
    values: NDArray[np.float32]


@checked
@dataclass(frozen=True, repr=False)
class EdgeExplanation(Charted):
    """Importance of the edges of every block and relation, for a batch of samples.

    Attributes:
        values: signed importance, ``[B, E]``, float32, in the units of the score: sums over frames and instances.
        source: the node that sends messages over each edge, ``[E]``.
        target: the node that receives them, ``[E]``.
        relation: of each edge, ``[E]``.
        block: the layer or the tensor that holds the weight of each edge, ``[E]``.
        score: the model's score of the target, ``[B]``, float32.
        targets: the class that was explained, ``[B]``, int64; -1 where it is none.
        explained: the target in words.
        ids: the names of the samples.
        node_names: of all nodes, in their order.
        over_time: importance at each frame, by block; a block whose messages have no known frame is not there.
        notes: what there is to know about the result, a sentence each.
        made_by: how it was made, by name, as of an `Explanation`; a ``.parquet`` file of its table keeps it in the
            table's ``attrs``, a ``.csv`` file does not hold it.

    Raises:
        InputError: where lengths do not fit each other.

    Example:
        >>> e = EdgeExplanation(np.array([[1.0, -3.0]]), ("a", "b"), ("b", "a"), ("out", "in"), ("1", "1"))
        >>> e.edges()
          source target relation block  value
        0      a      b      out     1    1.0
        1      b      a       in     1   -3.0
        >>> e.pairs()
          source target  value
        0      a      b   -2.0
        >>> e.to_frame()[["sample", "source", "target", "importance"]].values.tolist()
        [[0, 'a', 'b', 1.0], [0, 'b', 'a', -3.0]]
    """

    values: NDArray[np.float32]
    source: tuple[str, ...]
    target: tuple[str, ...]
    relation: tuple[str, ...]
    block: tuple[str, ...]
    score: NDArray[np.float32] | None = None
    targets: NDArray[np.int64] | None = None
    explained: str = ""
    ids: tuple[str, ...] = ()
    node_names: tuple[str, ...] = ()
    over_time: Mapping[str, EdgeFrames] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    made_by: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        # The class is frozen: fields are filled in by object's own setter.
        object.__setattr__(self, "values", np.asarray(self.values, np.float32))
        if self.values.ndim != 2:
            raise InputError(f"values has shape {self.values.shape}; expected [samples, edges].")
        samples, edges = self.values.shape
        object.__setattr__(self, "ids", tuple(self.ids) or ("",) * samples)
        names = tuple(self.node_names) or tuple(dict.fromkeys([*self.source, *self.target]))
        object.__setattr__(self, "node_names", names)
        for name in ("source", "target", "relation", "block"):
            if len(getattr(self, name)) != edges:
                raise InputError(
                    f"{name} has {counted(len(getattr(self, name)), 'entry', 'entries')}; expected {edges}, one "
                    "per edge."
                )
        for name in ("ids", "score", "targets"):
            if (value := getattr(self, name)) is not None:
                check_shape(name, np.shape(value), "b", b=samples)

        for block, part in self.over_time.items():
            own = self.block.count(block)
            check_shape(f"over_time[{block!r}]", part.values.shape, "b t n", b=samples, t=len(part.frames), n=own)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        pairs = self.pairs()
        ends = zip(pairs["source"].tolist(), pairs["target"].tolist(), pairs["value"].tolist(), strict=True)
        # Of no class, as of a forecast, what lowers the score matters as what raises it does.
        of_class = self.targets is None or bool((self.targets >= 0).all())
        sized = [(value if of_class else abs(value), a, b) for a, b, value in ends]
        # Without self loops, which say nothing about how nodes are connected.
        top = sorted(((value, a, b) for value, a, b in sized if value > 0 and a != b), reverse=True)[:3]
        named = ", ".join(f"{a} - {b}" for _, a, b in top) or "none"
        samples, edges, blocks = (
            f"{number} {noun}{'' if number == 1 else 's'}"
            for number, noun in ((len(self), "sample"), (len(self.source), "edge"), (len(set(self.block)), "block"))
        )
        # A map that leaves something out says so wherever it is shown.
        notes = f". {' '.join(self.notes)}" if self.notes else ""
        return (
            f"<EdgeExplanation of {self.explained or 'unknown target'} in {samples}: "
            f"{edges} of {blocks}; most important: {named}{notes}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows, offline: what it is, and its most important edges."""
        from stexplain.explainers.display import edges_html

        return edges_html(self)

    def plot(self, sample: int = 0, **options: Any) -> Any:
        """The chart of one sample: `stexplain.viz.edge_timeline`, or with a graph `stexplain.viz.edge_network`.

        Args:
            sample: its index.
            **options: of that function; with ``graph=`` of `edge_network`, which places the nodes.

        Raises:
            InputError: where there is no such sample, an option does not fit, or no frame is known and no graph given.
        """
        if "graph" in options:
            return drawn("edge_network", self, options.pop("graph"), sample=sample, **options)
        return drawn("edge_timeline", self, sample=sample, **options)

    def edges(self, sample: int | None = None) -> pd.DataFrame:
        """A row per edge of each block and relation: ``source, target, relation, block, value``.

        Args:
            sample: whose values are given; default: the sums over all samples.

        Raises:
            InputError: where there is no such sample.
        """
        if sample is not None and not 0 <= sample < len(self):
            raise InputError(f"sample: got {sample}; expected 0 to {len(self) - 1}.")
        columns = {name: getattr(self, name) for name in ("source", "target", "relation", "block")}
        summed = self.values.sum(0, dtype=np.float64)
        return pd.DataFrame({**columns, "value": summed if sample is None else self.values[sample].astype(np.float64)})

    def to_frame(self) -> pd.DataFrame:
        """A row per sample, frame and edge whose importance is not zero.

        Returns:
            Columns ``sample`` (the name; the number where samples have no names), ``frame`` (missing where the messages
            of a block have no known frame), ``source, target, importance, block, relation``. Importance is signed, in
            the units of the score.
        """
        names = (self.source, self.target, self.relation, self.block)
        source, target, relation, blocks = (np.asarray(each, dtype=object) for each in names)
        samples = np.asarray(self.ids if any(self.ids) else range(len(self)))
        parts = []
        for block in dict.fromkeys(self.block):
            edges = np.asarray([index for index, name in enumerate(self.block) if name == block])
            part = self.over_time.get(block)
            values = self.values[:, None, edges] if part is None else part.values
            sample, position, edge = np.nonzero(values)
            frame = np.full(len(position), np.nan) if part is None else part.frames[position]
            own = edges[edge]
            parts.append((samples[sample], frame, source[own], target[own], values[sample, position, edge], own))
        columns = [np.concatenate(each) for each in zip(*parts, strict=True)] if parts else [np.zeros(0)] * 6
        frames = pd.Series(columns[1])
        whole = frames.isna() | (frames == frames.round())
        return pd.DataFrame(
            {
                "sample": columns[0],
                # Integers where all are; a frame may be missing, or lie half between two.
                "frame": frames.astype("int64" if not frames.isna().any() else "Int64") if whole.all() else frames,
                "source": columns[2],
                "target": columns[3],
                "importance": columns[4].astype(np.float64),
                "block": blocks[columns[5].astype(int)],
                "relation": relation[columns[5].astype(int)],
            }
        )

    def pairs(self, sample: int | None = None) -> pd.DataFrame:
        """A row per pair of nodes: the sum over blocks, relations and both directions, ``source, target, value``.

        The node of each pair that comes first in the graph is its source here; a self loop is a pair of its own.

        Args:
            sample: as for `edges`.

        Raises:
            InputError: where there is no such sample.
        """
        table = self.edges(sample)
        index = {name: number for number, name in enumerate(self.node_names)}
        listed = [[index[a], index[b]] for a, b in zip(self.source, self.target, strict=True)]
        # Sorting both ends makes one pair of both directions. The reshape is for no edges at all.
        ends = np.sort(np.array(listed, np.int64).reshape(-1, 2), axis=1)
        sums = table["value"].groupby([ends[:, 0], ends[:, 1]]).sum()
        first, second = (sums.index.get_level_values(level) for level in (0, 1))
        names = np.asarray(self.node_names, dtype=object)
        return pd.DataFrame({"source": names[first], "target": names[second], "value": sums.to_numpy()})

    def by_frame(self, sample: int) -> pd.DataFrame:
        """A row per edge and a column per frame: sums over relations and over the blocks whose frames are known.

        Args:
            sample: whose values are given.

        Returns:
            Importance, indexed by ``source`` and ``target``; a self loop is an edge of its own. Blocks stand for other
            frames where convolutions between them are not padded.

        Raises:
            InputError: where there is no such sample, or no block has known frames.
        """
        if not 0 <= sample < len(self):
            raise InputError(f"sample: got {sample}; expected 0 to {len(self) - 1}.")
        if not self.over_time:
            raise InputError(
                "the explanation has no block whose frames are known. Use `edges()`, with sums over all frames."
            )
        frames = np.unique(np.concatenate([part.frames for part in self.over_time.values()]))
        rows: dict[tuple[str, str], NDArray[np.float64]] = {}
        for block, part in self.over_time.items():
            at = np.searchsorted(frames, part.frames)
            own = [number for number, name in enumerate(self.block) if name == block]
            for number, values in zip(own, part.values[sample].T, strict=True):
                # A frame that a block does not reach adds nothing.
                row = rows.setdefault((self.source[number], self.target[number]), np.zeros(len(frames)))
                row[at] += values
        index = pd.MultiIndex.from_tuples(list(rows), names=["source", "target"])
        return pd.DataFrame(np.array(list(rows.values())), index, pd.Index(frames, name="frame"))
