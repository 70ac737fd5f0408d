"""An argument that is not what its annotation says is named; a call that succeeds is left alone."""

import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked, warn_caller
from stexplain.checking.hints import checks_of, predicate
from stexplain.checking.values import as_numbers
from stexplain.errors import InputError
from tests.fuzz.examples import entries

if TYPE_CHECKING:
    import xarray


class Options(TypedDict, total=False):
    size: int | None


@pytest.mark.parametrize(
    ("hint", "fitting", "others"),
    [
        (int, [3, np.int64(3), torch.tensor(3)], [True, 3.0, "3", None, np.zeros(2, int), torch.tensor(True)]),
        (float, [3, 0.5, np.float32(1), torch.tensor(2.0)], [float("nan"), float("inf"), "1", 1j, 10**400, True]),
        (str, ["", np.str_("a")], [b"a", Path("a"), 1]),
        (bool, [True, np.bool_(False)], [0, "yes", None]),
        (str | None, [None, "a"], [1]),
        (Literal["a", "b"], ["a"], ["c", 1, ["a"]]),
        (Sequence[str], [["a"], ("a",), np.array(["a"]), []], [{"a"}, iter(["a"]), {"a": 1}, ["a", 1], None]),
        (Iterable[int], [[1], iter([1]), range(2)], [{1}, {1: 2}, ["a"], 1]),
        (Mapping[str, int], [{"a": 1}, {}], [{1: 1}, {"a": "b"}, [("a", 1)]]),
        (tuple[int, int], [(1, 2), [1, 2]], [(1,), (1, "a"), "ab"]),
        (ArrayLike, [[1, 2], 3, np.zeros(2), torch.zeros(2), ["a"]], [[[1], [1, 2]], {1}, {"a": 1}, [None], object()]),
        (ArrayLike | None, [None, [1.0]], [[[1], [1, 2]], torch.zeros(2, device="meta")]),
        (NDArray[np.float64], [np.zeros(2)], [[0.0], np.array(["a"]), torch.zeros(2)]),
        (torch.Tensor, [torch.zeros(1)], [np.zeros(1), [0.0]]),
        (Callable[[int], int], [len], [3]),
        (Any, [None, object()], []),
        ("xarray.DataArray | None", [None], [np.zeros(2)]),
    ],
)
def test_what_fits_an_annotation(hint, fitting, others):
    names = checks_of(_with_later)["table"].names
    fits = predicate(hint, names)
    assert [value for value in fitting if not fits(value)] == []
    assert [value for value in others if fits(value)] == []


def _with_later(table: "xarray.DataArray"):
    return table


@checked
def scaled(
    values: Sequence[float], by: float = 1.0, *more: int, names: "list[str] | None" = None, **rest: Unpack[Options]
):
    return [value * by + len(names or []) + sum(more) + rest.get("size", 0) for value in values]


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((["a"],), {}, r"values: got 'a' at index 0; expected a finite number\."),
        (([1], "x"), {}, r"by: got 'x'; expected a finite number\."),
        (([1], 2.0, "x"), {}, r"more: got 'x'; expected an integer\."),
        (([1],), {"names": 5}, r"names: got 5; expected a list of text, or None\."),
        (([1],), {"size": "3"}, r"size: got '3'; expected an integer, or None\."),
        (({1.0, 2.0},), {}, r"values: got \{1.0, 2.0\}; .* Give a list: a set has no order\."),
    ],
)
def test_the_argument_is_named(args, named, message):
    with pytest.raises(InputError, match=message):
        scaled(*args, **named)


def test_an_error_of_right_arguments_stays_what_it_is():
    @checked
    def failing(number: int) -> int:
        raise KeyError(number)

    with pytest.raises(KeyError):
        failing(1)
    with pytest.raises(InputError, match="number: got 'a'") as caught:
        failing("a")
    assert isinstance(caught.value.__cause__, KeyError)


def test_methods_of_a_class_are_checked_and_remain_methods():
    @checked
    class Box:
        def __init__(self, size: int) -> None:
            self.size = 1 + size

        def grown(self, by: int) -> int:
            return self.size + by

        @classmethod
        def of(cls, text: str) -> "Box":
            return cls(len(text))

    assert Box.of("abc").grown(2) == 6
    for call, name in ((lambda: Box("a"), "size"), (lambda: Box(1).grown(None), "by"), (lambda: Box.of(3), "text")):
        with pytest.raises(InputError, match=f"^{name}: got"):
            call()


def test_long_values_are_not_shown_whole():
    with pytest.raises(InputError) as caught:
        scaled([1], "x" * 100_000)
    assert len(str(caught.value)) < 300


def test_functions_can_be_pickled():
    assert pickle.loads(pickle.dumps(scaled)) is scaled


def test_a_warning_points_at_the_line_of_the_caller():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_caller("careful")
    assert caught[0].filename == __file__


def test_a_warning_that_is_an_error_is_of_no_argument():
    @checked
    def weigh(weight: ArrayLike | None = None) -> None:
        warn_caller("careful")

    with pytest.raises(UserWarning, match="careful"):
        weigh(weight=None)


def test_none_is_no_oddity_where_it_is_allowed():
    @checked
    def weigh(weight: ArrayLike | None) -> None:
        raise KeyError("of another cause")

    with pytest.raises(KeyError, match="of another cause"):
        weigh(None)


def test_the_annotations_of_everything_public_are_understood():
    for entry in entries():
        if hasattr(entry.function, "__annotations__"):
            checks_of(entry.function)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], [1, 2]], "rows of unequal length"),
        (["a"], "expected numbers"),
        ([None], "expected numbers"),
        ({1, 2}, "expected numbers"),
        (np.array([1j]), "expected numbers"),
        (10**400, "expected numbers"),
        (torch.zeros(2).to_sparse(), "got a sparse tensor"),
        (torch.zeros(2, device="meta"), "meta device"),
        (torch.zeros(2, dtype=torch.complex64), "complex numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_by_its_name(values, message):
    with pytest.raises(InputError, match=f"^weight: .*{message}"):
        as_numbers("weight", values)


def test_numbers_of_any_kind_are_an_array():
    for values in ([1, 2], (1, 2), np.array([1, 2], object), torch.tensor([1.0, 2.0], requires_grad=True)):
        assert as_numbers("weight", values).tolist() == [1, 2]
