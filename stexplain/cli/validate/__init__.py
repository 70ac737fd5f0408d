"""Checks of the options of commands, before anything heavy is imported."""
