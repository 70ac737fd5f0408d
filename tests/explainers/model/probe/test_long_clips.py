"""Long clips: layers are measured on a part, checked on the whole by a few copies, and measured there if need be."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.layers import LayerProbe
from tests.explainers.small_models import signals

FRAMES, PART = 192, 128
"""A part and a half: the shortest clip of which a part is measured first."""


class Noted(nn.Module):
    """x ``[B, T, N, C]``; a layer over each frame by itself, behind and before what subclasses do. Notes its passes."""

    # Of the class: the probe runs on copies of the model.
    passes: ClassVar[list[tuple[int, int, torch.dtype]]] = []

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer, self.head = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.passes.append((len(x), x.shape[1], x.dtype))
        return self.head(self.layer(self.between(self.first(x))).flatten(1, -2).mean(1))

    def between(self, x: Tensor) -> Tensor:
        return x


class OtherwiseLong(Noted):
    """Every second frame of clips of up to 150."""

    def between(self, x: Tensor) -> Tensor:
        return x[:, ::2] if x.shape[1] < 150 else x


class OneLength(Noted):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != FRAMES:
            raise ValueError("another length")
        return super().forward(x)


class Folded(Noted):
    """Samples and nodes in one axis."""

    def between(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.between(self.first(x))).unflatten(0, (len(x), -1)).mean((1, 2))


class ByFrame(Noted):
    """The layer runs frame by frame."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return sum(self.layer(frame) for frame in y.unbind(1)).mean(1)


def measured(model, frames=FRAMES, samples=2, layers=None):
    """The rows of its layers by name, in the order in which they are listed."""
    Noted.passes.clear()
    caller = ModelCaller(model.eval(), inputs="b t n c")
    with caller._model_frozen():
        return {
            row.name: row
            for row in LayerProbe(caller, caller._prepare(signals(samples, frames, 3, 2), None)).measure(layers)
        }


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (FRAMES - 1, {(23, FRAMES - 1, torch.float64)}),
        # The check takes seven copies, in the model's own type.
        (FRAMES, {(23, PART, torch.float64), (7, FRAMES, torch.float32)}),
    ],
)
def test_a_part_is_measured_exactly_and_the_whole_is_checked_by_few_copies(frames, expected):
    rows = measured(Noted(), frames)
    assert {(samples, length, kind) for samples, length, kind in Noted.passes} >= expected
    assert (7 in {samples for samples, _, _ in Noted.passes}) == (frames == FRAMES)
    # Once each way, of all layers together.
    assert sum(length == frames for _, length, _ in Noted.passes) == 2
    assert list(rows) == ["first", "layer", "head"]
    assert rows["layer"].shape == (2, frames, 3, 3)
    assert rows["layer"].sizes == {"t": frames, "n": 3, "c": 3}
    assert (rows["layer"].timing.kind, rows["layer"].timing.stride, rows["layer"].timing.sees) == ("one frame", 1, 1)


@pytest.mark.parametrize(("layers", "names"), [(None, ["first", "layer", "head"]), (["layer"], ["layer"])])
def test_what_the_whole_clip_contradicts_is_measured_there(layers, names):
    rows = measured(OtherwiseLong(), layers=layers)
    assert list(rows) == names
    assert (rows["layer"].timing.stride, rows["layer"].timing.offset) == (1, 0)
    assert rows["layer"].shape == (2, FRAMES, 3, 3)
    assert (23, FRAMES, torch.float64) in Noted.passes


def test_a_model_for_clips_of_one_length_is_measured_on_the_whole():
    rows = measured(OneLength())
    assert (rows["layer"].layout.pattern, rows["layer"].timing.kind) == ("b t n c", "one frame")
    assert {length for _, length, _ in Noted.passes} == {FRAMES}


@pytest.mark.parametrize(
    ("model", "pattern", "shape", "by_frame", "calls"),
    [(Folded, "(b n) t c", (6, FRAMES, 3), False, 1), (ByFrame, "b n c", (2, 3, 3), True, FRAMES)],
)
def test_rows_are_of_the_samples_as_given(model, pattern, shape, by_frame, calls):
    row = measured(model(), layers=["layer"])["layer"]
    assert (row.layout.pattern, row.shape, row.by_frame, row.calls) == (pattern, shape, by_frame, calls)
    assert {letter: row.sizes[letter] for letter in "nc"} == {"n": 3, "c": 3}
    assert row.sizes.get("t") == (None if by_frame else FRAMES)
    assert (row.timing.kind, row.timing.stride, row.timing.offset) == ("one frame", 1, 0)
