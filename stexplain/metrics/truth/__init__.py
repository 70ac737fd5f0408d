"""Truths of a model: what it used of samples whose counterfactual is known, and scores of explanations against it."""
