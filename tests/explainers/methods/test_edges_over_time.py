"""When an edge was used: the frames of the messages inside each block, and that their importance adds up."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.targets import Class
from stexplain.nn.stgcn import STGCN
from tests.explainers.our_models import PATH, lively, padded


@pytest.mark.parametrize("chunk", [None, 2])
def test_messages_are_at_the_frames_of_a_blocks_input(chunk):
    """Blocks of strides 1, 2 and 2: the third gets every second frame. Over frames, values add up to the edge's."""
    x, valid = padded()
    e = EdgeImportance(lively().double(), chunk=chunk)(x, target=Class(1), valid=valid)
    frames = [list(range(17)), list(range(17)), list(range(0, 17, 2))]
    assert [one.frames.tolist() for one in e.over_time.values()] == frames
    for name, one in e.over_time.items():
        of_block = [block == name for block in e.block]
        assert one.values.shape == (3, len(one.frames), sum(of_block))
        np.testing.assert_allclose(one.values.sum(1), e.values[:, of_block], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("strides", "frames", "third"),
    [
        # Of a clip of four frames a step of three would give two positions, too.
        ((1, 2, 2), 4, [0, 2]),
        ((1, 2, 2), 3, [0, 2]),
        ((1, 3, 2), 17, [0, 3, 6, 9, 12, 15]),
        # A single position is at the first frame, whatever the step.
        ((1, 2, 2), 2, [0]),
        ((1, 2, 2), 1, [0]),
        # Steps of two and of three fit, and the model does not tell which.
        ((1, 2, 6), 4, None),
        ((1, 2, 6), 17, list(range(0, 17, 2))),
    ],
)
def test_the_frames_of_short_clips(strides, frames, third):
    torch.manual_seed(0)
    model = STGCN(PATH, classes=4, channels=(4, 4, 4), strides=strides)
    e = EdgeImportance(model)(torch.randn(2, 1, frames, 5, 3), target=Class(1))
    assert e.over_time["blocks.0.spatial"].frames.tolist() == list(range(frames))
    found = e.over_time.get("blocks.2.spatial")
    assert (None if found is None else found.frames.tolist()) == third


class Unpadded(STGCN):
    """Tells an offset, as models do that lose frames."""

    def offset_at(self, layer: str) -> int:
        return 0


def test_positions_of_a_model_that_loses_frames_are_at_no_frame():
    torch.manual_seed(0)
    model = Unpadded(PATH, classes=4, channels=(4, 4, 4), strides=(1, 2, 2))
    e = EdgeImportance(model)(torch.randn(2, 1, 8, 5, 3), target=Class(1))
    assert [*e.over_time] == ["blocks.0.spatial", "blocks.1.spatial"]


class Two(nn.Module):
    """Two networks, and the scores of each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = lively(), lively(seed=1)
        self.layout, self.inputs = self.first.layout, self.first.inputs

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return self.first(x, valid=valid), self.second(x, valid=valid)


def test_what_the_target_does_not_depend_on_is_at_no_frame():
    """Nor is the third block: this model does not say where fewer positions than frames lie in time."""
    x, valid = padded()
    e = EdgeImportance(Two().double(), output=0)(x, target=Class(1), valid=valid)
    alone = EdgeImportance(lively().double())(x, target=Class(1), valid=valid)
    count = alone.values.shape[1]
    np.testing.assert_allclose(e.values[:, :count], alone.values, rtol=1e-5, atol=1e-9)
    assert not e.values[:, count:].any()
    frames = {name: one.frames.tolist() for name, one in e.over_time.items()}
    assert frames == {f"first.blocks.{block}.spatial": list(range(17)) for block in range(2)}


class Mixed(nn.Module):
    """x ``[B, T, N]`` to one score: what each node gets of the others, squared at some frames."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.5]]))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.road).square()[:, ::2].sum((1, 2))[:, None]


def test_messages_of_any_model_add_up_over_frames():
    """Each is gradient times message, 2 (x A)[t, v] A[u, v] x[t, u], at every second frame alone."""
    x, model = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)), Mixed()
    e = EdgeImportance(model, inputs="b t n")(x, target=Class(1))
    ((name, one),) = e.over_time.items()
    assert one.frames.tolist() == [0, 1, 2, 3, 4]
    expected = 2 * torch.einsum("btv,uv,btu->btuv", x @ model.road, model.road, x)
    expected[:, 1::2] = 0
    for number, (source, target) in enumerate(zip(e.source, e.target, strict=True)):
        of_edge = expected[:, :, int(source), int(target)]
        np.testing.assert_allclose(one.values[:, :, number], of_edge, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(e.values[:, number], of_edge.sum(1), rtol=1e-4, atol=1e-5)
    assert (len(e.source), set(e.block)) == (4, {name})


class Largest(nn.Module):
    """x ``[B, T, N]`` to one score: what comes over dense weights, and the largest message along a list of edges."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("road", torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.5]]))

    def forward(self, x: Tensor) -> Tensor:
        index = torch.tensor([1, 2, 0])
        sent = x[..., [0, 1, 2]]
        largest = torch.zeros_like(x).scatter_reduce(2, index.expand_as(sent), sent, "amax", include_self=False)
        return ((x @ self.road).square() + largest).sum((1, 2))[:, None]


def test_what_cannot_be_explained_is_said_and_refused_by_name():
    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    explain = EdgeImportance(Largest(), inputs="b t n")
    e = explain(x, target=Class(1))
    (note,) = [note for note in e.notes if note.startswith("Not explained: ")]
    assert note.endswith("the amax of messages is no sum of them.")
    left = note.removeprefix("Not explained: ").partition(":")[0]
    assert left not in e.block
    known = sorted(set(e.block))
    # Named, it is refused; and of the others nothing is said of it.
    with pytest.raises(InputError, match="cannot be explained: the amax of messages is no sum of them"):
        EdgeImportance(Largest(), of=left, inputs="b t n")(x, target=Class(1))
    alone = EdgeImportance(Largest(), of=known, inputs="b t n")(x, target=Class(1))
    np.testing.assert_allclose(alone.values, e.values, rtol=1e-6)
    assert not alone.notes


def test_what_the_target_does_not_depend_on_is_said():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("one", torch.rand(3, 3) + 0.5)
            self.register_buffer("two", torch.rand(3, 3) + 0.5)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return (x @ self.one).sum((1, 2))[:, None], (x @ self.two).sum((1, 2))[:, None]

    e = EdgeImportance(Idle(), inputs="b t n", output=0)(torch.rand(2, 4, 3), target=Class(1))
    (note,) = [note for note in e.notes if "does not depend" in note]
    assert note.startswith("The target does not depend on what is mixed by ")
    assert len(set(e.block)) == 1
    assert set(e.block).isdisjoint(note.removesuffix(".").rpartition(" ")[2:])
