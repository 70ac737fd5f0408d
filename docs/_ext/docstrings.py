"""Docstrings on the pages of the reference: names become links, types the words that a reader knows.

What Sphinx makes of the package's docstrings as they are, and what this mends:

- a name in single backquotes is slanted: here a public name is a link, other names stay as they are;
- ``ArrayLike`` is spelled out over three lines: here types have the names that the code gives them;
- the first line of a property's docstring is split at its first colon, as "type: description": here it stays whole;
- an equation has the colours of Python;
- what a class takes from a base that has no page of its own, such as `Explanation.plot`, is missing: here it is there,
  and the base is not named.
"""

import inspect
import re
import sys
from functools import cache
from importlib import import_module

from api_pages import module_pages
from docutils import nodes
from public_modules import exported, shortest
from sphinx import addnodes

# As numpy's and the package's own types are written out -> as the code writes them.
TYPES = (
    # What pydantic checks of a field is said in its description.
    (r"~?(?:typing\.)?Annotated\[(.+?), ~?[\w.]*FieldInfo\(.*\)\]", r"\1"),
    (r"~?\b(?:numpy\.typing|numpy\._typing\.\w+|numpy|typing|collections\.abc)\.", ""),
    (r"ndarray\[tuple\[Any, \.\.\.\], dtype\[Any\]\]", "ndarray"),
    (r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+?)_?\]\]", r"ndarray of \1"),
    (
        r"~?[\w.]*_Buffer \| _SupportsArray\[dtype\[Any\]\] \| _NestedSequence\[_SupportsArray\[dtype\[Any\]\]\] "
        r"\| complex \| bytes (?:\| str )?\| _NestedSequence\[complex \| bytes \| str\]",
        "ArrayLike",
    ),
)


def plain_type(text: str) -> str:
    """A type as the code writes it."""
    for pattern, words in TYPES:
        text = re.sub(pattern, words, text)
    return re.sub(r"~?\bstexplain\.[\w.]+", _own_type, text)


def _own_type(found: re.Match[str]) -> str:
    """A type of the package: the link to its page, or the name alone where it has none."""
    path, name = found[0].removeprefix("~"), found[0].rpartition(".")[2]
    return f"~{public()[path]}" if path in public() else f"~{public()[name]}" if name in public() else name


@cache
def public() -> dict[str, str]:
    """What may stand in backquotes -> the full name of its page: ``explain``, ``viz.save``, ``stexplain.viz.save``."""
    pages = shortest()
    found: dict[str, str] = {}
    for path in sorted(set(pages.values()), key=lambda one: (-one.count("."), one)):
        parts = path.split(".")
        # The names of the top level come last, and win.
        found |= {".".join(parts[start:]): path for start in range(len(parts))}
    # What extends the package stands on the pages of its modules.
    for module in module_pages():
        own = vars(sys.modules.get(module) or import_module(module))
        names = [
            name for name, one in own.items() if getattr(one, "__module__", "") == module and not name.startswith("_")
        ]
        found |= {name: f"{module}.{name}" for name in names if name not in found}
        found |= {f"{module}.{name}": f"{module}.{name}" for name in names if f"{module}.{name}" not in found}
    # Other ways to the same name, such as `stexplain.explainers.STGGradCAM`.
    return found | {path: pages[module, path.rpartition(".")[2]] for path, module in exported().items()}


@cache
def arguments() -> frozenset[str]:
    """The names of all arguments of public functions and methods: in a docstring they mean the argument."""
    found = set()
    for path in set(public().values()):
        module, _, name = path.rpartition(".")
        one = getattr(import_module(module), name)
        for each in (one, *(vars(one).values() if inspect.isclass(one) else ())):
            if callable(each) and inspect.isfunction(inspect.unwrap(each)):
                found |= set(inspect.signature(each).parameters)
    return frozenset(found)


