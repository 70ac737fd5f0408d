"""Intervals of shares, and what may be said of samples that are all alike."""

from scipy.optimize import brentq
from scipy.stats import binom


def share_ends(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """The mid-P interval of a share (Lancaster 1961): Clopper and Pearson's, with half of the probability of what came.

        low:   P(more than k | low) + P(k | low) / 2 = (1 - confidence) / 2,   and likewise the high end

    Unlike the exact interval it is not too wide on average, unlike Wilson's it does not fail near 0 and 1.

    Args:
        successes: k of n.
        trials: n, at least 1.
        confidence: in (0, 1).

    Example:
        >>> [round(end, 3) for end in share_ends(8, 8, 0.95)]
        [0.688, 1.0]
    """
    tail = (1 - confidence) / 2

    def above(p: float) -> float:
        """Probability of more than was counted, and half of that of the count itself."""
        return float(binom.sf(successes, trials, p) + binom.pmf(successes, trials, p) / 2)

    # At 0 and n one end is the bound itself: no smaller or larger share is possible.
    low = 0.0 if successes == 0 else float(brentq(lambda p: above(p) - tail, 0.0, 1.0))
    high = 1.0 if successes == trials else float(brentq(lambda p: above(p) - (1 - tail), 0.0, 1.0))
    return low, high


def unseen_share(count: int, confidence: float) -> float:
    """The largest share of others that is compatible with `count` samples that are all alike: the rule of three.

        q = 1 - (1 - confidence) ** (1 / count),   about 3 / count at 95%

    Example:
        >>> round(unseen_share(8, 0.95), 3), round(unseen_share(100, 0.95), 3)
        (0.312, 0.03)
    """
    return float(1 - (1 - confidence) ** (1 / count))
