"""What pose estimators write, a file for each format; `frames` makes persons over time of bodies frame by frame."""
