"""Standardises values to mean 0 and standard deviation 1, fitted on training windows only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stexplain.checking import checked
from stexplain.errors import DataError, InputError

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries


@checked
@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each channel: z = (x - mean) / std.

    A model keeps it as buffers, so that it takes and gives physical units, and no test value ever enters it.

    Args:
        mean: of each channel, ``[C]``, in the channel's unit.
        std: of each channel, ``[C]``, above 0.

    Raises:
        InputError: where the two differ in length, are not finite, or a deviation is not above 0.

    Example:
        >>> scaler = Scaler([50.0], [10.0])
        >>> scaler.mean, scaler.std
        ((50.0,), (10.0,))
        >>> scaler == Scaler(**scaler.to_dict())
        True
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, mean: Iterable[float], std: Iterable[float]) -> None:
        # Frozen, so fields are set past the dataclass: any iterable is accepted and kept as plain floats.
        object.__setattr__(self, "mean", tuple(float(value) for value in mean))
        object.__setattr__(self, "std", tuple(float(value) for value in std))
        if len(self.mean) != len(self.std):
            raise InputError(
                f"got {len(self.mean)} values of mean and {len(self.std)} of std; expected one each per channel."
            )
        if not np.isfinite(self.mean).all() or not np.isfinite(self.std).all() or min(self.std, default=1.0) <= 0:
            raise InputError(f"got mean {self.mean} and std {self.std}; expected finite numbers, and std above 0.")

    @classmethod
    def fit(cls, train: "WindowedSeries") -> "Scaler":
        """The scaler of a training split.

        Every observed value that a window of `train` reads or predicts counts once, however many windows hold it.
        A channel that does not vary has the deviation 1.

        Args:
            train: the training split of a series, from `WindowedSeries.split`.

        Raises:
            DataError: where nothing of a channel was observed.

        Example:
            >>> from stexplain.data.series import WindowedSeries
            >>> train, _, test = WindowedSeries(np.arange(80.0).reshape(40, 2), window=2, horizon=2).split()
            >>> Scaler.fit(train).mean  # of 28 frames, the values 0 to 55
            (27.5,)
        """
        channels = len(train.channels)
        # `squares` is the sum of squared deviations from the mean so far.
        count, mean, squares = np.zeros(channels), np.zeros(channels), np.zeros(channels)
        for values, observed in train.observations():
            for c in range(channels):
                # Float64, and parts merged by Chan et al. (1983): no digits are lost however large the mean is.
                part = values[..., c][observed[..., c]].astype(np.float64)
                if not part.size:
                    continue
                difference = part.mean() - mean[c]
                total = count[c] + part.size
                squares[c] += np.square(part - part.mean()).sum() + difference**2 * count[c] * part.size / total
                mean[c] += difference * part.size / total
                count[c] = total
        if not count.all():
            missing = train.channels[int(np.flatnonzero(count == 0)[0])]
            raise DataError(
                f"the training windows hold no observed value of {missing!r}. Is `missing` right, or the split?"
            )
        std = np.sqrt(squares / count)
        # A constant channel is only centred: a division by 0 would make it NaN.
        return cls(mean, np.where(std > 0, std, 1.0))

    def to_dict(self) -> dict[str, list[float]]:
        """Mean and standard deviation as lists, for JSON."""
        return {"mean": list(self.mean), "std": list(self.std)}
