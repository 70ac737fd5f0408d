"""What `stexplain explain` reads, computes and writes."""
