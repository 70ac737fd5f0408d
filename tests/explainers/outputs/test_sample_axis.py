"""An axis of samples, alone or folded with others, against the same tensor with its samples first."""

import pytest
import torch

from stexplain.explainers.outputs.sample_axis import SampleAxis
from tests.explainers.outputs.test_measure import PATTERNS, laid_out

SAMPLES = 5


def numbered():
    """``[B, N, H]``, each entry another number."""
    return torch.arange(SAMPLES * 4 * 3.0).view(SAMPLES, 4, 3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_samples_come_first_and_are_cut_and_picked_in_their_own_layout(pattern):
    y = numbered()
    tensor, axis = laid_out(y, pattern)
    assert axis.samples(tensor) == SAMPLES
    first = axis.first(tensor)
    assert first.shape[0] == SAMPLES
    for sample in range(SAMPLES):
        assert sorted(first[sample].flatten().tolist()) == y[sample].flatten().tolist()
    # All other axes keep their order, and those of size one that unfolding would leave are gone.
    others = [letter for letter in "nh" if letter in pattern]
    order = [letter for letter in pattern if letter in others]
    expected = y if order == ["n", "h"] else y.mT
    assert torch.equal(first.flatten(1), expected.flatten(1))
    for start, stop in ((0, 2), (1, 4), (4, 5), (0, 5)):
        assert torch.equal(axis.rows(tensor, start, stop), laid_out(y[start:stop], pattern)[0])
    for rows in ([2], [4, 0, 0], [3, 2, 1, 0, 4]):
        assert torch.equal(axis.select(tensor, rows), laid_out(y[rows], pattern)[0])


@pytest.mark.parametrize(
    ("axis", "shape", "expected"),
    [
        (SampleAxis(0), (5, 2, 3), (5, 2, 3)),
        (SampleAxis(2), (2, 3, 5), (5, 2, 3)),
        (SampleAxis(1), (2, 5, 3), (5, 2, 3)),
        (SampleAxis(0, inner=2), (10, 3), (5, 2, 3)),
        (SampleAxis(0, outer=2), (10, 3), (5, 2, 3)),
        (SampleAxis(1, outer=2), (3, 10), (5, 3, 2)),
        (SampleAxis(1, inner=2), (3, 10), (5, 3, 2)),
        (SampleAxis(0, outer=2, inner=3), (30,), (5, 2, 3)),
        (SampleAxis(1, outer=2, inner=3), (7, 30, 4), (5, 7, 2, 3, 4)),
    ],
)
def test_shapes_with_the_samples_first(axis, shape, expected):
    assert axis.first(torch.zeros(shape)).shape == expected


def test_what_does_not_fit_has_no_samples():
    assert SampleAxis(0, inner=4).samples(torch.zeros(10, 2)) == 0
    assert SampleAxis(0, outer=2, inner=2).samples(torch.zeros(12)) == 3
    assert SampleAxis(1).samples(torch.zeros(3)) == 0
    assert SampleAxis(0).samples(torch.zeros(())) == 0
    assert SampleAxis(1).samples(torch.zeros(3, 0)) == 0
