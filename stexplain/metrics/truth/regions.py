"""Regions of samples: windows of time of nodes, or of groups of nodes; and maps averaged over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.explainers.results.joining import check_alike
from stexplain.graph.checks import node_index


def members_of(
    groups: Mapping[str, Sequence[int | str]] | None, names: Sequence[str], nodes: int
) -> dict[str, NDArray[np.bool_]]:
    """The nodes of each group, ``[N]`` bool, by its name.

    Args:
        groups: nodes by name or index; none: each node by itself.
        names: of the nodes; empty: they are numbered.
        nodes: how many there are.

    Raises:
        InputError: for a node that does not exist, no group, or one without nodes.

    Example:
        >>> members_of({"arm": ["hand", 0]}, ["elbow", "head", "hand"], 3)["arm"].tolist()
        [True, False, True]
    """
    known = list(names) or [str(index) for index in range(nodes)]
    if groups is None:
        return {name: np.arange(nodes) == index for index, name in enumerate(known)}
    if not groups or not all(groups.values()):
        raise InputError("groups: got none, or one without nodes; expected at least one group of nodes.")
    return {
        name: np.isin(np.arange(nodes), [node_index(node, known, nodes) for node in members])
        for name, members in groups.items()
    }


@dataclass(frozen=True)
class Regions:
    """Which positions each region (window x group) has.

    Attributes:
        window: of each frame of each sample, ``[B, T]``; -1 after its last valid frame.
        observed: the mask of observed positions, ``[B, M, T, N]``.
        members: the nodes of each group, ``[G, N]`` bool.
        names: of the groups.
        windows: how many windows.
    """

    window: NDArray[np.int64]
    observed: NDArray[np.bool_]
    members: NDArray[np.bool_]
    names: tuple[str, ...]
    windows: int

    @classmethod
    def of(cls, observed: NDArray[np.bool_], windows: int, members: Mapping[str, NDArray[np.bool_]]) -> "Regions":
        """The frames of each sample up to its last observed one, in equal parts, for each of some groups.

        Args:
            observed: the mask of observed positions, ``[B, M, T, N]``.
            windows: how many.
            members: the nodes of each group, ``[N]`` bool.

        Raises:
            InputError: where there are more windows than frames, or less than one.

        Example:
            >>> observed = np.array([True] * 6 + [False])[None, None, :, None]
            >>> Regions.of(observed, 3, {"a": np.array([True])}).window.tolist()
            [[0, 0, 1, 1, 2, 2, -1]]
        """
        frames = observed.shape[2]
        # An instance may end before another: a frame counts where any is there.
        length = np.max(np.where(observed.any((1, 3)), np.arange(1, frames + 1), 0), axis=1)
        shortest = int(length.min())
        if not 1 <= windows <= shortest:
            raise InputError(f"windows: got {windows}; expected 1 to {shortest}, the frames of the shortest sample.")
        frame = np.arange(frames)
        window = np.where(frame < length[:, None], frame * windows // length[:, None], -1)
        return cls(window, observed, np.stack(list(members.values())), tuple(members), windows)

    def positions(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """The positions of one region of each sample, ``[B, 1, T, N]``; it is of all instances.

        Args:
            chosen: its index, window by window and group by group in each; -1: none.
        """
        window, group = np.divmod(np.asarray(chosen), len(self.names))
        # -1 is floor-divided to the window -1, which frames after the end have.
        in_window = (self.window == window[:, None]) & (np.asarray(chosen) >= 0)[:, None]
        found: NDArray[np.bool_] = in_window[:, None, :, None] & self.members[group][:, None, None, :]
        return found

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether anything of each region was observed, ``[B, W, G]``."""
        return self.any(self.observed)

    def any(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether any observed position of each region is in a mask ``[B, M, T, N]``: ``[B, W, G]``."""
        touched: NDArray[np.bool_] = np.any(mask & self.observed, axis=1, keepdims=False)
        return self._sums(touched.astype(np.float64)) > 0

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """A map ``[B, M, T, N]`` averaged over the observed frames and nodes of each region, ``[B, W, G]``.

        Over instances it is summed: a region is of all of them, and one that is absent takes nothing from another.
        Zero where nothing of a region was observed.
        """
        observed = np.any(self.observed, axis=1, keepdims=False)  # [B, T, N]
        total = self._sums(np.sum(np.where(self.observed, values, 0.0), axis=1, dtype=np.float64))
        # Gaps in time are left out and not counted as zeros.
        count = self._sums(observed.astype(np.float64))
        means: NDArray[np.float64] = total / np.maximum(count, 1)
        return means

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of values ``[B, T, N]`` over each region, ``[B, W, G]``."""
        over_groups = values @ self.members.T.astype(np.float64)  # [B, T, G]
        indicator = (self.window[:, None, :] == np.arange(self.windows)[:, None]).astype(np.float64)  # [B, W, T]
        sums: NDArray[np.float64] = indicator @ over_groups
        return sums

    @classmethod
    def joined(cls, parts: "Sequence[Regions]") -> "Regions":
        """The regions of several batches as one.

        Raises:
            InputError: if there are none, or they differ in windows, groups or the length of samples.
        """
        check_alike("regions", parts, ["windows", "names", "members"])
        if len({part.window.shape[1] for part in parts}) > 1:
            raise InputError("regions: got samples of several lengths; expected batches of one length.")
        # Batches may have left out instances that none of their samples has.
        instances = max(part.observed.shape[1] for part in parts)
        observed = [
            np.pad(part.observed, ((0, 0), (0, instances - part.observed.shape[1]), (0, 0), (0, 0))) for part in parts
        ]
        first = parts[0]
        window = np.concatenate([part.window for part in parts])
        return cls(window, np.concatenate(observed), first.members, first.names, first.windows)
