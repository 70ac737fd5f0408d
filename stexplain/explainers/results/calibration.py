"""How often a position of a given importance is wrong, measured where the truth is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import InputError
from stexplain.reading.contents import reason_of

# Positions are sorted into this many bins of equal count before the fit: enough for shares of a few per cent.
_BINS = 200


class Map(Protocol):
    """What is used of an `Explanation`."""

    @property
    def values(self) -> NDArray[np.float32]: ...  # noqa: D102  # see `Explanation`
    @property
    def importance(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def present(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def reduce(self) -> str: ...  # noqa: D102
    @property
    def node_names(self) -> tuple[str, ...]: ...  # noqa: D102


@checked
@dataclass(frozen=True)
class Calibration:
    """The local false discovery rate of a method (Efron, Large-Scale Inference, 2010, ch. 5), fitted to a ground truth.

    A position is *wrong* where the ground truth does not mark it. How often, is a falling function of its *relative
    importance*: ReLU of the value, divided by the sample's mean over observed positions. The function is fitted by
    isotonic regression to samples whose truth is known.

    It holds for samples and models like those it was fitted to. Other data, another model or another kind of cause may
    have another function: then make one, `of` generated samples with a ground truth that resemble one's own. The share
    is an expectation over samples, not a promise for each.

    Attributes:
        method: of the explanations, by name.
        reduce: how their values follow from channels, in words.
        importance: relative importance, rising, ``[K]``.
        wrong: the share of wrong positions there, falling, ``[K]``, in [0, 1].
        data: what it was fitted to, in words.
        nodes: the nodes of those samples.
        measured: of other samples of that kind: the share that was promised -> the share of the members of all sets
            that was wrong. Empty: not measured.

    Example:
        >>> known = Calibration("ours", "", np.array([0.5, 2.5]), np.array([0.75, 0.25]), "planted bodies")
        >>> known.at(np.array([1.5, 9.0])).tolist()  # half of the way; beyond the last it stays
        [0.5, 0.25]
    """

    method: str
    reduce: str
    importance: NDArray[np.float64]
    wrong: NDArray[np.float64]
    data: str = ""
    nodes: tuple[str, ...] = ()
    measured: Mapping[float, float] = field(default_factory=dict)

    @classmethod
    def of(cls, explanation: Map, truth: ArrayLike, data: str = "") -> "Calibration":
        """The calibration of a method on samples with a ground truth.

        Args:
            explanation: of them; some hundred samples, better from several trainings.
            truth: which positions are right, ``[B, M, T, N]``, bool.
            data: what they are, in words.

        Raises:
            InputError: where the truth has another shape, or is the same at all positions.

        Example:
            >>> from stexplain.explainers.explanation import Explanation
            >>> values = np.arange(8.0).reshape(1, 1, 2, 4)
            >>> e = Explanation(values, np.ones((1, 1, 2), bool))
            >>> Calibration.of(e, values > 3).wrong.tolist()
            [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        """
        right = np.asarray(truth, bool)
        check_shape("truth", right.shape, "b m t n", **dict(zip("bmtn", explanation.values.shape, strict=True)))
        valid = explanation.present
        x, wrong = relative_importance(explanation)[valid], ~right[valid]
        if wrong.all() or not wrong.any():
            raise InputError("truth: got the same everywhere; expected some positions that are right and some not.")
        at, heights, counts = _binned(x, wrong)
        # Falling: the more important a position, the less often it is wrong.
        fitted = isotonic_regression(heights, weights=counts, increasing=False).x
        return cls(
            explanation.method,
            explanation.reduce,
            at,
            np.array(fitted),
            data,
            tuple(explanation.node_names),
        )

    def promise(self, share: float) -> str:
        """What a share rests on, in a sentence or two.

        Example:
            >>> known = Calibration("ours", "", np.ones(1), np.ones(1), "planted bodies", measured={0.1: 0.08})
            >>> for sentence in known.promise(0.1).split(". "):
            ...     print(sentence)
            A share of at most 0.1 of the positions is expected to be wrong, for data and models like planted bodies
            Measured on further samples of these: 0.08, where 0.1 was promised.
        """
        rests = self.data or "the samples of the calibration"
        text = (
            f"A share of at most {share:g} of the positions is expected to be wrong, for data and models like {rests}."
        )
        if not self.measured:
            return text
        near = min(self.measured, key=lambda promised: abs(promised - share))
        return f"{text} Measured on further samples of these: {self.measured[near]:.2g}, where {near:g} was promised."

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; runs of equal rates as their ends."""
        # Between the ends of a run the rate is the same, so the points between say nothing.
        same = np.diff(self.wrong) == 0
        inner = (
            np.concatenate([[False], same[:-1] & same[1:], [False]])
            if len(same) > 1
            else np.zeros(len(self.wrong), bool)
        )
        return {
            "method": self.method,
            "reduce": self.reduce,
            "data": self.data,
            "nodes": list(self.nodes),
            "measured": [[promised, share] for promised, share in self.measured.items()],
            "importance": self.importance[~inner].tolist(),
            "wrong": self.wrong[~inner].tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that `to_dict` gave; further entries, such as where it comes from, are left alone.

        Raises:
            InputError: where an entry is missing, or is something else.
        """
        try:
            return cls(
                values["method"],
                values["reduce"],
                np.array(values["importance"], np.float64),
                np.array(values["wrong"], np.float64),
                values["data"],
                tuple(values["nodes"]),
                {float(promised): float(share) for promised, share in values["measured"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"values: got a dict that is no calibration ({reason_of(error)}); expected what Calibration.to_dict() "
                "gives."
            ) from error

    def at(self, importance: NDArray[Any]) -> NDArray[np.float64]:
        """The share of wrong positions at a relative importance."""
        # Beyond the ends of what was seen the function stays as it is there: nothing is extrapolated.
        return np.asarray(np.interp(as_numbers("importance", importance), self.importance, self.wrong), np.float64)


def _binned(
    x: NDArray[np.float64], wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean importance, share of wrong ones and number of the positions of each bin, by rising importance.

    Positions of equal importance are in one bin, however many: apart, their order in the sample would have a rate.
    """
    values, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    bins = min(_BINS, len(x))
    size, more = divmod(len(x), bins)
    ends = np.cumsum([size + 1] * more + [size] * (bins - more))
    # Equal ones go into the bin where they begin; more than fill one have it for themselves.
    begin = np.searchsorted(ends, np.cumsum(counts) - counts, side="right")
    _, bin_of = np.unique(2 * begin + (counts > size), return_inverse=True)
    of = bin_of.reshape(-1)[which.reshape(-1)]
    number = np.bincount(of).astype(np.float64)
    at = np.bincount(bin_of.reshape(-1), values * counts) / number
    return at, np.bincount(of, wrong) / number, number


def relative_importance(explanation: Map) -> NDArray[np.float64]:
    """Importance over its mean at the observed positions of the sample, ``[B, M, T, N]``; zero in an empty map."""
    importance = explanation.importance.astype(np.float64)
    valid = explanation.present
    mean = (importance * valid).sum((1, 2, 3), keepdims=True) / np.maximum(valid.sum((1, 2, 3), keepdims=True), 1)
    return np.asarray(importance / np.where(mean > 0, mean, 1))
