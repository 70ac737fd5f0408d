"""How well explainers find the truth of known models: a table, and what every explainer must find."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from stexplain.checks.known.catalogue import known_models
from stexplain.checks.known.network import KnownModel
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.targets import Class
from stexplain.metrics.localisation import localisation

# Above all noise, and below all events, of the known models' samples.
_ACTIVE = 0.5


def score_table(make: Callable[[nn.Module], Explainer], models: Sequence[KnownModel] | None = None) -> pd.DataFrame:
    """The scores of an explainer on known models.

    Positions that lower the class's score are excluded from the ranking; `sign` says how they were distinguished.

    Args:
        make: an explainer's class, or another callable that makes one of a model.
        models: default: all `known_models`.

    Returns:
        A row per model: `kind`, `over`; means over samples of `auroc` and `average_precision` of the signed values
        over positions; of `rivals`, that AUROC among the active positions alone, where a map that asks no model has
        about one half or less; of `top_share` (which share of as many highest values as there are true positions lies
        at true ones); and `sign`, the share of positions with a sign whose value has the same, NaN where no value is
        negative.

    Raises:
        InputError: as the explainer does.

    Example:
        >>> from stexplain.explainers.methods.gradient.input_gradient import InputGradient
        >>> table = score_table(InputGradient, known_models("decoy"))
        >>> table.over.tolist(), table.auroc.tolist(), table.top_share.tolist()
        (['skeleton', 'roads'], [1.0, 1.0], [1.0, 1.0])
    """
    rows = []
    for known in known_models() if models is None else models:
        with make(known.model) as explainer:
            values = explainer(known.x, target=Class(list(known.classes))).values
        rows.append({"kind": known.kind, "over": known.over, **scores(values, known)})
    return pd.DataFrame(rows)


def scores(values: NDArray[np.float32], known: KnownModel) -> dict[str, float]:
    """The scores of a map ``[B, M, T, N]`` of a known model's samples."""
    for_class = known.sign > 0
    # What speaks against a class may be ranked high, by methods without a sign, or low: it decides nothing here.
    kept = known.sign >= 0
    samples = len(values)
    # Each sample as one frame with as many nodes as there are positions, some of which are not valid.
    flat = [array.reshape(samples, 1, 1, -1) for array in (values, for_class, kept)]
    # Positions that are active: only what the model does tells those that count from the others.
    active = known.x[..., 0].numpy() > _ACTIVE
    rest = [np.where(flat[2], flat[0], -np.inf), flat[1]]
    auroc, precision, top, rivals = [], [], [], []
    for row in range(samples):
        mask = flat[2][row : row + 1]
        found = localisation(
            flat[0][row : row + 1][mask][None, None, None], flat[1][row : row + 1][mask][None, None, None]
        )
        auroc.append(found.scores["positions"]["auroc"][0])
        precision.append(found.scores["positions"]["average_precision"][0])
        among = kept[row] & active[row]
        rivals.append(_auroc(values[row][among], for_class[row][among]))
        top.append(_top_share(rest[0][row].ravel(), rest[1][row].ravel()))
    negative = values < -1e-6 * np.abs(values).max()
    signed = known.sign != 0
    sign = float((np.sign(values[signed]) == known.sign[signed]).mean()) if negative.any() else float("nan")
    return {
        "auroc": float(np.mean(auroc)),
        "average_precision": float(np.mean(precision)),
        "rivals": float(np.mean(rivals)),
        "top_share": float(np.mean(top)),
        "sign": sign,
    }


def _auroc(values: NDArray[np.float32], true: NDArray[np.bool_]) -> float:
    """The probability that a true one of some values is higher than another; 1 where there is no other."""
    if true.all():
        return 1.0
    differences = values[true][:, None] - values[~true][None]
    return float(((differences > 0) + (differences == 0) / 2).mean())


def _top_share(values: NDArray[np.float32], true: NDArray[np.bool_]) -> float:
    """The share of the highest values, as many as there are true ones, that is true; ties count by their share."""
    count = int(true.sum())
    lowest = np.sort(values)[-count]
    above, tied = values > lowest, values == lowest
    return float((true[above].sum() + (count - above.sum()) * true[tied].mean()) / count)
