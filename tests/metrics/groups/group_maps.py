"""Maps of known means, for the tests of groups."""

import numpy as np

from stexplain.explainers.explanation import Explanation

NAMES = ("hip", "knee", "hand")


def of(values, **options):
    values = np.asarray(values, np.float32)
    return Explanation(values, np.ones(values.shape[:3], bool), NAMES[: values.shape[-1]], **options)


def maps(means, frames=8, seed=0):
    """Maps whose mean over frames is exactly that, ``[B, N]``, and whose frames differ."""
    means = np.asarray(means, np.float64)
    wave = 1 + 0.5 * np.sin(2 * np.pi * np.arange(frames) / frames)
    return of(means[:, None, None, :] * (wave / wave.mean())[None, None, :, None])
