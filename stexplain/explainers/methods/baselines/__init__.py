"""Baseline explainers: explainers that call no model, one file each."""
