"""Checks of an explainer on a model: the self-test with its invariance checks, and parameter randomisation.

They test the software, not whether an explanation is right: an explainer that passes gives the same map for the same
samples, sums exactly where theory says so, restores the model, and depends on the model's weights.
"""
