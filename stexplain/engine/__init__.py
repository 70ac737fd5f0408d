"""Runs the parts of a long work: in this process, in child processes, or on a Ray cluster."""
