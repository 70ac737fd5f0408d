"""Charts of scores, errors and curves."""
