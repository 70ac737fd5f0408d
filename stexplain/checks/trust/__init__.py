"""Whether to trust a map of a model: one verdict with its reasons, of the model's accuracy and six tests of the map."""
