"""Charts of explanations and graphs."""
