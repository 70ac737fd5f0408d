"""Skeletons as people have them: files and folders of common formats, read to clips by one call, `load_skeletons`."""
