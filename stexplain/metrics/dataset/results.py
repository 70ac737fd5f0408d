"""Results over whole datasets that hold no more than numbers per clip, or the names of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.truth.effect import USED, effect_frame, used_regions
from stexplain.result import Result
from stexplain.wording import counted


@checked
@dataclass(frozen=True, repr=False)
class DatasetEffect(Result):
    """The effect of every region of each clip of a dataset; see `Effect`, which also knows the regions' positions.

    Attributes:
        values: ``[n, W, G]``, W windows of G nodes or groups, in the units of the score.
        before: the score of each clip as it is, ``[n]``.
        after: its score where all is replaced by its counterfactual, ``[n]``.
        classes: the class that the score is of, ``[n]``; -1 where it is of none.
        inferences: how many forward passes each clip took, ``[n]``.
        ids: the names of the clips.
        names: of the nodes or groups.
        score: what was measured, in words.

    Example:
        >>> values, before, after = np.array([[[4.0, 0.0], [1.0, 0.0]]]), np.array([6.0]), np.array([1.0])
        >>> of = {"classes": np.array([2]), "inferences": np.array([5]), "ids": ("clip 1",), "score": "logit"}
        >>> found = DatasetEffect(values, before, after, names=("hand", "foot"), **of)
        >>> found.groups().tolist(), found.used(0.5).tolist()
        ([[4.0, 0.0]], [[[True, False], [False, False]]])
    """

    values: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    classes: NDArray[np.int64]
    inferences: NDArray[np.int64]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    score: str

    def _said(self) -> str:
        return (
            f"{counted(len(self.ids), 'clip')}: {self.values.shape[1]} windows of {self.values.shape[2]} groups "
            "of nodes"
        )

    def used(self, share: float = USED) -> NDArray[np.bool_]:
        """The regions that the model used, ``[n, W, G]``; see `Effect.used`."""
        return used_regions(self.values, share)

    def groups(self) -> NDArray[np.float64]:
        """The effect of each node or group, ``[n, G]``: its largest over the windows."""
        largest: NDArray[np.float64] = self.values.max(axis=1)
        return largest

    def to_frame(self) -> pd.DataFrame:
        """A row per clip, window and group: ``id, window, group, effect``."""
        return effect_frame(self.values, self.ids, self.names)


@checked
@dataclass(frozen=True)
class SavedExplanations(Sequence[Explanation]):
    """Explanations of a dataset that lie in files; one file is read at a time.

    Attributes:
        files: netCDF, in the order of the clips; see `Explanation.load`.
        samples: how many clips each has.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "part-0.nc"
        >>> Explanation(np.ones((2, 1, 4, 3)), np.ones((2, 1, 4), bool)).save(path)
        >>> saved = SavedExplanations((path,), (2,))
        >>> len(saved), saved[0].values.shape
        (1, (2, 1, 4, 3))
    """

    files: tuple[Path, ...]
    samples: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> "SavedExplanations": ...
    def __getitem__(self, index: int | slice) -> "Explanation | SavedExplanations":
        if isinstance(index, slice):
            return SavedExplanations(self.files[index], self.samples[index])
        return Explanation.load(self.files[index])
