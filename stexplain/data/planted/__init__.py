"""Generators of synthetic data with ground truth, their counterfactuals and their oracles."""
