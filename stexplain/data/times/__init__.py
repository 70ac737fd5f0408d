"""Times of frames: whether they are evenly spaced, and what to do where they are not."""
