"""A fuzzer over everything that reads what others wrote: run `python -m tests.fuzz --help`."""
