"""Methods in sentences: under the name that an explanation bears, not that of a class."""

import re
from functools import cache

import pandas as pd

from stexplain.explainers.by_name import methods

WORDS = ("Motion",)
"""Names of classes that are words of the language, too."""


_OF_SERIES = {"node": "sensor", "frame": "time"}


@cache
def _names() -> tuple[dict[str, str], re.Pattern[str]]:
    # Names such as Random differ from their class in a capital alone, and stand in other sentences too.
    named = {
        name: kind.method for name, kind in methods().items() if kind.method and kind.method.lower() != name.lower()
    }
    # Those of another method's explanations have its name in theirs.
    named |= {
        "GradientTimesChange": "gradient x change",
        "GraphAblated": "input gradient without the graph",
        "TemporalRescaling": "temporal rescaling",
    }
    return named, re.compile(rf"\b(?:{'|'.join(named)})\b(?! energy)")


@cache
def _plain(ours: bool) -> re.Pattern[str]:
    # Those that differ from their class in a capital alone, where no sentence begins; before a score or in a list, as
    # the word may stand in the title of a paper or a dataset.
    same = [name for name, kind in methods().items() if kind.method and kind.method == name.lower()]
    before = "[\\w,;:(]" if ours else "[\\w,;(]"  # the title of a paper may have a colon
    return re.compile(rf"(?:(?<={before} )|(?<=\())(?:{'|'.join(same)})(?= [-+]?\d| \(|[,;)]| and | over )")


def in_words(sentence: str, *, ours: bool = True) -> str:
    """A sentence with every method's class name as the name of its explanations.

    Args:
        sentence: or a name alone.
        ours: whether the sentence is one of a stage; in others, such as the title of a dataset, "Motion" is a word.

    Example:
        >>> in_words("STGGradCAM, InputGradient and Occlusion; best SlownessNearTarget 0.61")
        'STG-Grad-CAM, input gradient and occlusion; best slowness near the target 0.61'
        >>> in_words("over positions: Deviation, the best of these; not Occlusion (mean) or others")
        'over positions: deviation, the best of these; not occlusion (mean) or others'
        >>> in_words("Random guesses; best (Deviation, Random 0.50)")
        'Random guesses; best (deviation, random 0.50)'
        >>> in_words("Human Motion and InputGradient", ours=False), in_words("Motion", ours=False)
        ('Human Motion and input gradient', 'motion energy')
        >>> in_words("Occlusion"), in_words("Random", ours=False)
        ('occlusion', 'random')
    """
    if sentence in methods() and methods()[sentence].method:
        # A name alone, as in a cell of a table: all names there are alike.
        return methods()[sentence].method
    named, pattern = _names()
    kept = () if ours or sentence in named else WORDS
    worded = pattern.sub(lambda match: match[0] if match[0] in kept else named[match[0]], sentence)
    return _plain(ours).sub(lambda match: match[0].lower(), worded)


def within(sentence: str) -> str:
    """A sentence as it goes on after a colon: without its capital, unless its first word is a name with others.

    Example:
        >>> within("Without its cause it fails."), within("STGCN-10 without blocks"), within("A body")
        ('without its cause it fails.', 'STGCN-10 without blocks', 'a body')
    """
    first = sentence.split(" ", 1)[0]
    return sentence if first[1:] != first[1:].lower() else sentence[:1].lower() + sentence[1:]


def with_baseline(method: str, baseline: str) -> str:
    """A method beside the baseline that it replaces by, where it has one: the name of both, everywhere.

    Example:
        >>> with_baseline("Occlusion", "historical_average"), with_baseline("InputGradient", "")
        ('Occlusion (historical average)', 'InputGradient')
    """
    return f"{method} ({baseline.replace('_', ' ')})" if baseline else method


def of_series(words: str) -> str:
    """Words of this package in those of a series: its nodes are sensors, its frames times, in figures and text alike.

    Example:
        >>> of_series("effect nodes"), of_series("AUROC, frames"), of_series("over nodes × frames")
        ('effect sensors', 'AUROC, times', 'over sensors × times')
    """
    return re.sub(r"\b(?:node|frame)(?=s?\b)", lambda found: _OF_SERIES[found[0]], words)


def as_label(name: str) -> str:
    """A method as the label of a row: in words, with a capital.

    Example:
        >>> as_label("InputGradient"), as_label("Occlusion"), as_label("auroc, nodes")
        ('Input gradient', 'Occlusion', 'AUROC, nodes')
    """
    words = in_words(name).replace("auroc", "AUROC")
    return words[:1].upper() + words[1:]


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """A table for a chart, with its column ``method`` in words.

    Example:
        >>> with_names(pd.DataFrame({"method": ["InputGradient"], "value": [0.9]}))["method"].tolist()
        ['Input gradient']
    """
    return table.assign(method=[as_label(str(name)) for name in table["method"]])
