"""What a model returned, cut into samples and copies, and read in a layout."""

import pytest
import torch

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.outputs.model_output import ModelOutput, OutputAxes
from stexplain.explainers.outputs.sample_axis import SampleAxis


def axes(**given):
    return OutputAxes({(): SampleAxis(1)}, {(): (4, 3)}, 3, **given)


def test_a_measured_axis_goes_before_the_first():
    """As many entries along the first as there are samples: what was measured tells."""
    square = torch.arange(9.0).view(3, 3)
    assert torch.equal(ModelOutput(square, 3).tensor, square)
    measured = ModelOutput(square, 3, OutputAxes({(): SampleAxis(1)}, {(): (3, 3)}, 3))
    assert torch.equal(measured.tensor, square.T)
    assert torch.equal(measured.rows(1, 2).raw, square[:, 1:2])
    assert torch.equal(measured.rows(1, 3).tensor, square.T[1:3])
    # Of another number of samples than it fits, there is none.
    assert axes().of((), torch.zeros(4, 3), 3) == SampleAxis(1)
    assert axes().of((), torch.zeros(4, 3), 4) is None


def test_copies_of_samples_whose_output_has_no_axis_are_told_by_what_grew():
    """Measured for one sample as ``[4, 2]``: of three copies ``[4, 6]`` has grown in its second axis."""
    known = OutputAxes(shapes={(): (4, 2)}, samples=1)
    assert known.of((), torch.zeros(4, 6), 3) == SampleAxis(1, inner=2)
    assert known.of((), torch.zeros(12, 2), 3) == SampleAxis(0, inner=4)
    for shape in ((8, 4), (4, 5), (4, 6, 1), (4, 2)):
        assert known.of((), torch.zeros(shape), 3) is None
    of_two = OutputAxes(shapes={(): (4, 2)}, samples=2)
    assert of_two.of((), torch.zeros(4, 6), 6) == SampleAxis(1, inner=1)
    assert of_two.of((), torch.zeros(5, 6), 6) is None
    assert of_two.of((), torch.zeros(4, 7), 7) == OutputAxes().of((), torch.zeros(4, 7), 7)
    # An axis as long as there are samples comes before that.
    assert known.of((), torch.zeros(3, 2), 3) == SampleAxis(0)


def test_samples_of_an_output_are_counted():
    assert axes().samples_in(torch.zeros(4, 6)) == 6
    assert axes().samples_in({"other": torch.zeros(4, 6)}) == 0
    # Not measured along an axis: by how many times as many entries there are.
    grown = OutputAxes(shapes={("y",): (4, 2)}, samples=2)
    assert grown.samples_in({"y": torch.zeros(4, 6)}) == 6
    assert grown.samples_in({"y": torch.zeros(4, 3)}) == 0
    assert grown.samples_in({"y": torch.zeros(8)}) == 0
    assert OutputAxes(shapes={(): (0, 2)}, samples=2).samples_in(torch.zeros(0, 2)) == 0
    # The first tensor may not tell, a further one does.
    both = OutputAxes({("b",): SampleAxis(0)}, {("a",): (2,), ("b",): (3, 2)}, 3)
    assert both.samples_in({"a": torch.zeros(5), "b": torch.zeros(7, 2)}) == 7


def test_axes_are_alike_where_every_tensor_has_one_and_the_same():
    assert axes().is_like(axes())
    assert axes().is_like(OutputAxes({(): SampleAxis(1)}, {(): (4, 9)}, 9))
    assert not axes().is_like(OutputAxes({(): SampleAxis(0)}, {(): (4, 3)}, 3))
    assert not axes().is_like(axes(mixed=frozenset({()})))
    assert not axes(mixed=frozenset({()})).is_like(axes())
    unknown = OutputAxes({}, {(): (4, 3)}, 3)
    assert not unknown.is_like(unknown)


def test_what_mixes_samples_has_no_axis_but_for_a_single_one():
    mixed = OutputAxes(mixed=frozenset({()}), shapes={(): (3, 2)}, samples=3)
    with pytest.raises(InputError, match="none of whose axes follows them. Samples influence each other"):
        _ = ModelOutput(torch.zeros(3, 2), 3, mixed).tensor
    assert ModelOutput(torch.zeros(1, 2), 1, mixed).tensor.shape == (1, 2)
    with pytest.raises(InputError, match="expected an axis with an entry per sample"):
        _ = ModelOutput(torch.zeros(4, 2), 3, mixed).tensor
    with pytest.raises(InputError, match="expected an axis with an entry per sample"):
        _ = ModelOutput(torch.zeros(4, 2), 3).tensor
    # A loss that comes before the logits has none: which one is meant must be said.
    with pytest.raises(InputError, match=r"shape \(\) for 3 samples.*say which one is meant, such as output=1\.$"):
        _ = ModelOutput((torch.zeros(()), torch.zeros(3, 2)), 3).tensor
    assert ModelOutput((torch.zeros(()), torch.zeros(3, 2)), 3, which=1).tensor.shape == (3, 2)
    # A single sample's output may have no axis for it.
    assert ModelOutput(torch.zeros(4, 2), 1).tensor.shape == (1, 4, 2)


