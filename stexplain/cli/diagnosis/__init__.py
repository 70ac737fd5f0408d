"""What `stexplain doctor` checks."""
