"""Motion capture: markers and skeletons of laboratories, a file for each recording."""
