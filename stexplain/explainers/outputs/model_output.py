"""What a model returned for some samples: whole, as the tensor that targets read, and cut into samples or copies."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.outputs.nested import Path, chosen, mapped, shapes_of, tensors_in
from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.outputs.sample_axis import SampleAxis

MIXED = (
    "Samples influence each other in this model (statistics of the batch, attention over it), or do not lie where the "
    "layout of the input says. Give chunk=1, so that each sample is explained alone, or the right layout by `inputs`."
)
"""What is said where a score depends on other samples than its own."""

UNSTEADY = (
    "The model draws random numbers from a generator of its own, carries something from call to call where nobody can "
    "put it back (a global variable, an attribute of its class), or computes something else where gradients are on, as "
    "a TransformerEncoder does of padding. Seed what it draws at the start of forward, keep what it carries in "
    "attributes of the model, or make the encoder with enable_nested_tensor=False."
)
"""What is said where a model gives a sample another score when it is called once more."""


@dataclass(frozen=True)
class OutputAxes:
    """Which axis of each tensor of an output follows the samples.

    Attributes:
        axes: by where the tensor lies. A tensor that is not listed was not measured: its first axis is taken where it
            has an entry per sample, and a single sample's may have no axis of its own.
        shapes: of the tensors of an output for `samples` samples, by which copies of them are recognised.
        samples: see `shapes`.
        mixed: which tensors hold entries that depend on other samples than their own.
        witness: where any are mixed, the outputs before and after samples were changed, and which were not.
        feeds: which tensors of a tuple others in it are computed from.
        twice: two outputs for the same samples, without gradients and with them; none: not run so. See `UNSTEADY`.
    """

    axes: Mapping[Path, SampleAxis] = field(default_factory=dict)
    shapes: Mapping[Path, tuple[int, ...]] = field(default_factory=dict)
    samples: int = 0
    mixed: frozenset[Path] = frozenset()
    witness: tuple[Any, Any, tuple[int, ...]] | None = None
    feeds: frozenset[Path] = frozenset()
    twice: tuple[Any, Any] | None = None

    def of(self, path: Path, tensor: Tensor, samples: int) -> SampleAxis | None:
        """The axis of a tensor of an output for so many samples; none where it has none."""
        axis = self.axes.get(path)
        if axis is not None:
            return axis if axis.samples(tensor) == samples else None
        if path in self.mixed and samples != 1:
            return None
        if tensor.ndim and len(tensor) == samples:
            return SampleAxis(0)
        # Copies of samples whose output has no axis for them: the one that is longer by as many.
        before = self.shapes.get(path, ())
        if self.samples and samples % self.samples == 0 and len(before) == tensor.ndim:
            copies = samples // self.samples
            longer = [dim for dim, (old, new) in enumerate(zip(before, tensor.shape, strict=True)) if old != new]
            if len(longer) == 1 and tensor.shape[longer[0]] == copies * before[longer[0]]:
                return SampleAxis(longer[0], inner=before[longer[0]] // self.samples)
        return None

    def is_like(self, other: "OutputAxes") -> bool:
        """Whether both know an axis of every tensor, and the same, so that nothing follows from a shape."""
        known = all(not each.mixed and each.axes.keys() == each.shapes.keys() for each in (self, other))
        return known and self.axes == other.axes

    def samples_in(self, output: Any) -> int:
        """How many samples an output is of; 0 where that cannot be determined."""
        for path, tensor in tensors_in(output).items():
            axis = self.axes.get(path)
            if axis is not None and axis.samples(tensor):
                return axis.samples(tensor)
        for path, tensor in tensors_in(output).items():
            before = self.shapes.get(path)
            if before is not None and path not in self.axes and tensor.ndim == len(before):
                size = prod(before)
                if size and tensor.numel() % size == 0:
                    return self.samples * tensor.numel() // size
        return 0


@dataclass(frozen=True)
class ModelOutput:
    """What a model returned for some samples.

    Attributes:
        raw: what it returned.
        samples: how many samples it is of.
        axes: which axis of each of its tensors follows the samples.
        which: which of its tensors targets read: a key or an index; none: see `chosen`.

    Example:
        >>> import torch
        >>> output = ModelOutput({"logits": torch.arange(6.0).view(3, 2), "loss": torch.zeros(())}, samples=3)
        >>> output.rows(1, 2).tensor
        tensor([[2., 3.]])
    """

    raw: Any
    samples: int
    axes: OutputAxes = field(default_factory=OutputAxes)
    which: "str | int | None" = None

    @cached_property
    def chosen(self) -> tuple[Path, Tensor]:
        """The tensor that targets read, as the model returned it, and where it lies.

        Raises:
            InputError: where there is none, or several; or where it would be the first of a tuple, from which others
                are computed, and nobody said so.
        """
        path, tensor = chosen(self.raw, self.which)
        if self.which is None and path in self.axes.feeds:
            others = [f"output={one[0]!r} or " for one in tensors_in(self.raw) if one != path and len(one) == 1]
            raise InputError(
                f"the model returned {shapes_of(self.raw)}, and others are computed from the first: it may hold "
                f"features, not what the model is asked for. Say which one is meant: {''.join(others)}"
                f"output={path[0]!r}; or give a function of what it returned as target."
            )
        return path, tensor

    @property
    def axis(self) -> SampleAxis | None:
        """The axis of the tensor that follows the samples; none: it has none, which only a single sample's may."""
        path, tensor = self.chosen
        axis = self.axes.of(path, tensor, self.samples)
        if axis is None and self.samples != 1:
            raise InputError(self._problem(path, tensor))
        return axis

    @property
    def tensor(self) -> Tensor:
        """The tensor that targets read, samples first.

        Raises:
            InputError: where no axis of it follows the samples.
        """
        # Scores are computed in float32: of half precision, sums would be rounded.
        axis, tensor = self.axis, full_precision(self.chosen[1])
        return tensor[None] if axis is None else axis.first(tensor)

    def in_layout(self, layout: Layout, **known: int) -> Tensor:
        """The tensor that targets read, ``[B, M, T, N, C]``, of which is said how the model lays it out.

        Args:
            layout: over b, t, n and c; without b where the model knows no batches.
            **known: sizes of other axes, which those that are folded need.

        Raises:
            InputError: where the tensor does not fit, or its samples lie elsewhere than the layout says.
        """
        (path, raw), axis = self.chosen, self.axis
        tensor = full_precision(raw)
        # Last axes of one entry, as of a single channel, need no letter.
        while tensor.ndim > len(layout.groups) and tensor.shape[-1] == 1:
            tensor = tensor[..., 0]
        if "b" not in layout.letters:
            if self.samples != 1:
                raise InputError(
                    f"layout {layout.pattern!r} of the output has no b; expected one, as there are "
                    f"{self.samples} samples."
                )
            return layout.to_batch(tensor, **known)
        sizes = layout.sizes(tuple(tensor.shape), **known, b=self.samples)
        dim, letters = next((dim, letters) for dim, letters in enumerate(layout.groups) if "b" in letters)
        place = letters.index("b")
        outer, inner = (prod(sizes[one] for one in part) for part in (letters[:place], letters[place + 1 :]))
        # Where several axes have one size, only what was measured tells which one follows the samples.
        if path in self.axes.axes and axis != SampleAxis(dim, outer, inner):
            measured = self.axes.axes[path]
            folded = " (folded with others)" if measured.outer * measured.inner > 1 else ""
            raise InputError(
                f"layout {layout.pattern!r} does not fit the model's output of shape {tuple(tensor.shape)}: its axis "
                f"{measured.dim}{folded} follows the samples, counted from 0. Give the layout that the output has, "
                "such as Forecast(node, horizon, layout='t b n')."
            )
        return layout.to_batch(tensor, **known, b=self.samples)

    def _problem(self, path: Path, tensor: Tensor) -> str:
        shape = f"the model's output has shape {tuple(tensor.shape)} for {self.samples} samples"
        if path in self.axes.mixed and any(size % self.samples == 0 for size in tensor.shape):
            return f"{shape}, none of whose axes follows them. {MIXED}"
        # A loss, say, before the logits.
        others = [one[0] for one in tensors_in(self.raw) if one != path and len(one) == 1]
        if others and self.which is None:
            return (
                f"{shape}; expected an axis with an entry per sample. It returned {shapes_of(self.raw)}: say which one "
                f"is meant, such as output={others[0]!r}."
            )
        return f"{shape}; expected an axis with an entry per sample. Is the layout of the input right?"

    def rows(self, start: int, stop: int) -> "ModelOutput":
        """The output for some of the samples: the tensors that follow the samples are cut, all else stays whole."""
        if (start, stop) == (0, self.samples):
            return self

        def cut(path: Path, tensor: Tensor) -> Tensor:
            axis = self.axes.of(path, tensor, self.samples)
            return tensor if axis is None else axis.rows(tensor, start, stop)

        return replace(self, raw=mapped(self.raw, cut), samples=stop - start)

    def with_tensor(self, tensor: Tensor) -> "ModelOutput":
        """The same output with another tensor in the place of the one that targets read, in its own layout."""
        place, _ = self.chosen
        return replace(self, raw=mapped(self.raw, lambda path, other: tensor if path == place else other))

    def exchanged(self) -> "tuple[ModelOutput, list[int]]":
        """The output with the entries of some samples replaced by those of others, and the rows of all other samples.

        What a target makes of those must be as before: it scores every sample by itself.
        """
        rows = range(1, self.samples, 2)

        def exchange(path: Path, tensor: Tensor) -> Tensor:
            axis = self.axes.of(path, tensor, self.samples)
            if axis is None:
                return tensor
            order = [row - 1 if row in rows else row for row in range(self.samples)]
            return axis.select(tensor.detach(), order)

        return replace(self, raw=mapped(self.raw, exchange)), [row for row in range(self.samples) if row not in rows]
