"""What a longer clip tells of layers whose positions see more than the clip."""

from typing import ClassVar

import pytest
from torch import Tensor, nn

import stexplain as stx
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.clips import grows
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing
from tests.explainers.model.probe import kinds
from tests.explainers.small_models import signals


def test_a_view_longer_than_the_clip_is_found_in_a_longer_one():
    """Frames 4 p - 16 to 4 p + 16 of a clip of 30: those in the middle see all of it."""
    model = kinds.Convolution(kernel=33, stride=4, before=16, behind=16).eval()
    row = stx.layers(model, signals(2, 3, 30, 5), inputs="b c t n").set_index("layer").loc["conv"]
    assert (row["layout"], row["time"], row["stride"], row["offset"], row["sees"]) == ("b c t n", "aligned", 4, 0, 33)


def test_only_an_axis_whose_size_differs_grows_with_the_clip():
    short, longer, alike = (
        TensorAxes(None, Timing("unknown"), unnamed=(Factor(0, 23, "b"), Factor(1, 4), Factor(2, frames)))
        for frames in (12, 36, 12)
    )
    assert grows(short, longer)
    assert not grows(short, alike)


class Reversed(nn.Module):
    """x ``[B, C, T, N]``; its layer has the frames from last to first, which is no stride; notes lengths of clips."""

    # Of the class: the probe runs on copies of the model.
    lengths: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.lengths.add(x.shape[2])
        return self.layer(x.flip(2)).mean((2, 3))


@pytest.mark.parametrize(("frames", "longest"), [(28, 9), (29, 3)])
def test_a_clip_is_made_nine_times_as_long_within_bounds(frames, longest):
    """Nine times as long up to 256 frames: what cannot be told does not cost more and more."""
    Reversed.lengths.clear()
    row = stx.layers(Reversed().eval(), signals(1, 3, frames, 2), inputs="b c t n").set_index("layer").loc["layer"]
    assert (row["layout"], row["time"]) == (None, "unknown")
    assert max(Reversed.lengths) == frames * longest
