"""A run folder that somebody else made: whether it is as it was written, and whether another one has its numbers."""
