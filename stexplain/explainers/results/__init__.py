"""What is made of explanations: sets of positions chosen by a calibration, and the check before joining."""
