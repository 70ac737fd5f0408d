"""Measuring what the outputs of a model's layers stand for: copies of one sample, one thing changed in each."""
