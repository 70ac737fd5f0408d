"""The note of which method was chosen by default, in full and as a figure says it."""

BEST = (
    "Of the methods of at most 40 inferences it found best, on average over trained networks, what they used of "
    "generated recordings, and how much"
)
"""Why the default is the default."""


def chosen(why: str, method: str, layer: str) -> str:
    """The note of a method that nobody named.

    Args:
        why: it was taken, without a full stop.
        method: its name.
        layer: that it explains; empty: the input.

    Example:
        >>> chosen("The layer is the last", "STG-Grad-CAM", "blocks.3")
        'The layer is the last: explained by STG-Grad-CAM at blocks.3. Give `method` or `layer` for another.'
    """
    where = f" at {layer}" if layer else ""
    return f"{why}: explained by {method}{where}. Give `method` or `layer` for another."


def in_figure(note: str) -> str:
    """A note as it stands below the title of a figure: the default says its name there, and not why it is the default.

    Where the default could not be computed, the reason is of this explanation, and stays.

    Example:
        >>> in_figure(chosen(BEST, "expected fall", ""))
        'Explained by expected fall.'
        >>> in_figure("The layer has no nodes.")
        'The layer has no nodes.'
    """
    if not note.startswith(f"{BEST}: "):
        return note
    return note.removeprefix(f"{BEST}: ").split(". Give `method`")[0].capitalize() + "."
