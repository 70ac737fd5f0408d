r"""Names in scripts that are written from right to left, within English text.

Without a mark a browser takes a number, comma or bracket behind such a name for a part of it: of a Hebrew name and
", 30 min" it shows the 30 before the name, and of two such names in a list the second first.
"""

import re

ISOLATE, END = "\u2068", "\u2069"
"""What stands between the two is laid out alone, by its own first letter (Unicode's bidirectional algorithm, X5c)."""

# Hebrew, Arabic, Syriac, Thaana, N'Ko and others, with their presentation forms.
_LETTER = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT = re.compile(f"[{_LETTER}]")
# A name ends at a comma or a Latin letter; a number behind it and brackets around more of such a script belong to it.
_NAME = re.compile(
    rf"(?:(?<!\w)\d+[\s_-])?[{_LETTER}]+"
    rf"(?:[\s\d_/'\"״׳&+.-]*[{_LETTER}]+|\s*\([^()A-Za-z]*[{_LETTER}][^()A-Za-z]*\)|[\s_-]?\d+(?![\d.]*[\d%]))*"
)


def isolated(text: str) -> str:
    r"""A sentence whose names from right to left do not change the order of what stands around them.

    Example:
        >>> isolated("at \u05d9\u05d3 6, 30 min") == "at \u2068\u05d9\u05d3 6\u2069, 30 min"
        True
    """
    # What is marked already, name by name, stays.
    return text if ISOLATE in text else _NAME.sub(rf"{ISOLATE}\g<0>{END}", text)


def isolated_name(name: str) -> str:
    r"""A name as a whole, as `isolated` marks it, where a word is to follow it.

    Example:
        >>> isolated_name("hip"), isolated_name("\u05d9\u05d3, 2") == "\u2068\u05d9\u05d3, 2\u2069"
        ('hip', True)
    """
    return f"{ISOLATE}{name}{END}" if _RIGHT_TO_LEFT.search(name) and ISOLATE not in name else name
