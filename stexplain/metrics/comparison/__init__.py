"""Comparison of explainers on the same samples: scores per sample, paired permutation tests, and the table of both.

What users need of it is exported by `stexplain.metrics`.
"""
