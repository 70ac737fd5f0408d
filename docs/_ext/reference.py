"""The directive `modules`: documents the modules of a package, found from what the package exports.

`.. modules:: stexplain.graph` documents every module below `stexplain.graph` that defines a public name, so that the
reference follows the package when a module moves. With the option `:all:` it documents every module of the package.
"""

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from public_modules import modules
from sphinx.util.docutils import SphinxDirective


class Modules(SphinxDirective):
    """Several packages or modules, separated by spaces."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"all": directives.flag}  # noqa: RUF012  # docutils reads a plain dict

    def run(self) -> list[nodes.Node]:
        found = [
            module for name in self.arguments[0].split() for module in modules(name, everything="all" in self.options)
        ]
        text = StringList([line for module in found for line in (f".. automodule:: {module}", "")], source="modules")
        holder = nodes.Element()
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def setup(app):
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
