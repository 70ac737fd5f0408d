"""Clips: recordings seen through a recipe's sampling, as samples and batches."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.cards import DatasetCard, Recipe
from stexplain.data.samples import Batch, Sample, Sampled, check_finite
from stexplain.data.store.prepared import Rows
from stexplain.data.transforms import draw, placed, sampled, timeline
from stexplain.errors import InputError
from stexplain.graph import STGraph


class Clips:
    """Recordings of a dataset, sampled to one length. Nothing is read before a sample or a batch is asked for.

    Made by `load_dataset`, or by `Clips.from_arrays`.

    Attributes:
        classes: names of the classes; labels index them.
        graph: of every clip.
        channels: names of the channels.
        instances: M of every clip.
        recipe: which sampling, centring and augmentation; none: clips as recorded, each at its own length.
        card: of the dataset; none for a user's own arrays.
    """

    def __init__(
        self,
        rows: Rows,
        table: pd.DataFrame,
        *,
        classes: Sequence[str],
        graph: STGraph,
        channels: Sequence[str],
        instances: int,
        recipe: Recipe | None = None,
        card: DatasetCard | None = None,
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        self.classes = list(classes)
        self.graph = graph
        self.channels = list(channels)
        self.instances = instances
        if recipe is not None and not isinstance(recipe, Recipe):
            raise InputError(
                f"the recipe is {recipe!r}; wanted a Recipe. Give model.recipe, or "
                f"model_card(NAME).recipe({str(recipe)!r})."
            )
        self.recipe = recipe
        self.card = card
        self._rows = rows
        self._table = table
        self._chosen = np.arange(len(table)) if chosen is None else chosen
        self._center = None if graph.center is None else graph.index(graph.center)
        self._vertical = self._horizontal_channels()

    @classmethod
    def from_arrays(
        cls,
        x: Sequence[ArrayLike] | NDArray[Any],
        labels: Sequence[int] | NDArray[Any] | None = None,
        *,
        graph: STGraph,
        classes: Sequence[str] = (),
        valid: Sequence[ArrayLike] | NDArray[Any] | None = None,
        ids: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        fields: Mapping[str, Sequence[Any]] | None = None,
        recipe: Recipe | None = None,
    ) -> "Clips":
        """Clips of a user's own arrays.

        Args:
            x: n arrays ``[M, T, N, C]``, of any length; M may differ too.
            labels: n classes; none: -1 for all.
            graph: whose nodes are N.
            classes: their names; none: "class 0" and so on.
            valid: n arrays ``[M, T]``, bool; none: all frames are valid.
            ids: n names; none: numbers.
            channels: names of the C channels; none: "channel 0" and so on.
            fields: further columns, n values each.
            recipe: see the class.

        Raises:
            InputError: where shapes or counts do not fit, or a valid value is not finite.

        Example:
            >>> graph = STGraph.from_edges(["a", "b"], [("a", "b")])
            >>> clips = Clips.from_arrays([np.ones((1, 5, 2, 3)), np.ones((1, 8, 2, 3))], [0, 1], graph=graph)
            >>> len(clips), clips[1].x.shape, tuple(clips.batch([0, 1]).x.shape)
            (2, (1, 8, 2, 3), (2, 1, 8, 2, 3))
        """
        values = [np.asarray(item, np.float32) for item in x]
        if not values:
            raise InputError("no clips came; wanted at least one array [M, T, N, C].")
        there = (
            [np.ones(value.shape[:2], bool) for value in values]
            if valid is None
            else [np.asarray(item, bool) for item in valid]
        )
        known = {"labels": labels, "valid": valid, "ids": ids, **(fields or {})}
        for name, column in known.items():
            if column is not None and len(column) != len(values):
                raise InputError(f"{len(column)} {name} came for {len(values)} clips; wanted one each.")
        count = values[0].shape[-1]
        for number, (value, mask) in enumerate(zip(values, there, strict=True)):
            sizes = check_shape(f"x[{number}]", value.shape, "m t n c", n=len(graph), c=count)
            check_shape(f"valid[{number}]", mask.shape, "m t", m=sizes["m"], t=sizes["t"])
            check_finite(f"x[{number}]", value[mask])
        label = np.full(len(values), -1) if labels is None else np.asarray(labels, np.int64)
        names = list(classes) or [f"class {number}" for number in range(int(label.max()) + 1)]
        if label.max(initial=-1) >= len(names) or label.min(initial=0) < -1:
            raise InputError(f"labels lie in {label.min()} to {label.max()}; wanted 0 to {len(names) - 1}, or -1.")
        instances = np.array([value.shape[0] for value in values], np.int64)
        frames = np.array([value.shape[1] for value in values], np.int64)
        rows = Rows(
            np.concatenate([np.where(m[:, :, None, None], v, 0).reshape(-1, *v.shape[2:])
                            for v, m in zip(values, there, strict=True)]),
            np.concatenate([mask.reshape(-1) for mask in there]), None,
            np.cumsum([0, *(instances * frames)[:-1]]), instances, frames,
        )  # fmt: skip
        table = pd.DataFrame(
            {"id": list(ids) if ids is not None else [str(number) for number in range(len(values))], "label": label}
        ).assign(frames=frames, instances=instances, **{name: list(column) for name, column in (fields or {}).items()})
        named = list(channels) if channels is not None else [f"channel {number}" for number in range(count)]
        most = int(instances.max())
        return cls(rows, table, classes=names, graph=graph, channels=named, instances=most, recipe=recipe)

    def __len__(self) -> int:
        return len(self._chosen)

    def __repr__(self) -> str:
        what = self.card.name if self.card is not None else "arrays"
        how = f"{self.recipe.sampling} to {self.recipe.frames} frames" if self.recipe else "as recorded"
        return f"Clips({len(self)} of {what}, {len(self.classes)} classes, {how})"

    @property
    def frames(self) -> int:
        """T of every clip; without a recipe, of the longest."""
        return self.recipe.clip_frames if self.recipe else int(self._rows.frames[self._chosen].max(initial=0))

    @cached_property
    def table(self) -> pd.DataFrame:
        """What is known of each clip: id, label, frames as recorded, and the dataset's fields."""
        return self._table.iloc[self._chosen].drop(columns="offset", errors="ignore").reset_index(drop=True)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each clip, ``[n]``; -1 where there is none."""
        return self._table["label"].to_numpy(np.int64)[self._chosen]

    @cached_property
    def ids(self) -> list[str]:
        """The name of each clip."""
        return [str(name) for name in self._table["id"].to_numpy()[self._chosen]]

    @property
    def planted(self) -> bool:
        """Whether batches carry a planted truth."""
        return self._rows.truth is not None

    def __getitem__(self, index: int) -> Sample:
        """One clip, not augmented. Without a recipe it has the length that it was recorded in."""
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"clip {index} of {size}")
        number = int(index) % size
        x, valid, truth = self._arrays(self._chosen[[number]], None)
        row = {str(name): value for name, value in self.table.iloc[number].to_dict().items()}
        return Sample(
            x=x[0], valid=valid[0], label=int(row.pop("label")), id=str(row.pop("id")),
            truth=None if truth is None else truth[0], fields=row, sampled=self._sampled([number]),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def batch(
        self, indices: Sequence[int] | NDArray[Any] | slice, generator: np.random.Generator | None = None
    ) -> Batch:
        """Clips of these indices, as a batch.

        Args:
            indices: into the clips.
            generator: of the recipe's augmentation; none: no augmentation.

        Raises:
            InputError: where an index is out of range, or the recipe cannot be applied to these clips.
        """
        picked = self._picked(indices)
        chosen = self._chosen[picked]
        x, valid, truth = self._arrays(chosen, generator)
        return Batch(
            x=torch.from_numpy(x),
            valid=torch.from_numpy(valid),
            label=torch.from_numpy(self.labels[picked]),
            ids=tuple(self.ids[number] for number in picked),
            truth=None if truth is None else torch.from_numpy(truth),
            sampled=self._sampled(picked),
        )

    def batches(self, size: int) -> Iterator[Batch]:
        """All clips in order, in batches of `size`; the last may be smaller."""
        if size < 1:
            raise InputError(f"a batch size of {size} came; wanted at least 1.")
        return (self.batch(slice(start, start + size)) for start in range(0, len(self), size))

    def subset(self, indices: Sequence[int] | NDArray[Any] | slice) -> "Clips":
        """The clips of these indices (or of a bool mask), in this order."""
        return self._with(chosen=self._chosen[self._picked(indices)])

    def with_recipe(self, recipe: Recipe | None) -> "Clips":
        """The same clips in another sampling."""
        return self._with(recipe=recipe)

    def _with(self, **changes: Any) -> "Clips":
        kept = {
            "classes": self.classes, "graph": self.graph, "channels": self.channels, "instances": self.instances,
            "recipe": self.recipe, "card": self.card, "chosen": self._chosen,
        }  # fmt: skip
        return Clips(self._rows, self._table, **{**kept, **changes})

    def _sampled(self, picked: Sequence[int] | NDArray[np.int64]) -> Sampled:
        return Sampled(self.recipe, lambda recipe: self.with_recipe(recipe).batch(picked))

    def _picked(self, indices: Sequence[int] | NDArray[Any] | slice) -> NDArray[np.int64]:
        every = np.arange(len(self))
        if isinstance(indices, slice):
            return every[indices]
        picked = np.asarray(indices)
        if picked.size == 0:
            return every[:0]
        if picked.dtype != bool and not np.issubdtype(picked.dtype, np.integer):
            raise InputError(f"indices of type {picked.dtype} came; wanted integers, a bool mask or a slice.")
        try:
            return np.asarray(every[picked.reshape(-1)])
        except IndexError as error:
            raise InputError(f"{error}. There are {len(self)} clips.") from None

    def _arrays(
        self, chosen: NDArray[np.int64], generator: np.random.Generator | None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_] | None]:
        recipe = self.recipe
        change = None if generator is None or recipe is None else draw(recipe.augment, len(chosen), generator)
        plan = timeline(self._rows, chosen, recipe, change)
        x, valid, truth = sampled(self._rows, chosen, self.instances, plan)
        if recipe is None:
            return x, valid, truth
        if recipe.augment.rotate and self._vertical is None:
            raise InputError(
                f"the recipe turns clips about the vertical, but the channels are {', '.join(self.channels)}; wanted "
                "x, y (up) and z among them. Set `rotate` to 0."
            )
        remove = recipe.center == "first"
        x = placed(x, valid, center=self._center, remove=remove, vertical=self._vertical, change=change)
        return x, valid, truth

    def _horizontal_channels(self) -> tuple[int, int] | None:
        if {"x", "y", "z"} <= set(self.channels):
            return self.channels.index("x"), self.channels.index("z")
        return None