def test_samples_exchanged_with_those_before_them():
    """Every second takes the place of the one before; all others, by number, are as they were."""
    y = torch.arange(10.0).view(5, 2)
    output = ModelOutput({"y": y, "loss": torch.tensor(1.0)}, 5)
    other, rows = output.exchanged()
    assert rows == [0, 2, 4]
    assert torch.equal(other.raw["y"], y[[0, 0, 2, 2, 4]])
    assert other.raw["loss"] is output.raw["loss"]


def test_another_tensor_takes_the_place_of_the_one_that_is_read():
    output = ModelOutput({"logits": torch.zeros(2, 3), "hidden": torch.zeros(2, 5)}, 2)
    ones = torch.ones(2, 3)
    replaced = output.with_tensor(ones)
    assert replaced.raw["logits"] is ones
    assert replaced.raw["hidden"] is output.raw["hidden"]
    assert output.rows(0, 2) is output


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_scores_are_computed_in_float32_of_half_precision(half):
    assert ModelOutput(torch.ones(2, 3, dtype=half), 2).tensor.dtype == torch.float32
    assert ModelOutput(torch.ones(2, 3, dtype=half), 2).in_layout(Layout("b n")).dtype == torch.float32
    assert ModelOutput(torch.ones(2, 3).double(), 2).tensor.dtype == torch.float64


def test_a_forecast_in_a_layout():
    y = torch.arange(24.0).view(2, 3, 4)  # b t n
    expected = y[:, None, :, :, None]
    for pattern, tensor in (
        ("b t n", y),
        ("b t n", y[..., None, None]),
        ("t b n", y.movedim(0, 1)),
        ("(b n) t", y.mT.flatten(0, 1)),
        ("(n b) t", y.movedim(2, 0).flatten(0, 1)),
    ):
        read = ModelOutput(tensor, 2, OutputAxes({(): _axis(pattern)}, {(): tuple(tensor.shape)}, 2))
        assert torch.equal(read.in_layout(Layout(pattern), n=4), expected)
    # A single channel is no letter's, several are.
    with pytest.raises(InputError):
        ModelOutput(torch.zeros(2, 3, 4, 2), 2).in_layout(Layout("b t n"))
    assert ModelOutput(torch.zeros(2, 3, 1), 2).in_layout(Layout("b t n")).shape == (2, 1, 3, 1, 1)


def _axis(pattern):
    return {"t b n": SampleAxis(1), "(b n) t": SampleAxis(0, inner=4), "(n b) t": SampleAxis(0, outer=4)}.get(
        pattern, SampleAxis(0)
    )


def test_a_layout_whose_samples_lie_elsewhere_is_refused():
    square = torch.zeros(3, 3, 4)
    of_second = OutputAxes({(): SampleAxis(1)}, {(): (3, 3, 4)}, 3)
    with pytest.raises(InputError, match="does not fit.*axis 1 follows the samples"):
        ModelOutput(square, 3, of_second).in_layout(Layout("b t n"))
    assert ModelOutput(square, 3, of_second).in_layout(Layout("t b n")).shape == (3, 1, 3, 4, 1)
    folded = OutputAxes({(): SampleAxis(0, inner=4)}, {(): (12, 3)}, 3)
    with pytest.raises(InputError, match=r"axis 0 \(folded with others\) follows the samples"):
        ModelOutput(torch.zeros(12, 3), 3, folded).in_layout(Layout("(n b) t"), n=4)
    of_two = OutputAxes({(): SampleAxis(0, inner=2)}, {(): (6, 3)}, 3)
    with pytest.raises(InputError, match=r"axis 0 \(folded with others\) follows the samples"):
        ModelOutput(torch.zeros(6, 3), 3, of_two).in_layout(Layout("(n b) t"), n=2)
    # Without b: of one sample alone.
    assert ModelOutput(torch.zeros(5, 4), 1).in_layout(Layout("t n")).shape == (1, 1, 5, 4, 1)
    with pytest.raises(InputError, match="has no b; expected one, as there are 5 samples"):
        ModelOutput(torch.zeros(5, 4), 5).in_layout(Layout("t n"))
