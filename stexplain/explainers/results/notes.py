"""The note of which method was chosen by default."""


def chosen(why: str, method: str, layer: str = "") -> str:
    """The note of a method that nobody named.

    Args:
        why: another than the default was taken, without a full stop; empty: it is the default.
        method: its name.
        layer: that it explains; empty: the input.

    Example:
        >>> chosen("", "expected fall")
        'Explained by expected fall, the default: of methods this fast it found best what trained networks used.'
        >>> chosen("The layer is the last", "STG-Grad-CAM", "blocks.3")
        'The layer is the last: explained by STG-Grad-CAM at blocks.3. Give method= or layer= for another.'
    """
    if not why:
        # What it rests on: docs/decisions/0241.
        return f"Explained by {method}, the default: of methods this fast it found best what trained networks used."
    where = f" at {layer}" if layer else ""
    return f"{why}: explained by {method}{where}. Give method= or layer= for another."
