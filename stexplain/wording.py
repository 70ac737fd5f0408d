"""Words that go by what they stand beside: a or an, one or many."""

import re

# S, as in STGraph, is spelled out, and begins with a vowel as it is spoken.
_SPOKEN = re.compile(r"[AEFHILMNORSX](?=[A-Z0-9]|$)")
_CONSONANT = re.compile(r"(?:eu|uni|use|usu|uti|one(?![a-z]))", re.IGNORECASE)


def an(noun: str) -> str:
    """A noun, or the name of a class, with its article as it is spoken.

    Args:
        noun: begins with what follows the article.

    Example:
        >>> an("dict"), an("int"), an("STGraph"), an("LSTM"), an("GRUCell"), an("UNet")
        ('a dict', 'an int', 'an STGraph', 'an LSTM', 'a GRUCell', 'a UNet')
        >>> an("ndarray"), an("union"), an("Sample"), an("electrode"), an("UserModel")
        ('an ndarray', 'a union', 'a Sample', 'an electrode', 'a UserModel')
    """
    if noun[1:2].isupper() or noun[1:2].isdigit() or len(noun) == 1:
        vowel = bool(_SPOKEN.match(noun))
    else:
        vowel = noun[:1].lower() in "aeiou" and bool(noun) and not _CONSONANT.match(noun)
        vowel = vowel or noun.startswith("ndarray")
    return f"{'an' if vowel else 'a'} {noun}"


def agree(count: float, one: str, many: str) -> str:
    """The word for one, or that for many and none.

    Args:
        count: of what the word goes with.
        one: word for exactly one.
        many: word for any other number.

    Example:
        >>> [f"{count} of 9 {agree(count, 'is', 'are')} negative" for count in (0, 1, 2)]
        ['0 of 9 are negative', '1 of 9 is negative', '2 of 9 are negative']
    """
    return one if count == 1 else many


def counted(count: int, noun: str, many: str = "") -> str:
    """A number with its noun.

    Args:
        count: shown with commas between thousands.
        noun: of one.
        many: of several; with an s where it is empty.

    Example:
        >>> counted(1, "sample"), counted(1200, "sample"), counted(2, "more class", "more classes")
        ('1 sample', '1,200 samples', '2 more classes')
    """
    return f"{count:,} {agree(count, noun, many or noun + 's')}"
