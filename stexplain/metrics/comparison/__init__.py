"""Comparing methods on the same samples: scores per sample, paired tests, and the table of both."""
