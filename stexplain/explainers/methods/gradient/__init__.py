"""Methods that explain by gradients with respect to the input."""