def page_of(text: str, owner: str = "") -> str:
    """The full name that a name in backquotes stands for; empty where it is an argument, or nothing public.

    A method is known by its class: ``Explanation.plot``; in the docstrings of that class by its own name.

    Args:
        text: what stands in backquotes.
        owner: the full name of the class that the docstring is of; empty: of none.
    """
    bare = text.removesuffix("()")
    if owner and bare.isidentifier() and not bare.startswith("_"):
        module, _, name = owner.rpartition(".")
        member = getattr(getattr(sys.modules.get(module), name, None), bare, None)
        if callable(member) or isinstance(member, property):
            return f"{owner}.{bare}"
    # What is called is no argument.
    if bare == text and bare in arguments():
        return ""
    if bare in public():
        return public()[bare]
    owner, _, member = bare.rpartition(".")
    if owner not in public():
        return ""
    module, _, name = public()[owner].rpartition(".")
    known = inspect.isclass(getattr(sys.modules[module], name))
    return f"{public()[owner]}.{member}" if known else ""


def named(role, rawtext, text, lineno, inliner, options=None, content=None):
    """The role of text in single backquotes: a link to a public name; else slanted, as an argument is."""
    context = inliner.document.settings.env.ref_context
    owner = f"{context['py:module']}.{context['py:class']}" if context.get("py:class") else ""
    path = page_of(text, owner)
    if not path:
        return [nodes.emphasis(rawtext, text)], []
    link = addnodes.pending_xref(
        rawtext,
        nodes.literal(rawtext, text, classes=["xref", "py", "py-obj"]),
        refdomain="py",
        reftype="obj",
        reftarget=path,
        refexplicit=True,
        refwarn=False,
        refdoc=inliner.document.settings.env.docname,
    )
    return [link], []


def before(app, what, name, obj, options, lines) -> None:
    """Of a docstring as it is written: an equation is text, and a property has no type before a colon."""
    shown: list[str] = []
    for line in lines:
        last = next((text for text in reversed(shown) if text.strip()), "")
        begins = line.startswith("    ") and shown and not shown[-1].strip()
        # An indented paragraph is an equation, neither a quotation nor Python.
        if begins and last and not last.startswith(" "):
            if last.endswith("::"):
                shown[len(shown) - 1 - shown[::-1].index(last)] = last[:-1] if last.strip(":") else ""
            shown += [".. code-block:: text", ""]
        shown.append(line)
    # napoleon looks for a type in the first line; a backslash takes the end of its line away, and is not seen.
    lines[:] = ["\\", *shown] if what in ("property", "attribute", "data") else shown


def after(app, what, name, obj, options, lines) -> None:
    """Of a docstring as napoleon leaves it: types that it wrote out."""
    lines[:] = [plain_type(line) if line.lstrip().startswith((":type", ":vartype")) else line for line in lines]
    # A letter alone, as of the axis whose size is meant, would begin a list: napoleon sets it apart as one.
    text = re.sub(r"^(\s*:[^:\n]+:)\n+\s+(\w\.)$", r"\1 \\\2", "\n".join(lines), flags=re.MULTILINE)
    lines[:] = text.split("\n") if lines else lines


def types(app, domain, kind, content) -> None:
    """The types that autodoc is about to write."""
    for found in getattr(app.env.current_document, "autodoc_annotations", {}).values():
        found.update({name: plain_type(text) for name, text in found.items()})
    # Of a property it stands behind its name.
    for each in list(content.parent[0].findall(addnodes.desc_annotation)):
        text = each.astext()
        if plain_type(text) != text:
            each.clear()
            each += nodes.Text(plain_type(text))


def fields_first(app, domain, kind, content) -> None:
    """The type of what is returned stands before the example, not after it."""
    heads = [node for node in content if isinstance(node, nodes.rubric)]
    lists = [node for node in content if isinstance(node, nodes.field_list)]
    for fields in lists:
        if heads and content.index(fields) > content.index(heads[0]):
            content.remove(fields)
            content.insert(content.index(heads[0]), fields)


def bases(app, name, obj, options, found) -> None:
    """Bases without a page are named nowhere: their members stand with the class."""
    pages = {(module, path.rpartition(".")[2]) for path, module in exported().items()}

    def ours(one) -> bool:
        return str(getattr(one, "__module__", "")).startswith("stexplain.")

    found[:] = [one for one in found if not ours(one) or (one.__module__, one.__name__) in pages] or [object]


def setup(app):
    app.add_role("named", named)
    # Before and after napoleon, which has the default priority of 500; before and after autodoc's own, too.
    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
    app.connect("object-description-transform", types, priority=400)
    app.connect("object-description-transform", fields_first, priority=900)
    app.connect("autodoc-process-bases", bases)
    return {"parallel_read_safe": True}
