"""Samples as a model gets them: in its layout, on its device, with their masks and further arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.axes import Layout
from stexplain.checking.values import dense, for_torch
from stexplain.data.baselines.window_history import WindowHistory
from stexplain.data.samples import Batch, Sample
from stexplain.data.times.measured import UNMEASURED, Measured
from stexplain.errors import InputError, unknown
from stexplain.explainers.model.arguments.values import along, repeated, rows_of, to_model
from stexplain.explainers.model.arguments.whole_batch import Way, cut_shared, repeat_shared
from stexplain.wording import an

Signals = Tensor | NDArray[Any] | Sample | Batch
Streams = Mapping[str, Tensor | NDArray[Any]]
"""Several tensors of signals by name; see `inputs.streams`."""


@dataclass(frozen=True)
class ModelInput:
    """Samples to be explained.

    Attributes:
        x: in the layout of the model's input.
        valid: the padding mask, ``[B, M, T]``, bool, or none: all frames are valid.
        sizes: of the axes b, m, t, n, c.
        ids: B names; empty strings where there are none.
        observed: the missing-value mask, ``[B, M, T, N]``, bool, or none: all of the valid frames are observed.
        shared: further arguments of the model's forward, the same for all samples.
        per_sample: further arguments of the model's forward that have an entry per sample along their first axis.
        channel_names: C names, where known; else empty.
        way: how `shared` follows rows and copies of the samples.
        noticed: whether `valid` was not given, but follows from padding that was noticed.
        measured: the units of the channels and the frame rate, where the source says them.
        timestamps: the moment of each sample's first frame, ``[B]``, where it is known; else none.
        history: of windows, what their nodes usually measure, where it is known; else none.
    """

    x: Tensor
    valid: Tensor | None
    sizes: dict[str, int]
    ids: tuple[str, ...]
    observed: Tensor | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)
    per_sample: Mapping[str, Any] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    way: Way = Way.AS_THEY_ARE
    noticed: bool = False
    measured: Measured = UNMEASURED
    timestamps: pd.DatetimeIndex | None = None
    history: WindowHistory | None = None

    @property
    def known_valid(self) -> Tensor:
        """`valid`, or all true, ``[B, M, T]``."""
        if self.valid is not None:
            return self.valid
        return torch.ones([self.sizes[axis] for axis in "bmt"], dtype=torch.bool, device=self.x.device)

    @property
    def observed_positions(self) -> Tensor:
        """Which positions hold an observation, ``[B, M, T, N]``, bool: valid and not missing."""
        present = self.known_valid[..., None].expand(*self.known_valid.shape, self.sizes["n"])
        return present if self.observed is None else present & self.observed

    def in_type(self, dtype: torch.dtype) -> "ModelInput":
        """The same samples and arguments in another floating type."""
        if self.x.dtype == dtype:
            return self
        shared, per_sample = (
            {name: to_model(value, self.x.device, dtype) for name, value in arguments.items()}
            for arguments in (self.shared, self.per_sample)
        )
        return replace(self, x=self.x.to(dtype), shared=shared, per_sample=per_sample)

    def channels(self, signals: Sequence[int | str]) -> list[int]:
        """The indices of channels that are given by index or name; see `channel_index`."""
        return [channel_index(which, self) for which in signals]

    def rows(self, rows: slice, layout: Layout) -> "ModelInput":
        """Some of the samples.

        Args:
            rows: which, with start and stop.
            layout: of the model's input.
        """
        count = rows.stop - rows.start
        if count == self.sizes["b"]:
            return self
        # By way of [B, M, T, N, C]: the batch axis of the model's layout may be folded with another, or not be first.
        return replace(
            self,
            x=layout.from_batch(layout.to_batch(self.x, **self.sizes)[rows]),
            valid=None if self.valid is None else self.valid[rows],
            sizes={**self.sizes, "b": count},
            ids=self.ids[rows],
            history=None if self.history is None else self.history[rows],
            timestamps=None if self.timestamps is None else self.timestamps[rows],
            observed=None if self.observed is None else self.observed[rows],
            shared=cut_shared(self.shared, rows, self.sizes, self.way),
            per_sample={name: rows_of(value, rows, self.sizes["b"]) for name, value in self.per_sample.items()},
        )

    def repeated(self, x: Tensor, copies: int) -> "ModelInput":
        """Copies of the samples, one whole batch after the other, with other signals.

        Args:
            x: the signals of all copies, in the model's layout.
            copies: how many, K.
        """

        # Copy by copy: reshaping to [K, B, ...] gives back the copies.
        def repeat(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else along(tensor, copies)

        return replace(
            self,
            x=x,
            valid=repeat(self.valid),
            observed=repeat(self.observed),
            sizes={**self.sizes, "b": self.sizes["b"] * copies},
            ids=self.ids * copies,
            history=None if self.history is None else self.history.repeated(copies),
            timestamps=None if self.timestamps is None else self.timestamps[list(range(len(self.ids))) * copies],
            shared=repeat_shared(self.shared, copies, self.sizes, self.way),
            per_sample={name: repeated(value, copies, self.sizes["b"]) for name, value in self.per_sample.items()},
        )


def channel_index(which: Any, model_input: ModelInput, argument: str = "signals") -> int:
    """A channel that an argument names, by index or name, as an index.

    Raises:
        InputError: where there is no such channel.
    """
    channels, names = model_input.sizes["c"], model_input.channel_names
    if isinstance(which, str):
        if which not in names:
            raise unknown(f"channel in `{argument}`", which, names)
        return names.index(which)
    if not isinstance(which, int) or isinstance(which, bool) or not -channels <= which < channels:
        raise InputError(f"{argument}: got {which!r}; expected channels from 0 to {channels - 1}, or their names.")
    return which % channels


def as_tensor(x: Any) -> Tensor:
    """Signals as a tensor that shares no gradient, and no memory with a file, with what the caller gave.

    Raises:
        InputError: where x is no tensor or array, or not of floating type.

    Example:
        >>> as_tensor(np.ones(2))
        tensor([1., 1.], dtype=torch.float64)
    """
    if not isinstance(x, Tensor | np.ndarray):
        raise InputError(
            f"x: got {an(type(x).__name__)}; expected a tensor, an array, a Sample or a Batch.{_conversion_hint(x)}"
        )
    if isinstance(x, np.ndarray) and x.dtype.kind not in "biufc":
        raise InputError(f"x: got an array of type {x.dtype}; expected a floating type. Use x.astype(float).")
    if isinstance(x, Tensor):
        dense("x", x)
    # An array is copied: it may be a read-only view of a file. It stays on the CPU, whatever torch's default device is.
    signals = torch.from_numpy(for_torch(x).copy()) if isinstance(x, np.ndarray) else x.detach()
    if not signals.numel():
        raise InputError(
            f"x has shape {tuple(signals.shape)}: there is nothing to explain. Give at least one sample, with a frame, "
            "a node and a channel."
        )
    if not signals.is_floating_point():
        raise InputError(
            f"x: got type {str(signals.dtype).removeprefix('torch.')}; expected a floating type. Use x.float(). "
            "Whole numbers that the model looks up belong in per_sample=, or in a channel that it converts by .long()."
        )
    return signals


def _conversion_hint(x: Any) -> str:
    """How to get samples from something that holds them, or is a table of them."""
    if isinstance(x, str | PathLike):
        return " Read it first: load_skeletons(path), load_sensors(path), load_eeg(path) or load_regions(path)."
    if hasattr(x, "ndata") and hasattr(x, "num_nodes"):
        # A batch of DGL says how many graphs it holds.
        several = getattr(x, "batch_size", 1) > 1
        key = repr(next(iter(x.ndata), "feat"))
        of_one = ", graph=STGraph.from_dgl(one)" if several else ", graph=STGraph.from_dgl(graph)"
        return (
            f" Of a DGLGraph give its signals, which forward must take beside the graph: graph.ndata[{key}], "
            f"inputs='{'(b n)' if several else 'n'} t c' or how their axes are laid out, shared={{'g': graph}} by the "
            f"name in forward{of_one}."
        )
    if hasattr(x, "edge_index"):
        # Of a Batch of PyTorch Geometric, `batch` says which graph a node is of.
        return (
            " Of PyTorch Geometric give its tensors: data.x, inputs='(b n) c' or how its columns are laid out, "
            "graph=STGraph.from_pyg(data) of one sample, and shared={'edge_index': data.edge_index, "
            "'batch': data.batch}, by the names of forward."
        )
    # A dictionary of tensors is read as streams.
    if hasattr(x, "node_types"):
        return (
            " Of nodes of several kinds one kind is explained at a time: give its tensor, and in place of the model a "
            "torch.nn.Module that takes this tensor and calls the model with all kinds."
        )
    # By what it can do, not by type: Clips, WindowedSeries and subsets of them all have `batch`.
    if hasattr(x, "batch"):
        return " Give some of its samples: .batch(range(8)), or one: [0]."
    if isinstance(x, list | tuple) and x and all(isinstance(one, Sample) for one in x):
        return " Give Batch.of(*samples)."
    if isinstance(x, list | tuple) and x and all(isinstance(one, Tensor) for one in x):
        return (
            " Of one tensor for each frame give torch.stack(x, 1), and its layout by `inputs`, such as "
            f"{'b t n' if x[0].ndim < 3 else 'b t n c'!r}. Where the model takes the list itself, give a "
            "torch.nn.Module around it that hands on x.unbind(1)."
        )
    if not hasattr(x, "to_numpy"):
        return ""
    return (
        " Of a table of times x nodes give windows: WindowedSeries(table, window=12, horizon=12, graph=graph)"
        ".batch([0]). Of any other give .to_numpy(), and its layout by `inputs`."
    )
