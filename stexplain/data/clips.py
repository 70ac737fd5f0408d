"""Clips: recordings sampled by a recipe to one length, as samples and batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from stexplain.cards import DatasetCard, Recipe
from stexplain.checking import checked, takes_masks
from stexplain.checking.labels import class_labels
from stexplain.data.content import content_hash
from stexplain.data.grouping import clip_groups, own_grouping, split_groups
from stexplain.data.indices import picked_indices, slices
from stexplain.data.samples import UNMEASURED, Batch, Measured, Sample, Sampling
from stexplain.data.store.arrays import rows_of_arrays
from stexplain.data.store.prepared import Rows
from stexplain.data.transforms import (
    center_and_augment,
    draw_augmentation,
    horizontal_channels,
    plan_frames,
    read_frames,
    sides_of,
    stream_of,
)
from stexplain.data.transforms.overlaps import with_overlaps
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.heap import settled
from stexplain.reading import naming


@checked
class Clips:
    """Recordings of a dataset, sampled to one length. Values are read when a sample or a batch is taken.

    Made by `load_dataset`, or by `Clips.from_arrays`.

    Attributes:
        classes: names of the classes; labels index them.
        graph: of every clip.
        channels: names of the channels.
        instances: M of every clip.
        recipe: which sampling, centring and augmentation; none: raw clips, each at its own length.
        card: of the dataset; none for a user's own arrays.
        store: the folder that they were loaded from; none for a user's own arrays.
        measured: units of the channels and frame rate, where the source of the arrays says them.

    Args:
        rows: the values of all recordings, end to end.
        table: the index of a store, a row per recording.
        chosen: the recordings that these clips are; none: all.

    Example:
        >>> graph = STGraph.from_edges(["hip", "foot"], [("hip", "foot")], center="hip")
        >>> clips = Clips.from_arrays(np.ones((3, 1, 20, 2, 3)), [0, 1, 1], graph=graph, classes=["sit", "walk"])
        >>> clips, clips[2].x.shape, clips.table["label"].tolist()
        (Clips(3, 2 classes, raw), (1, 20, 2, 3), [0, 1, 1])
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
        store: Path | None = None,
        measured: Measured = UNMEASURED,
    ) -> None:
        self.classes = list(classes)
        self.graph, self.measured = graph, measured
        self.channels, self.instances = list(channels), instances
        if recipe is not None and not isinstance(recipe, Recipe):
            raise InputError(
                f"recipe: got {recipe!r}; expected a Recipe. Give model.recipe, or "
                f"model_card(NAME).recipe({str(recipe)!r})."
            )
        self.recipe, self.card, self.store = recipe, card, store
        self._rows, self._table = rows, table
        # Numbers of recordings: a subset shares rows and table with the whole.
        self._chosen = np.arange(len(table)) if chosen is None else chosen
        self._center = None if graph.center is None else graph.index(graph.center)
        self._vertical = horizontal_channels(self.channels)

    @classmethod
    @takes_masks("x", in_lists=True)
    def from_arrays(
        cls,
        x: Sequence[ArrayLike] | NDArray[Any],
        labels: Sequence[int | str] | NDArray[Any] | None = None,
        *,
        graph: STGraph,
        classes: Sequence[str] = (),
        valid: Sequence[ArrayLike] | NDArray[Any] | None = None,
        observed: Sequence[ArrayLike] | NDArray[Any] | None = None,
        ids: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        fields: Mapping[str, Sequence[Any]] | None = None,
        recipe: Recipe | None = None,
        measured: Measured = UNMEASURED,
    ) -> "Clips":
        """Clips of a user's own arrays.

        Args:
            x: n arrays ``[M, T, N, C]``, of any length; M may differ too. What one masks was not observed.
            labels: n classes, by number or by name in `classes`; none: -1 for all.
            graph: whose nodes are N.
            classes: their names; none: "class 0" and so on.
            valid: n arrays ``[M, T]``, bool; none: all frames are valid.
            observed: n arrays ``[M, T, N]``, bool, which nodes were read; none: all in valid frames.
            ids: n names; none: numbers.
            channels: names of the C channels; none: "channel 0" and so on.
            fields: further columns, n values each; ``group``: which clips depend on each other; see `with_overlaps`.
            recipe: see the class.
            measured: units of the channels and frame rate, where they are known.

        Raises:
            InputError: where shapes or counts do not fit, or a valid value is not finite.

        Example:
            >>> graph = STGraph.from_edges(["a", "b"], [("a", "b")])
            >>> clips = Clips.from_arrays([np.ones((1, 5, 2, 3)), np.ones((1, 8, 2, 3))], [0, 1], graph=graph)
            >>> len(clips), clips[1].x.shape, tuple(clips.batch([0, 1]).x.shape)
            (2, (1, 8, 2, 3), (2, 1, 8, 2, 3))
        """
        rows = rows_of_arrays(x, valid, observed, graph, {"labels": labels, "ids": ids, **(fields or {})})
        size, count = len(rows.frames), rows.x.shape[-1]
        label = np.full(size, -1) if labels is None else class_labels("labels", labels, classes, lowest=-1)
        names = list(classes) or [f"class {number}" for number in range(int(label.max()) + 1)]
        table = pd.DataFrame(
            {"id": list(ids) if ids is not None else [str(number) for number in range(size)], "label": label}
        ).assign(frames=rows.frames, instances=rows.instances)
        table = with_overlaps(table.assign(**{name: list(column) for name, column in (fields or {}).items()}), rows)
        named = list(channels) if channels is not None else [f"channel {number}" for number in range(count)]
        if measured.units and len(measured.units) != count:
            raise InputError(f"measured: got {len(measured.units)} units for {count} channels; expected one each.")
        # Clips of fewer instances are padded when they are sampled.
        options: dict[str, Any] = {"instances": int(rows.instances.max()), "recipe": recipe, "measured": measured}
        return cls(rows, table, classes=names, graph=graph, channels=named, **options)

    def __len__(self) -> int:
        return len(self._chosen)

    def __repr__(self) -> str:
        how = f"{self.recipe.sampling} to {self.recipe.frames} frames" if self.recipe else "raw"
        return f"Clips({len(self)}{f' of {self.card.name}' if self.card else ''}, {len(self.classes)} classes, {how})"

    @property
    def frames(self) -> int:
        """T of every clip; without a recipe, of the longest."""
        return self.recipe.clip_frames if self.recipe else int(self._rows.frames[self._chosen].max(initial=0))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per clip: id, label, raw frames, and the dataset's fields."""
        # The offset is a place in the store, which says nothing about the clip.
        return self._table.iloc[self._chosen].drop(columns="offset", errors="ignore").reset_index(drop=True)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of each clip, ``[n]``; -1 where there is none."""
        return self._table["label"].to_numpy(np.int64)[self._chosen]

    @cached_property
    def ids(self) -> list[str]:
        """The name of each clip."""
        return [str(name) for name in self._table["id"].to_numpy()[self._chosen]]

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """The group of each clip, ``[n]``, such as ``"subject 3"``: clips of one group are not independent.

        The card says what makes a group; the outermost level counts. Of a user's own arrays it is the field ``group``
        where there is one, else every clip is a group.
        """
        return self.groups_by()

    def groups_by(self, level: str | None = None) -> NDArray[np.str_]:
        """The group of each clip at a level of the card's `grouping`, such as ``"performance"``; none: the outermost.

        Raises:
            InputError: for a level that the card does not have.
        """
        grouping = own_grouping(self._table) if self.card is None else self.card.grouping
        return clip_groups(self.table, grouping, level)

    @property
    def chosen(self) -> NDArray[np.int64]:
        """The numbers of the clips in the store or arrays that they are of, ``[n]``."""
        return self._chosen

    @property
    def _measured(self) -> Measured:
        # A recipe that samples frames leaves no frame rate that all clips share; one that turns bodies, other axes.
        return self.measured if self.recipe is None else replace(self.measured, frame_rate=None, up="")

    @property
    def planted(self) -> bool:
        """Whether batches carry a ground truth, `truth`."""
        return self._rows.truth is not None

    def __getitem__(self, index: int) -> Sample:
        """One clip, not augmented. Without a recipe it has the length of its recording."""
        size = len(self)
        if not -size <= index < size:
            # IndexError, not one of ours: Python's iteration and PyTorch's samplers end by it.
            raise IndexError(
                f"clip: got {index}; expected {-size} to {size - 1}." if size else f"clip: got {index} of none."
            )
        number = int(index) % size
        x, valid, truth, observed = self._arrays(self._chosen[[number]], None)
        row = {str(name): value for name, value in self.table.iloc[number].to_dict().items()}
        with naming(self.store):
            return Sample(
                x=x[0], valid=valid[0], label=int(row.pop("label")), id=str(row.pop("id")),
                truth=None if truth is None else truth[0], fields=row, sampling=self._sampling([number]),
                observed=None if observed is None else observed[0], channels=tuple(self.channels), graph=self.graph,
                group=str(self.groups[number]), measured=self._measured, classes=tuple(self.classes),
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
        picked = picked_indices(indices, len(self), "clips")
        chosen = self._chosen[picked]
        x, valid, truth, observed = self._arrays(chosen, generator)
        return Batch(
            x=torch.from_numpy(x),
            valid=torch.from_numpy(valid),
            label=torch.from_numpy(self.labels[picked]),
            ids=tuple(self.ids[number] for number in picked),
            truth=None if truth is None else torch.from_numpy(truth),
            observed=None if observed is None else torch.from_numpy(observed),
            sampling=self._sampling(picked),
            channels=tuple(self.channels),
            groups=tuple(self.groups[picked].tolist()),
            measured=self._measured,
            graph=self.graph,
            classes=tuple(self.classes),
        )

    def batches(self, size: int) -> Iterator[Batch]:
        """All clips in order, in batches of `size`, at least 1; the last may be smaller."""
        return (self.batch(part) for part in settled(slices(len(self), size)))

    def subset(self, indices: Sequence[int] | NDArray[Any] | slice) -> "Clips":
        """The clips of these indices (or of a bool mask), in this order."""
        return self._with(chosen=self._chosen[picked_indices(indices, len(self), "clips")])

    def split(self, test: float = 0.3, seed: int = 0) -> "tuple[Clips, Clips]":
        """Clips to train on, and a share `test` of them to test on: whole groups, drawn by `seed`."""
        tested = split_groups(self.groups, self.labels, test, seed)
        return self.subset(~tested), self.subset(tested)

    def with_recipe(self, recipe: Recipe | None) -> "Clips":
        """The same clips, sampled by another recipe."""
        return self._with(recipe=recipe)

    def counterfactual(self) -> "Clips":
        """The same clips without what makes their class: same person, views, sensor faults and distractors.

        Clip i is clip i of these, frame by frame: the same length, padding mask, label, id and ground truth, read with
        the same centring and augmentation. Outside the ground truth the two are equal, except where a moved bone
        carries others along by less than the generator counts as moved.

        Raises:
            InputError: where the data has no counterfactual; only generated data can have one.

        Example:
            >>> graph = STGraph.from_edges(["a", "b"], [("a", "b")])
            >>> Clips.from_arrays([np.ones((1, 5, 2, 3))], [0], graph=graph).counterfactual()
            Traceback (most recent call last):
            ...
            stexplain.errors.InputError: these clips have no counterfactual: nobody knows what a recording would ...
        """
        values = self._rows.counterfactual
        if values is None:
            raise InputError(
                "these clips have no counterfactual: nobody knows what a recording would be without its action. Use "
                "generated data, such as load_dataset('ntu') without `data`."
            )
        return self._with(rows=replace(self._rows, x=values, counterfactual=None))

    def content(self) -> str:
        """A hash of all that these clips hold and how they are sampled; it reads all of them."""
        how = f"{self.classes} {self.graph.hash} {self.channels} {self.instances} {self.recipe!r}"
        return content_hash(self._rows, self._chosen, self.table, how)

    def _with(self, **changes: Any) -> "Clips":
        kept = {
            "rows": self._rows, "table": self._table,
            "classes": self.classes, "graph": self.graph, "channels": self.channels, "instances": self.instances,
            "recipe": self.recipe, "card": self.card, "chosen": self._chosen, "store": self.store,
            "measured": self.measured,
        }  # fmt: skip
        return Clips(**{**kept, **changes})

    def _sampling(self, picked: Sequence[int] | NDArray[np.int64]) -> Sampling:
        return Sampling(self.recipe, lambda recipe: self.with_recipe(recipe).batch(picked))

    def _arrays(
        self, chosen: NDArray[np.int64], generator: np.random.Generator | None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Values, padding mask, ground truth and missing-value mask of recordings; see `read_frames`."""
        recipe = self.recipe
        augmentation = None
        if generator is not None and recipe is not None:
            augmentation = draw_augmentation(recipe.augment, len(chosen), generator)
        plan = plan_frames(self._rows, chosen, recipe, augmentation)
        x, valid, truth, observed = read_frames(self._rows, chosen, self.instances, plan)
        if recipe is None:
            return x, valid, truth, observed
        # Refused also without a generator: a recipe that cannot be trained by should not evaluate either.
        if recipe.augment.rotate and self._vertical is None:
            raise InputError(
                f"recipe: it rotates clips about the vertical; got channels {', '.join(self.channels)}; expected x, y "
                "(up) and z among them. Set `rotate` to 0."
            )
        x = center_and_augment(
            x, valid, center=self._center, remove=recipe.center == "first", vertical=self._vertical,
            across=None if recipe.align is None else sides_of(recipe.align, self.graph.nodes, self.channels),
            augmentation=augmentation, observed=observed,
        )  # fmt: skip
        x, observed = stream_of(x, valid, recipe.stream, graph=self.graph, channels=self.channels, observed=observed)
        return x, valid, truth, observed
