"""Methods that explain by the output of a layer."""
