"""Slow, obvious re-implementations in float64, written from the definitions, that tests compare the package with."""
