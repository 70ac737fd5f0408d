"""The kinds of known models, one file each."""
