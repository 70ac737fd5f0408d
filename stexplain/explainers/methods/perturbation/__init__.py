"""Methods that perturb the input and compare scores."""
