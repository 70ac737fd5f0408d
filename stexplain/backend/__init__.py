"""Message passing, and the library that computes it."""
