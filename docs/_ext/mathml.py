"""Writes formulas as MathML while the pages are built: browsers draw it themselves, without a script or a network."""

import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

SPACE = "http://www.w3.org/1998/Math/MathML"
_log = logging.getLogger(__name__)
# How many parts these elements have. With another number a browser draws the parts in a row, as if nothing were wrong.
_PARTS = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "mover", "munder"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
# A prime is raised by itself; as a superscript it would be drawn small, where a font has no other, and hardly be seen.
_PRIMES = {"′", "″", "‴"}
# Text with this variant is drawn as it should be; browsers ignore the others, such as bold.
_VARIANTS = {"normal", "italic"}


def mathml(latex: str, block: bool = False) -> str:
    r"""A formula of LaTeX as MathML, with its source as `alttext`.

    Raises ValueError for what the converter does not know: it lets commands through as text, drops arguments that are
    missing, and does not notice a brace that nothing closes.

    >>> mathml(r"\frac{a}{b}").partition("<mfrac>")[2].partition("</mfrac>")[0]
    '<mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow>'
    """
    bare = re.sub(r"\\[{}]", "", latex)
    if bare.count("{") != bare.count("}"):
        raise ValueError(f"got the formula {latex!r}; expected as many closing braces as opening ones")
    try:
        root = ElementTree.fromstring(convert(latex, display="block" if block else "inline"))
    except Exception as error:  # of the converter, which has a dozen kinds, or of what is no XML
        raise ValueError(f"got the formula {latex!r}; expected one that latex2mathml knows ({error!r})") from error
    for element in root.iter():
        name, text = element.tag.removeprefix(f"{{{SPACE}}}"), element.text or ""
        if "\\" in text:
            raise ValueError(f"got {text!r} in the formula {latex!r}; expected a command that latex2mathml knows")
        if name == "merror" or len(element) != _PARTS.get(name, len(element)):
            raise ValueError(f"got <{name}> with {len(element)} parts in the formula {latex!r}; expected all its parts")
        if (variant := element.get("mathvariant", "normal")) not in _VARIANTS:
            raise ValueError(f"got {variant} letters in the formula {latex!r}; expected upright or italic ones")
        if name == "msup" and (element[1].text or "") in _PRIMES:
            element.tag, element[1].tag = f"{{{SPACE}}}mrow", f"{{{SPACE}}}mo"
            element[1].attrib.update(lspace="0", rspace="0")
    root.set("alttext", " ".join(latex.split()))
    ElementTree.register_namespace("", SPACE)
    return ElementTree.tostring(root, encoding="unicode")


def written(latex: str, node: nodes.Node, block: bool = False) -> str:
    """The formula, or its source with a warning, which a build with `-W` takes for an error."""
    try:
        return mathml(latex, block)
    except ValueError as error:
        _log.warning("%s", error, location=node, type="mathml")
        return f"<code>{latex.replace('&', '&amp;').replace('<', '&lt;')}</code>"


def visit_inline(translator, node: nodes.math) -> None:
    translator.body.append(translator.starttag(node, "span", "", CLASS="math"))
    translator.body.append(f"{written(node.astext(), node)}</span>")
    raise nodes.SkipNode


def visit_block(translator, node: nodes.math_block) -> None:
    # It can be scrolled, so that it can be reached by keyboard.
    translator.body.append(translator.starttag(node, "div", CLASS="math", tabindex="0"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    for part in node.astext().split("\n\n"):
        if part.strip():
            translator.body.append(written(part.strip(), node, block=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("config-inited", lambda _, config: config.__setattr__("html_math_renderer", "mathml"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
