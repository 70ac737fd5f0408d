"""Mutation tests of the core: run `python -m tests.mutation --help`."""
