"""The parts of a report: its first screen, and the facts at its end."""
