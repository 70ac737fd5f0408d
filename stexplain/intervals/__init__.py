"""Confidence intervals: of means and ratios, over samples or groups of them; used by training and by metrics."""
