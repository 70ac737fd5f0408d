"""What would lose its mask or its names is refused where it enters, with the remedy."""

import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.checking import checked, takes_masks
from stexplain.errors import InputError

MASKED = np.ma.masked_equal(np.arange(6.0).reshape(2, 3), 4)


@checked
def plain(values, *rest, observed=None, **more):
    return values


@checked
@takes_masks("values")
def keeps(values, weight=None):
    return values


@checked
class Kept:
    @classmethod
    @takes_masks("values", in_lists=True)
    def of(cls, values):
        return values


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda one: plain(one), "values"),
        (lambda one: plain(values=one), "values"),
        (lambda one: plain([np.zeros(2), one]), "values"),
        (lambda one: plain((1.0, one)), "values"),
        (lambda one: plain(0, one), "rest"),
        (lambda one: plain(0, other=one), "other"),
        (lambda one: keeps(0, one), "weight"),
        (lambda one: keeps([one]), "values"),
    ],
)
@pytest.mark.parametrize("masked", [MASKED, np.ma.masked], ids=["array", "number"])
def test_a_mask_is_refused_wherever_it_comes_in(call, name, masked):
    with pytest.raises(InputError, match=rf"^{name}: got a masked array, whose mask would be lost"):
        call(masked)


def test_who_takes_a_mask_gets_it():
    assert keeps(MASKED) is MASKED
    assert Kept.of([MASKED])[0] is MASKED
    assert plain([np.zeros(2), "a", None])[1] == "a"


def table_of(library, kind):
    """A table as the library's, which need not be installed: what counts is where its class is from."""
    return type(kind, (), {"__module__": f"{library}.inside", "shape": (2, 3)})()


@pytest.mark.parametrize(
    ("library", "kind", "remedy"),
    [
        ("polars", "DataFrame", r"Use \.to_pandas\(\) of it"),
        ("polars", "LazyFrame", r"Use \.collect\(\)\.to_pandas\(\) of it"),
        ("pyarrow", "Table", r"Use \.to_pandas\(\) of it"),
    ],
)
def test_a_table_of_another_library_is_refused_with_the_way_to_pandas(library, kind, remedy):
    graph = stx.STGraph
    for call in (
        stx.WindowedSeries,
        graph.from_adjacency,
        graph.from_distances,
        graph.from_pandas,
        graph.from_coordinates,
        graph.from_correlation,
        stx.data.load_regions,
    ):
        with pytest.raises(InputError, match=rf"got a {kind} of {library}; expected one of pandas.*{remedy}"):
            call(table_of(library, kind))


def test_explanations_name_the_mask_that_they_take():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    x = np.ma.masked_greater(np.random.default_rng(0).normal(size=(2, 1, 6, 3)).astype(np.float32), 1)
    with pytest.raises(InputError, match=r"x: got a masked array.*Give its mask as observed="):
        stx.explain(model, x, inputs="b c t n", method="InputGradient")
    with pytest.warns(UserWarning, match="prototype"):
        tensor = torch.masked.masked_tensor(torch.tensor(x.data), torch.tensor(~x.mask))
    with pytest.raises(InputError, match=r"x: got a MaskedTensor.*Use \.to_tensor"):
        stx.explain(model, tensor, inputs="b c t n", method="InputGradient")
    with pytest.raises(InputError, match=r"x: got a masked array"):
        stx.data.Sample(x[:, 0, :, :, None], np.ones((2, 6), bool))
