"""Pieces of HTML: everything that comes from a run is escaped here."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stexplain.bench.wording import in_words

MANY = 7
"""A table of more columns is printed in smaller letters."""


def text(value: object) -> str:
    """Any value as text that no browser takes for markup; methods by the names of their explanations."""
    return html.escape(in_words(str(value), ours=False), quote=True)


def paragraph(*sentences: str) -> str:
    """Sentences, given as plain text."""
    return f"<p>{text(' '.join(sentence for sentence in sentences if sentence))}</p>"


def items(lines: Iterable[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"


def folded(title: str, content: str) -> str:
    """Content that a reader unfolds; the title is plain text, the content HTML."""
    return f"<details><summary>{text(title)}</summary>{content}</details>"


def table(head: Sequence[str], body: Iterable[Sequence[object]], *, caption: str = "", kind: str = "") -> str:
    """A table whose first column names the rows; it scrolls sideways on its own where the page is narrow.

    A table that has no rows becomes a sentence that says so.
    """
    # The body may be an iterator, which can be read once only.
    lines = [list(row) for row in body]
    if not lines:
        return paragraph(f"{caption or 'The table'}: no rows.")
    top = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    rows = "".join(
        "<tr>" + "".join(_cell(value, first=index == 0) for index, value in enumerate(line)) + "</tr>" for line in lines
    )
    kind = " ".join(filter(None, [kind, "many" if len(head) > MANY else ""]))
    kind = f' class="{text(kind)}"' if kind else ""
    named = f"<caption>{text(caption)}</caption>" if caption else ""
    # Focusable, so that a keyboard can scroll it.
    inner = f"<table{kind}>{named}<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption or head[0])}">{inner}</div>'


def _cell(value: object, *, first: bool) -> str:
    shown = "–" if value is None or value == "" else text(value)
    if first:
        return f'<th scope="row">{shown}</th>'
    return f'<td class="number">{shown}</td>' if _numeric(value) else f"<td>{shown}</td>"


def _numeric(value: object) -> bool:
    if isinstance(value, int | float):
        return True
    # "0.890 (0.871-0.905)" and "93.1%" count as numbers: they are aligned by their digits.
    try:
        float(str(value).split(" ")[0].rstrip("%").replace(",", ""))
    except ValueError:
        return False
    return True


def share(score: Any) -> str:
    """A share with its interval, in percent: "93.1% (91.0–94.8%)"; a dash where there is none."""
    if not isinstance(score, dict) or score.get("value") is None:
        return percent(score) if isinstance(score, int | float) else "–"
    if score.get("low") is None or score.get("high") is None:
        return percent(score["value"]) + _why_none(score)
    return f"{percent(score['value'])} ({100 * score['low']:.1f}–{percent(score['high'])})"


def percent(value: float | None) -> str:
    """A share in percent, with one digit."""
    # NaN is null in results.json, and arrives here as None.
    return "–" if value is None else f"{value:.1%}"


def number(score: Any) -> str:
    """A score with its interval, or why it has none.

    Example:
        >>> number({"value": 0.89, "low": 0.871, "high": 0.905})
        '0.890 (0.871–0.905)'
        >>> number({"value": 0.89, "low": None, "high": None, "reason": "too few groups: 3"})
        '0.890 (too few groups: 3)'
    """
    if isinstance(score, int | float):
        return f"{score:.3f}"
    if not isinstance(score, dict) or score.get("value") is None:
        return "–"
    if score.get("low") is None or score.get("high") is None:
        return f"{score['value']:.3f}{_why_none(score)}"
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


def _why_none(score: Mapping[str, Any]) -> str:
    """Why a score has no interval, behind it; nothing where that is not known."""
    return f" ({score['reason']})" if score.get("reason") else ""


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    Example:
        >>> listed(["hand", "wrist", "elbow"])
        'hand, wrist and elbow'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def count(value: object) -> str:
    """A whole number with commas between thousands; a dash where there is none."""
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)


def has_value(score: Any) -> bool:
    """Whether a score has its value; of few samples it has no interval."""
    return isinstance(score, Mapping) and score.get("value") is not None


def known(score: Any) -> bool:
    """Whether a score has its value and both ends of its interval."""
    return isinstance(score, Mapping) and all(score.get(key) is not None for key in ("value", "low", "high"))
