"""Explanations of several streams: of each, taken out of the one of all, and their sum."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.results.made_by import in_all
from stexplain.explainers.target import Target

SAME_MAP = "The layer comes after all streams of x are joined: its map is the same for each."


class StreamExplainer(ModelCaller, ABC):
    """What explains several streams by explaining the one input that they make."""

    layer_name: str = ""

    @abstractmethod
    def _explain(
        self, x: Signals | Streams, targets: Sequence[Target], call: ModelCall, ids: Sequence[Any] | None
    ) -> list[Explanation]:
        """An explanation for each target."""

    def _explain_streams(
        self,
        x: Streams,
        targets: Sequence[Target],
        call: ModelCall,
        ids: Sequence[Any] | None,
    ) -> list[dict[str, Explanation]]:
        """An explanation of each stream, for each target."""
        by_target: list[dict[str, Explanation]] = [{} for _ in targets]
        if not self.layer_name and not self._splits_channels:
            # One stream after the other is perturbed, and the others are left as they are.
            try:
                for self._only_stream in x:
                    self._add_streams(x, self._explain(x, targets, call, ids), by_target)
            finally:
                self._only_stream = None
            return by_target
        self._add_streams(x, self._explain(x, targets, call, ids), by_target)
        return by_target

    def _add_streams(
        self, names: Iterable[str], wholes: Sequence[Explanation], by_target: Sequence[dict[str, Explanation]]
    ) -> None:
        """Enters into `by_target` what explanations of all streams say of each, or of the one that was perturbed."""
        for whole, found in zip(wholes, by_target, strict=True):
            for name in names if self._only_stream is None else [self._only_stream]:
                if self._streams is None or self.layer_name:
                    found[name] = replace(whole, notes=(*whole.notes, SAME_MAP))
                    continue
                channels = self._streams.channels(name)
                # Methods that perturb may know channels too, but made the map of this stream alone.
                own = whole.channels if self._splits_channels else None
                values = whole.values if own is None else self._reduced(own[..., channels])
                call = replace(whole.call or ModelCall(), stream=name)
                found[name] = replace(of_stream(whole, channels, values), call=call)

    @property
    def _splits_channels(self) -> bool:
        """Whether the map is made of one per channel, so that each of several streams has its own; see `_reduced`."""
        return False

    def _reduced(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The map ``[B, M, T, N]`` of the maps of some channels, ``[B, M, T, N, C]``."""
        values: NDArray[np.float32] = channels.sum(-1)
        return values


def of_stream(whole: Explanation, channels: slice, values: NDArray[np.float32]) -> Explanation:
    """The explanation of one stream.

    Args:
        whole: of all streams.
        channels: those of the stream, among those of all.
        values: its map, ``[B, M, T, N]``.

    Example:
        >>> both = np.array([[[[[1.0, 2.0]]]]])
        >>> whole = Explanation(both.sum(-1), np.ones((1, 1, 1), bool), channels=both)
        >>> of_stream(whole, slice(1, 2), both[..., 1]).channels.tolist()
        [[[[[2.0]]]]]
    """
    if whole.channels is None:
        return replace(whole, values=values)
    return replace(
        whole,
        values=np.where(whole.valid[..., None], values, 0),
        channels=whole.channels[..., channels],
        # Of the map of all streams: it says nothing of one.
        standard_error=None,
        # Numbers, which count the channels of all streams, begin anew.
        channel_names=()
        if whole.channel_names == tuple(map(str, range(len(whole.channel_names))))
        else (whole.channel_names[channels]),
    )


@checked
def summed(by_stream: Mapping[str, Explanation]) -> Explanation:
    """The maps of several streams added up: where and when all of them together contribute to the target.

    Args:
        by_stream: what an explainer gives for a dict of streams.

    Returns:
        An explanation ``[B, M, T, N]``, in units of the score.

    Raises:
        InputError: where there is none, or the map of a layer is the same for each: it is not a sum.

    Example:
        >>> one = Explanation(np.array([[[[1.0, -2.0]]]]), np.ones((1, 1, 1), bool))
        >>> summed({"joint": one, "bone": one}).values.tolist()
        [[[[2.0, -4.0]]]]
    """
    parts = list(by_stream.values())
    if not parts:
        raise InputError("by_stream: got no explanations; expected one by the name of each stream.")
    if len(parts) > 1 and any(SAME_MAP in part.notes for part in parts):
        raise InputError(
            "by_stream: got maps of a layer after the streams are joined; expected one map per stream. "
            "The map is the same for each: take one."
        )
    total = np.sum([part.values for part in parts], axis=0)
    names = ", ".join(by_stream)
    note = f"The sum of the maps of the streams {names}."
    # What was made of each stream by itself has further numbers of its own, which are not those of the sum.
    extra = {
        name: numbers
        for name, numbers in parts[0].extra.items()
        if all(np.array_equal(numbers, part.extra.get(name, []), equal_nan=True) for part in parts)
    }
    # Channels are of single streams; errors of sums are not known.
    return replace(
        parts[0], values=total, channels=None, channel_names=(), reduce="", standard_error=None, layer_values=None,
        call=None, extra=extra, made_by=in_all([part.made_by for part in parts]),
        notes=(note, *dict.fromkeys(note for part in parts for note in part.notes)),
    )  # fmt: skip
