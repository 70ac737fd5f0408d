"""The checks of `stexplain doctor`."""
