"""Skeletons as sensors and formats list their joints."""
