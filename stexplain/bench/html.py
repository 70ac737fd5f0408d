"""Pieces of HTML: everything that comes from a run is escaped here."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stexplain.bench.wording import in_words
from stexplain.viz.directions import isolated

PAGE = 60
"""A page of paper holds about as many rows."""

MANY = 7
"""A table of more columns is printed in smaller letters."""


def text(value: object) -> str:
    """Any value as text that no browser takes for markup; methods by the names of their explanations."""
    return html.escape(isolated(in_words(str(value), ours=False)), quote=True)


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


def rounded(value: float, places: int = 2, sign: str = "") -> str:
    """A number with so many decimal places, of one that would be zero two digits: units may be large, such as volts.

    Args:
        value: the number.
        places: after the point.
        sign: ``"+"`` where numbers above zero bear one, too.

    Example:
        >>> rounded(3.14159), rounded(0.0), rounded(0.0042), rounded(-2.14e-05), rounded(0.31, 0, "+")
        ('3.14', '0.00', '0.0042', '-2.1e-05', '+0.31')
    """
    return f"{value:{sign}.2g}" if 0 < abs(value) < 10.0**-places else f"{value:{sign}.{places}f}"


def number(score: Any) -> str:
    """A score with its interval, or why it has none.

    Example:
        >>> number({"value": 0.89, "low": 0.871, "high": 0.905})
        '0.890 (0.871–0.905)'
        >>> number({"value": 0.89, "low": None, "high": None, "reason": "too few groups: 3"})
        '0.890 (too few groups: 3)'
    """
    if isinstance(score, int | float):
        return rounded(score, 3)
    if not isinstance(score, dict) or score.get("value") is None:
        return "–"
    if score.get("low") is None or score.get("high") is None:
        return f"{rounded(score['value'], 3)}{_why_none(score)}"
    return f"{rounded(score['value'], 3)} ({rounded(score['low'], 3)}–{rounded(score['high'], 3)})"


def _why_none(score: Mapping[str, Any]) -> str:
    """Why a score has no interval, behind it; nothing where that is not known."""
    return f" ({score['reason']})" if score.get("reason") else ""


def off_paper(content: str, rows: int, where: str) -> str:
    """Content that paper leaves out where it has more rows than a page.

    Args:
        content: as HTML.
        rows: how many it has.
        where: the file that holds them.

    Example:
        >>> off_paper("<table></table>", 10, "tests.csv")
        '<table></table>'
        >>> off_paper("<table></table>", 432, "tests.csv")
        '<div class="screen"><table></table></div><div class="paper"><p>Too long for paper: see tests.csv.</p></div>'
    """
    if rows <= PAGE:
        return content
    return (
        f'<div class="screen">{content}</div><div class="paper">{paragraph(f"Too long for paper: see {where}.")}</div>'
    )


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


def sized(value: object, units: str = "samples") -> str:
    """What a number was measured on, to stand behind it; nothing where that is not known.

    Example:
        >>> f"AUROC 0.86{sized(1200)}", sized(None)
        ('AUROC 0.86 (1,200 samples)', '')
    """
    return f" ({count(value)} {units})" if value else ""


def has_value(score: Any) -> bool:
    """Whether a score has its value; of few samples it has no interval."""
    return isinstance(score, Mapping) and score.get("value") is not None


def known(score: Any) -> bool:
    """Whether a score has its value and both ends of its interval."""
    return isinstance(score, Mapping) and all(score.get(key) is not None for key in ("value", "low", "high"))
