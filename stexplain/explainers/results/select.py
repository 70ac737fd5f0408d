"""The positions of a map of which an expected share is wrong."""

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.errors import InputError
from stexplain.explainers.results.calibrated import bundled
from stexplain.explainers.results.calibration import Calibration, Map, relative_importance


def selected(explanation: Map, share: float, calibration: Calibration | None) -> NDArray[np.bool_]:
    """See `Explanation.select`."""
    if not 0 < share < 1:
        raise InputError(f"share: got {share}; expected the largest share of wrong members, above 0 and below 1.")
    if calibration is None:
        calibration = _bundled(explanation)
        # Whoever gives a calibration knows it; whoever gives none must learn what the promise rests on.
        warn_caller(f"select: {calibration.promise(share)} Give `calibration` for others.")
    if (calibration.method, calibration.reduce) != (explanation.method, explanation.reduce):
        raise InputError(
            f"calibration: got one of {calibration.method!r} ({calibration.reduce}); expected one of "
            f"{explanation.method!r} ({explanation.reduce}). Make it: Calibration.of(explanation, truth)."
        )
    importance, valid = relative_importance(explanation), explanation.present
    chosen = np.zeros(valid.shape, bool)
    for row in range(len(valid)):
        places = np.flatnonzero(valid[row] & (importance[row] > 0))
        # The most important first.
        places = places[np.argsort(-importance[row].ravel()[places], kind="stable")]
        size = importance[row].ravel()[places]
        wrong = calibration.at(size)
        # The expected share of a set is the mean of its members' rates, which rises as less important ones join.
        kept = np.cumsum(wrong) <= share * np.arange(1, len(wrong) + 1)
        # Of positions that are equally important all or none: their place in the sample is no reason.
        kept[:-1] &= size[1:] != size[:-1]
        count = int(np.flatnonzero(kept).max(initial=-1)) + 1
        chosen[row].reshape(-1)[places[:count]] = True
    return chosen


def _bundled(explanation: Map) -> Calibration:
    known = [one for one in bundled() if (one.method, one.reduce) == (explanation.method, explanation.reduce)]
    for one in known:
        if one.nodes == tuple(explanation.node_names):
            return one
    why = (
        "how often its positions are wrong was measured of "
        + " and of ".join(one.data for one in known)
        + ", and says nothing of other nodes"
        if known
        else "how often its positions are wrong was not measured"
    )
    raise InputError(
        f"no calibration is known of {explanation.method!r} on this data: {why}. Give "
        "calibration=Calibration.of(explanation, truth), made of samples with a ground truth."
    )
