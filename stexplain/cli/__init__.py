"""The command line: the same calls as from Python."""
