"""The note of which method was chosen by default."""

from collections.abc import Sequence

_WHY = "the default: of methods this fast it found best what trained networks used."
"""What it rests on: docs/decisions/0241."""


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
        return f"Explained by {method}, {_WHY}"
    where = f" at {layer}" if layer else ""
    return f"{why}: explained by {method}{where}. Give method= or layer= for another."


def beyond_default(notes: Sequence[str]) -> list[str]:
    """The notes that tell more than that the method is the default, where that is said elsewhere.

    Example:
        >>> beyond_default([chosen("", "expected fall"), "The layer has no nodes."])
        ['The layer has no nodes.']
    """
    return [note for note in notes if not note.endswith(_WHY)]
