"""The result of an explainer: importance over node x time, with all that is needed to interpret it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import DataError, InputError, unknown
from stexplain.explainers.display import Shown
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.results.fields import fill_in
from stexplain.explainers.results.in_words import in_words
from stexplain.explainers.results.units import unit_of
from stexplain.explainers.saving.tidy import moments, tidy
from stexplain.reading import given_path

if TYPE_CHECKING:
    import xarray

    from stexplain.explainers.results.calibration import Calibration
    from stexplain.graph import STGraph

# A default that `__post_init__` replaces, as it depends on the shape of the values.
_UNSET: Any = None


@checked
@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """Importance of every node at every frame, for a batch of samples.

    Attributes:
        values: signed importance ``[B, M, T, N]``, float32; zero where not valid. Comparable within a sample, and
            between samples of one model, layer and method.
        valid: the padding mask, which frames of which instance hold observations, ``[B, M, T]``, bool.
        node_names: the names of the nodes; "0", "1", ... where they have none.
        time: of each frame, ``[T]``; frame numbers unless given otherwise.
        time_unit: of `time`: ``"frame"``, or ``"s"`` where the data says its frame rate. The seconds of windows of a
            series end with 0, the last observation.
        method: its name, with the settings that differ from its defaults in brackets.
        target: what was explained, in words.
        targets: the class that was explained, ``[B]`` int64; -1 where it is none.
        score: the model's score of the target, ``[B]`` float32; NaN where no model was called.
        ids: the names of the samples; empty strings where they have none.
        classes: the names of the classes, where known.
        layer: the layer that was explained; empty: the input.
        layer_values: signed importance at the layer's own resolution, ``[B, M, T', N]`` float32, padding included: it
            sums to y - b under global average pooling and a linear head. None where the method works on the input.
        stride: frames from one position of the layer to the next.
        padding_share: the share of ``|H|`` on padding and absent instances, which was excluded, ``[B]``, in [0, 1].
        graph: edges, groups and drawing positions of the nodes, where known.
        extra: further numbers of a method, one per sample, by name, each ``[B]`` float32, such as
            ``"convergence_delta"``.
        channels: signed importance of every channel, ``[B, M, T, N, C]`` float32, where the method knows it; zero where
            not valid. Zero too for channels that are indices, such as a time of day.
        channel_names: the names of the channels; "0", "1", ... where they have none.
        reduce: how `values` follows from `channels`, in words; empty where there are none.
        measures: what values are in: ``"score"`` (contributions add up to differences of scores), ``"size of score"``
            (how far the score moves, whichever way), ``"score per input"`` (gradients), ``"share"`` (of a mask, in
            [0, 1]); empty: nothing that can be named.
        standard_error: of each value, ``[B, M, T, N]`` float32, where the method draws at random: how far it would move
            if it were drawn again. Zero where not valid. None where nothing is drawn, or it is not known.
        notes: what there is to know about the result, a sentence each, such as that a layer has no nodes.
        observed: the missing-value mask, ``[B, M, T, N]``, bool; none: all that is valid was observed.
        call: how the model was called; none where none was, from a file, or joined of parts that were called unlike.
        output_unit: of the score, such as ``"mph"`` of a forecast; empty: not known, or logits, which have none.
        channel_units: of each channel of the input, where the samples say it; empty text for one without.
        timestamps: the moment of each sample's first frame, ``[B]``, where the samples say it, as windows of a series
            with times do; in that series' time zone.
        made_by: how it was made, by name, such as its ``explainer``, ``seed`` and ``versions``; empty: not known.

    Raises:
        InputError: where shapes do not fit each other.

    Example:
        >>> e = Explanation(np.array([[[[1.0, -2.0], [3.0, 0.0]]]]), np.ones((1, 1, 2), bool), ("hip", "hand"))
        >>> e.importance.tolist()
        [[[[1.0, 0.0], [3.0, 0.0]]]]
        >>> e.nodes().to_dict("list")
        {'hip': [2.0], 'hand': [0.0]}
        >>> e
        <Explanation of 1 sample by unnamed method: 1 instance x 2 frames x 2 nodes; most important: hip>
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    node_names: tuple[str, ...] = ()
    time: NDArray[np.float64] = _UNSET
    time_unit: str = "frame"
    method: str = "unnamed method"
    target: str = ""
    targets: NDArray[np.int64] = _UNSET
    score: NDArray[np.float32] = _UNSET
    ids: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    layer: str = ""
    layer_values: NDArray[np.float32] | None = None
    stride: int = 1
    padding_share: NDArray[np.float32] = _UNSET
    graph: "STGraph | None" = None
    extra: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    channels: NDArray[np.float32] | None = None
    channel_names: tuple[str, ...] = ()
    reduce: str = ""
    measures: str = ""
    notes: tuple[str, ...] = ()
    observed: NDArray[np.bool_] | None = None
    standard_error: NDArray[np.float32] | None = None
    call: ModelCall | None = field(default=None, compare=False)
    output_unit: str = ""
    channel_units: tuple[str, ...] = ()
    timestamps: pd.DatetimeIndex | None = None
    made_by: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        fill_in(self)

    @property
    def importance(self) -> NDArray[np.float32]:
        """Positive evidence for the target: ReLU of the values, ``[B, M, T, N]``."""
        return np.maximum(self.values, 0)

    @property
    def signed(self) -> bool:
        """Whether values have a sign, that is whether negative ones speak against the target or lowered it.

        A mask's shares and sizes do not. Of what no unit is known for, it is read from the values.
        """
        return self.measures in ("score", "score per input") or bool((self.values < 0).any())

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which positions hold an observed value: `valid` and `observed` together, ``[B, M, T, N]``."""
        valid = np.broadcast_to(self.valid[..., None], self.values.shape)
        return valid if self.observed is None else valid & self.observed

    @property
    def node_groups(self) -> dict[str, tuple[str, ...]]:
        """The nodes of each group, such as a body part or a region; empty where the graph has none."""
        return {} if self.graph is None else {name: tuple(nodes) for name, nodes in self.graph.groups.items()}

    def unit(self, output: str = "", signal: str = "") -> str:
        """What values are in, in words: of windows of a series in its units, without an argument.

        Args:
            output: the unit of the model's output, such as ``"mph"``; empty: `output_unit`.
            signal: the unit of its input; empty: that of all `channel_units`, where it is one.

        Example:
            >>> e = Explanation(np.zeros((1, 1, 2, 1)), np.ones((1, 1, 2), bool), measures="score per input")
            >>> e.unit("mph", "mph"), e.unit()
            ('mph per mph', 'score per unit of the input')
        """
        return unit_of(self, output, signal)

    def nodes(self) -> pd.DataFrame:
        """Importance per node: the mean of ReLU of the values over the frames and instances in which it was observed.

        Returns:
            ``[B, N]``, a row per sample and a column per node; zeros for a node that was never observed.
        """
        # Gaps of a sensor are not zeros: it has fewer frames. At least one, so that none at all gives 0 and not NaN.
        weight = self.present / np.maximum(self.present.sum((1, 2), keepdims=True), 1)
        # The ReLU is taken before the mean, so evidence against the target does not cancel evidence for it.
        means = np.einsum("bmtn,bmtn->bn", self.importance, weight)
        return pd.DataFrame(
            means, index=pd.Index(self.ids, name="sample"), columns=pd.Index(self.node_names, name="node")
        )

    def select(self, share: float = 0.1, *, calibration: "Calibration | None" = None) -> NDArray[np.bool_]:
        """The most important positions, of which an expected share of at most `share` is wrong, ``[B, M, T, N]``.

        As many as the promise allows: none where not even the most important position keeps it. See `Calibration` for
        what wrong means and what is assumed.

        Args:
            share: the largest expected share of wrong members, in (0, 1).
            calibration: made of samples with a ground truth, by the same method; default: a bundled one, which was
                measured on generated data with these nodes: a warning says on which, and what it promises. Where there
                is none it is refused.

        Raises:
            InputError: where share is out of range, or no calibration fits the method.
        """
        from stexplain.explainers.results.select import selected

        return selected(self, share, calibration)

    def groups(self) -> pd.DataFrame:
        """Importance per group: the mean of `nodes` over the nodes of each group that were observed, ``[B, groups]``.

        Zero for a group of which no node was.

        Raises:
            InputError: where the graph has no groups.
        """
        if not self.node_groups:
            raise InputError("the explanation has no groups of nodes. Give the explainer a graph that has groups.")
        # A sensor that never reported tells nothing of its district: a zero would take from the others' mean.
        nodes = self.nodes().where(np.logical_or.reduce(self.present, axis=(1, 2)))
        return pd.DataFrame({name: nodes[list(of)].mean(axis=1).fillna(0.0) for name, of in self.node_groups.items()})

    def to_frame(self, *, by_channel: bool = False) -> pd.DataFrame:
        """A row per observed position: ``sample, instance, frame, time, node, value``; value is signed.

        ``time`` is in `time_unit`. Where samples say when they begin, ``timestamp`` after it is the moment of each
        frame, in the time zone of the series. ``table.attrs["units"]`` says what columns are in, such as
        ``{"time": "s", "value": "mph"}``.

        Args:
            by_channel: a row per channel of every observed position instead, which column ``channel`` names.

        Raises:
            InputError: where channels are asked of a map that has none.
        """
        names = self._named_channels() if by_channel else None
        values = self.values if self.channels is None or not by_channel else self.channels
        table = tidy(
            values,
            self.present,
            ids=self.ids,
            time=self.time,
            nodes=self.node_names,
            channels=names,
            moments=None if self.timestamps is None or self.time_unit != "s" else moments(self.timestamps, self.time),
        )
        table.attrs["units"] = {"time": self.time_unit, "value": self.unit()}
        return table

    def to_pandas(self, *, by_channel: bool = False) -> pd.DataFrame:
        """The same as `to_frame`, as xarray calls it."""
        return self.to_frame(by_channel=by_channel)

    def channel(self, which: "int | str") -> "Explanation":
        """The map of one channel, by name or index, as an explanation: its `values` are that channel's.

        Raises:
            InputError: where there is no such channel, or the map has none.
        """
        names = self._named_channels()
        index = names.index(which) if which in names else which
        if not isinstance(index, int) or not -len(names) <= index < len(names):
            raise unknown("channel", str(which), names)
        assert self.channels is not None
        chosen = [index % len(names)]
        method, channels = f"{self.method}, channel {names[chosen[0]]}", self.channels[..., chosen]
        return replace(
            self,
            method=method,
            values=channels[..., 0],
            channels=channels,
            channel_names=(names[chosen[0]],),
            channel_units=self.channel_units[chosen[0] :][:1],
            reduce="",
            # Of the whole map: they say nothing of one channel.
            layer_values=None,
            standard_error=None,
            extra={},
        )

    def _named_channels(self) -> tuple[str, ...]:
        if self.channels is None:
            raise InputError(
                f"the map by {self.method} has no channels. Use InputGradient, IntegratedGradients or GradientSHAP, or "
                "per_channel=True with Occlusion, ShapleyValueSampling, LearnedMask or TemporalRescaling."
            )
        return self.channel_names

    def to_xarray(self) -> "xarray.Dataset":
        """A dataset over sample, instance, time, node (and channel, position), with all else as attributes."""
        from stexplain.explainers.saving.dataset import to_dataset

        return to_dataset(self._fields())

    def save(self, path: "str | Path") -> None:
        """Writes a file, completely or not at all.

        Args:
            path: its ending says the format. ``.nc`` (netCDF), ``.zarr`` and ``.npz`` hold all of it, and `load` reads
                them; ``.csv`` and ``.parquet`` hold the table `to_frame`. How it was made, `made_by`, is in all but
                ``.csv``: of Parquet it is ``pandas.read_parquet(path).attrs["made_by"]``.

        Raises:
            InputError: where the ending is another.
            DataError: where it cannot be written.
        """
        from stexplain.explainers.saving.formats import save

        save(self, given_path(path, "path"))

    @classmethod
    def load(cls, path: "str | Path") -> "Explanation":
        """Reads a file that `save` wrote, ``.nc``, ``.zarr`` or ``.npz``.

        Raises:
            InputError: where the ending is another.
            DataError: where the file is missing, broken, or not an explanation.
        """
        from stexplain.explainers.saving.formats import load

        loaded = load(given_path(path, "path"))
        try:
            return cls(**loaded)
        except (TypeError, ValueError) as error:  # fields of a file that somebody else wrote
            raise DataError(f"{path}: this is not an explanation: {error}") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The values ``[B, M, T, N]``, for ``np.asarray(e)``."""
        # numpy 1 knows no copy=None, which is what asarray does.
        return np.asarray(self.values, dtype=dtype) if copy is None else np.array(self.values, dtype=dtype, copy=copy)

    def _fields(self) -> dict[str, Any]:
        """The fields by name, each as it is (`dataclasses.asdict` would copy arrays, and take the graph apart)."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: "int | slice | NDArray[Any]") -> "Explanation":
        """Some of the samples, as an explanation."""
        if isinstance(which, int | np.integer):
            if not -len(self) <= which < len(self):
                raise IndexError(f"sample: got {which}; expected {-len(self)} to {len(self) - 1}.")
            # A single sample is an explanation of one: the batch axis stays.
            which = np.asarray([which])
        # As indices, for the tuples: slices and boolean masks become rows too.
        rows = np.arange(len(self))[which]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            timestamps=None if self.timestamps is None else self.timestamps[rows],
            layer_values=None if self.layer_values is None else self.layer_values[rows],
            standard_error=None if self.standard_error is None else self.standard_error[rows],
            channels=None if self.channels is None else self.channels[rows],
            observed=None if self.observed is None else self.observed[rows],
            call=None if self.call is None else self.call.rows(rows),
            extra={name: numbers[rows] for name, numbers in self.extra.items()},
            **{name: getattr(self, name)[rows] for name in ("values", "valid", "targets", "score", "padding_share")},
        )

    def __repr__(self) -> str:
        return in_words(self)
