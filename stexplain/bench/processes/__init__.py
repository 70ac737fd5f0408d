"""Computes the stages of runs: of one after another, or of several at a time, each in a process of its own."""
