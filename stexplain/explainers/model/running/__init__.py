"""Running a model: frozen, plainly, on a working copy, checked for what is not finite, and as before afterwards."""
