"""What stands around docstrings on the pages of the reference: signatures, bases and members, as a reader knows them.

What Sphinx makes of them as they are, and what this mends:

- the default of an argument is the text of an object, over several lines, or ``<factory>``: here it is short;
- a field of a named tuple says "Alias for field number 0", and a card has two members of pydantic's: here neither;
- a class without a base of its own says that its base is ``object``;
- attributes stand under "Variables";
- an explainer, which is called with samples, does not say so, as all take the call from one base;
- a result, which nobody makes by hand, does not say what gives it.
"""

import inspect
import re
import sys
from functools import cache
from importlib import import_module

from docstrings import public
from docutils import nodes
from sphinx import addnodes
from sphinx.domains.python import PyObject

from stexplain.explainers import Explainer
from stexplain.result import Result

# What is within brackets, which may hold further ones.
_INSIDE = r"(?:[^()]|\([^()]*\))*"
DEFAULTS = (
    (r"<class '(?:\w+\.)*(\w+)'>", r"\1"),
    (r"<factory>", "..."),
    (r"\bPosixPath\(", "Path("),
    (r"\bHistoryOr\(otherwise=('\w+')\)", r"HistoryOr(\1)"),
    # A dataclass whose fields are written out.
    (rf"\b([A-Z]\w+)\(\w+={_INSIDE}\)", r"\1()"),
    # Private fields of results, which nobody makes by hand.
    (r"(?<=\()_\w+(?:, )?|, _\w+(?:=[^,()]+)?(?=[,)])", ""),
)
OF_PYDANTIC = ("model_config", "model_post_init")
NO_BASE = ("object", "BaseModel", "NamedTuple", "TypedDict", "Protocol")
CALL = "Called with samples, as every explainer is: see `Explainer.__call__`."


def plain_signature(text: str) -> str:
    """A signature with short defaults.

    Example:
        >>> plain_signature("(output, info=OutputInfo(classes=(), rows=None), *, method=<class 'stexplain.a.CAM'>)")
        '(output, info=OutputInfo(), *, method=CAM)'
        >>> plain_signature("(_table, clusters, extra=<factory>, folder=PosixPath('.'))")
        "(clusters, extra=..., folder=Path('.'))"
    """
    for pattern, words in DEFAULTS:
        text = re.sub(pattern, words, text)
    return text


def signature(app, what, name, obj, options, text, returns):
    """As autodoc has found a signature."""
    return None if text is None else (plain_signature(text), returns)


def left_out(app, what, name, obj, skip, options):
    """Whether a member is left out; none: as autodoc would."""
    return True if name in OF_PYDANTIC or type(obj).__name__ == "_tuplegetter" else None


@cache
def makers() -> dict[type, list[str]]:
    """Class -> the public functions that return it, by the names of their pages."""
    found: dict[type, list[str]] = {}
    for path in sorted(set(public().values())):
        module, _, name = path.rpartition(".")
        function = getattr(import_module(module), name)
        # What readers give is what every reader gives.
        if inspect.isfunction(function) and ".readers." not in path:
            returned = str(inspect.signature(function).return_annotation)
            # A class of the package is named in the module that defines the function.
            kind = vars(sys.modules[inspect.unwrap(function).__module__]).get(returned.strip("'\""))
            if not inspect.isclass(kind):
                kind = inspect.signature(function).return_annotation
            if inspect.isclass(kind) and kind.__module__.startswith("stexplain."):
                found.setdefault(kind, []).append(path)
    return found


def said(kind: type) -> str:
    """How an explainer is called, or what returns a result; empty: neither."""
    if issubclass(kind, Explainer):
        return "" if "__call__" in vars(kind) else CALL
    # What many functions give, such as a graph, is made by hand as well; an example says how. Of a result the example
    # shows what it is read for, be it one that was made by hand.
    _, _, example = (inspect.getdoc(kind) or "").partition("Example:")
    by_hand = re.search(rf"\b{kind.__name__}(\.\w+)?\(", example) and not issubclass(kind, Result | tuple)
    base = inspect.isabstract(kind) or issubclass(kind, Exception)
    names = [] if by_hand or base else makers().get(kind, [])
    first = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    if any(f"`{name.rpartition('.')[2]}`" in first for name in names):
        return ""
    return f"Returned by {' and '.join(f'`{name}`' for name in names)}." if 0 < len(names) <= 2 else ""


def called(app, what, name, obj, options, lines) -> None:
    """Adds it behind the first sentences of a docstring."""
    if what == "class" and (words := said(obj)):
        at = lines.index("") if "" in lines else len(lines)
        lines[at:at] = ["", words]


def words(app, domain, kind, content) -> None:
    """The words around a docstring, as they are about to stand on the page."""
    for node in list(content):
        if isinstance(node, nodes.paragraph) and node.astext() in [f"Bases: {name}" for name in NO_BASE]:
            content.remove(node)
    # The value of a constant that holds functions says no more than their names.
    for shown in list(content.parent[0].findall(addnodes.desc_annotation)):
        if "<function" in shown.astext():
            shown.parent.remove(shown)


def setup(app):
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", left_out)
    # Before those of `docstrings` and of napoleon.
    app.connect("autodoc-process-docstring", called, priority=300)
    app.connect("object-description-transform", words)
    return {"parallel_read_safe": True}
