"""Pages as they are read: decisions carry their numbers, and a range of numbers stays on one line."""

import re

from docutils import nodes

# 0.89-0.98, -0.25 to -0.06, 34-80.
_NUMBER = r"-?\d+(?:[.,]\d+)*"
RANGE = re.compile(rf"(?<![\w.,-]){_NUMBER}(?:-| to ){_NUMBER}(?![\w-])")


def numbered(docname: str, text: str) -> str:
    """The source of a decision, with its number in the title: others name it by that.

    Example:
        >>> numbered("decisions/0211-three-directions-together", "# On the bodies\\n")
        '# 0211: On the bodies\\n'
    """
    number = re.match(r"decisions/(\d{4})-", docname)
    if not number:
        return text
    return re.sub(rf"\A# (?:{number[1]}:? *)?", f"# {number[1]}: ", text, count=1)


def parts(text: str) -> list[tuple[str, bool]]:
    """A text in parts: what is a range, and what is between.

    Example:
        >>> parts("0.95 (0.89-0.98)")
        [('0.95 (', False), ('0.89-0.98', True), (')', False)]
    """
    found, start = [], 0
    for each in RANGE.finditer(text):
        found += [(text[start : each.start()], False), (each[0], True)]
        start = each.end()
    return [(part, kept) for part, kept in [*found, (text[start:], False)] if part]


def read(app, docname, source) -> None:
    """As Sphinx has read a page."""
    source[0] = numbered(docname, source[0])


def kept_together(app, doctree) -> None:
    """In cells of tables, whose columns are narrow, a browser would break a range behind its hyphen."""
    for cell in doctree.findall(nodes.entry):
        for text in list(cell.findall(nodes.Text)):
            found = parts(text.astext())
            if isinstance(text.parent, nodes.literal) or not any(kept for _, kept in found):
                continue
            new = [nodes.inline(part, part, classes=["range"]) if kept else nodes.Text(part) for part, kept in found]
            text.parent.replace(text, new)


def setup(app):
    app.connect("source-read", read)
    app.connect("doctree-read", kept_together)
    return {"parallel_read_safe": True}
