"""Checks of explainers: the self-test, invariances, and randomised weights."""
