import pytest
import torch

from stexplain.axes import Layout, check_shape
from stexplain.errors import InputError


@pytest.mark.parametrize(
    ("pattern", "shape", "known"),
    [
        ("b m t n c", (2, 3, 4, 5, 6), {}),
        ("(b m) c t n", (6, 6, 4, 5), {"m": 3}),
        ("n (b m) t c", (5, 6, 4, 6), {"b": 2}),
        ("b c t n m", (2, 6, 4, 5, 3), {}),
    ],
)
def test_to_batch_and_back(pattern: str, shape: tuple[int, ...], known: dict[str, int]):
    layout = Layout(pattern)
    x = torch.randn(shape)
    batch = layout.to_batch(x, **known)
    assert batch.shape == (2, 3, 4, 5, 6)
    assert torch.equal(layout.from_batch(batch), x)


def test_an_axis_that_is_not_in_the_pattern_has_size_one():
    assert Layout("b t n").to_batch(torch.zeros(2, 4, 5)).shape == (2, 1, 4, 5, 1)
    with pytest.raises(InputError, match=r"has no room for m=3\..*for example '\(b m\) t n'\."):
        Layout("b t n").from_batch(torch.zeros(2, 3, 4, 5, 1))
    with pytest.raises(InputError, match=r"has no room for c=2\..*for example 'b t n c'\."):
        Layout("b t n").from_batch(torch.zeros(2, 1, 4, 5, 2))
    with pytest.raises(InputError, match=r"has no room for m=3, c=2\..*for example '\(b m\) t n c'\."):
        Layout("b t n").from_batch(torch.zeros(2, 3, 4, 5, 2))
    with pytest.raises(InputError, match=r"has no room for m=3\..*for example '\(b n\) t m'\."):
        Layout("(b n) t").from_batch(torch.zeros(2, 3, 4, 5, 1))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("b,c", "is not a pattern; expected letters"),
        ("(b (m) c)", "unbalanced or nested"),
        ("(b m c", "unbalanced or nested"),
        ("b v", r"has the unknown axis 'v'. The axes are b \(samples\), m \(instances\)"),
        ("b b", "has the axis 'b' twice"),
    ],
)
def test_wrong_patterns(pattern: str, message: str):
    with pytest.raises(InputError, match=message):
        Layout(pattern)


@pytest.mark.parametrize(
    ("shape", "known", "message"),
    [
        ((6, 64, 75), {}, "got 3 dimensions; expected 4"),
        ((6, 64, 75, 25), {}, r"the sizes of \(b m\) are ambiguous: give all but one of them"),
        ((7, 64, 75, 25), {"m": 2}, r"\(m=2\): got 7 for \(b m\); expected a multiple of 2"),
        ((6, 64, 75, 25), {"b": 3, "n": 24, "m": 2}, "got 25 for n; expected 24"),
    ],
)
def test_shapes_that_do_not_fit_the_layout(shape: tuple[int, ...], known: dict[str, int], message: str):
    with pytest.raises(InputError, match=message):
        Layout("(b m) c t n").sizes(shape, **known)


def test_check_shape_names_the_argument_and_both_shapes():
    assert check_shape("x", (2, 3), "b n", n=3) == {"b": 2, "n": 3}
    with pytest.raises(InputError, match=r"valid has shape \(2, 3\); expected \[b, m, t\]: got 2 dimensions."):
        check_shape("valid", (2, 3), "b m t")
    with pytest.raises(InputError, match=r"x has shape \(2, 4\); expected \[b, n=3\]: got 4 nodes."):
        check_shape("x", (2, 4), "b n", n=3)
