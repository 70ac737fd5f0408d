"""What intervals are made of: groups of samples, standard errors, shares; put together by `interval`."""
