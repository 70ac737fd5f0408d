"""The prepared store: recordings read once, in parallel, into memory-mapped shards."""
