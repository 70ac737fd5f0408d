"""How many independent units, samples or groups of them, an interval needs."""

FEWEST = 5
"""Of fewer independent units there is no interval, in any table or chart: they show too little of what they vary by."""


def too_few(units: int, *, grouped: bool) -> str:
    """Why there is no interval.

    Example:
        >>> too_few(3, grouped=True)
        'too few groups: 3'
    """
    return f"too few {'groups' if grouped else 'samples'}: {units}"
