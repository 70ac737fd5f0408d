"""Directives that list what the package has: `modules` for the reference, `stages` for the page on experiments.

`.. modules:: stexplain.graph` documents every module below `stexplain.graph` that defines a public name, so that the
reference follows the package when a module moves. A module that is named itself is documented whatever it defines. With
`:all:` every module of the package is documented; `:except:` names packages that another section documents.

`.. stages::` is a table of the stages of experiments: the name, the tasks, and the first line of the stage's file.
"""

import sys

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from public_modules import modules
from sphinx.util.docutils import SphinxDirective

from stexplain.bench.run import TASKS
from stexplain.bench.stages import stage_types


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


class Stages(SphinxDirective):
    """A table of all stages, in the order of their names."""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", "", "   * - stage", "     - task", "     - what it measures"]
        for name, stage in sorted(stage_types().items()):
            task = "both" if set(stage.tasks) == set(TASKS) else ", ".join(stage.tasks)
            words = (sys.modules[stage.__module__].__doc__ or "").split("\n\n")[0]
            lines += [f"   * - ``{name}``", f"     - {task}", f"     - {' '.join(words.split())}"]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source="stages"), self.content_offset, holder)
        return holder.children


def setup(app):
    app.add_directive("modules", Modules)
    app.add_directive("stages", Stages)
    return {"parallel_read_safe": True}
