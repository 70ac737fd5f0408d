"""Readers of files: one module per format on disk."""
