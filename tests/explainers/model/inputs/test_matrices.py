"""Which square matrices tell of nodes: not masks in time, nor weights along other axes than the one that is mixed."""

import pytest
import torch
from torch import nn

from stexplain.explainers.model.inputs.layout import is_square, matrix_sizes
from stexplain.explainers.model.inputs.learned import mixed_by

LATER = torch.ones(5, 5, dtype=torch.bool).triu(1)


@pytest.mark.parametrize(
    "mask",
    [
        LATER,
        ~LATER,
        LATER.T,
        torch.zeros(5, 5).masked_fill(LATER, -torch.inf),
        torch.zeros(5, 5).masked_fill(LATER, -1e9),
        torch.ones(5, 5).tril(),
        torch.ones(5, 5).triu(),
        3 * torch.ones(5, 5).triu(1) + 1,
    ],
)
def test_a_mask_of_all_later_frames_tells_no_nodes(mask):
    assert matrix_sizes([mask]) == set()
    # Beside an adjacency, that one tells.
    assert matrix_sizes([mask, torch.rand(7, 7)]) == {7}


def odd(value):
    """A mask, but for one entry of the later frames, or of the earlier ones."""
    masks = [torch.ones(5, 5).tril(), torch.ones(5, 5).tril()]
    masks[0][1, 3] = masks[1][3, 1] = value
    return masks


@pytest.mark.parametrize(
    "matrix",
    [
        torch.ones(5, 5),
        torch.zeros(5, 5),
        torch.eye(5),
        torch.rand(5, 5),
        torch.rand(5, 5).tril(),
        *odd(2.0),
        torch.ones(5, 5).tril(-1),
        torch.ones(5, 5).tril(1),
        torch.ones(5, 5).tril().to_sparse(),
        torch.ones(2, 5, 5).tril(),
        torch.rand(3, 2, 5, 5),
    ],
)
def test_other_square_matrices_tell_their_size(matrix):
    expected = set() if matrix.ndim == 2 and torch.equal(matrix.to_dense(), torch.ones(5, 5).tril(-1)) else {5}
    assert matrix_sizes([matrix]) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 3), True),
        ((2, 2), False),
        ((3, 4), False),
        ((4, 3, 3), True),
        ((3, 3, 4), False),
        ((5,), False),
        ((), False),
    ],
)
def test_square_of_three_or_more(shape, expected):
    assert is_square(torch.zeros(shape)) == expected


class Mixed(nn.Module):
    """x ``[B, T, N, C]``, five of each, mixed along one axis by a matrix that is learned."""

    def __init__(self, axis, matrix=None, how="product"):
        super().__init__()
        self.road = nn.Parameter(torch.rand(5, 5) if matrix is None else matrix)
        self.axis, self.how, self.head = axis, how, nn.Linear(5, 2)

    def forward(self, x):
        if self.how == "entries":
            return self.head(x * self.road).mean((1, 2))
        road = self.road.softmax(0) if self.how == "softmax" else self.road
        if self.how == "sparse":
            road = road * (torch.eye(5) + torch.eye(5).roll(1, 0))
        return self.head((x.movedim(self.axis, -1) @ road).movedim(-1, self.axis)).mean((1, 2))


def axes_of(model, axes=(1, 2, 3)):
    x = torch.rand(2, 5, 5, 5, generator=torch.Generator().manual_seed(0))

    def run(signals, instead):
        return torch.func.functional_call(model, dict(instead), (signals,))

    return mixed_by({"road": model.road}, set(axes), run, x)


@pytest.mark.parametrize("how", ["product", "softmax", "sparse"])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_learned_matrix_mixes_the_axis_that_it_is_multiplied_along(axis, how):
    torch.manual_seed(0)
    assert axes_of(Mixed(axis, how=how)) == {axis}
    assert axes_of(Mixed(axis, how=how), {1, 2, 3} - {axis}) == set()


def test_what_reaches_no_other_entry_mixes_nothing():
    assert axes_of(Mixed(2, how="entries")) == set()
    assert axes_of(Mixed(2, torch.eye(5))) == set()
    # A matrix of another size than the axis, and a model that does not run, tell nothing.
    model = Mixed(2)
    never = lambda *_: pytest.fail("it is not run")  # noqa: E731
    assert mixed_by({"road": torch.rand(4, 4)}, {2}, never, torch.rand(2, 5, 5, 5)) == set()

    def fails(signals, instead):
        raise RuntimeError

    assert mixed_by({"road": model.road}, {2}, fails, torch.rand(2, 5, 5, 5)) == set()
