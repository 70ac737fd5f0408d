"""The directive `modules`: documents the modules of a package, found from what the package exports.

`.. modules:: stexplain.graph` documents every module below `stexplain.graph` that defines a public name, so that the
reference follows the package when a module moves. A module that is named itself is documented whatever it defines. With
`:all:` every module of the package is documented; `:except:` names packages that another section documents.
"""

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from public_modules import modules
from sphinx.util.docutils import SphinxDirective


class Modules(SphinxDirective):
    """Documents packages or modules, separated by spaces."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"all": directives.flag, "except": directives.unchanged}  # noqa: RUF012  # docutils reads a plain dict

    def run(self) -> list[nodes.Node]:
        left_out = self.options.get("except", "")
        found = modules(self.arguments[0], everything="all" in self.options, left_out=left_out)
        text = StringList([line for module in found for line in (f".. automodule:: {module}", "")], source="modules")
        holder = nodes.Element()
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def setup(app):
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
