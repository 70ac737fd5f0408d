"""Writes the reference: one page with a table of each group of public names; autosummary adds a page per name.

The names are those that the package exports, so that the reference follows it. What is exported twice, such as by
`stexplain` and by `stexplain.explainers`, has one page, under the shorter name.
"""

from collections.abc import Mapping
from pathlib import Path

from public_modules import modules, shortest

ABBREVIATIONS = ("Eq.", "ch.", "Trans.", "no.", "p.", "pp.", "Fig.")

# Title -> what to say, and the packages or modules that define the names. The first that fits takes a name.
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Explain": (
        "From a model and samples to an explanation.",
        (
            "stexplain.explainers.explain",
            "stexplain.explainers.explanation",
            "stexplain.explainers.edge_explanation",
            "stexplain.explainers.results",
            "stexplain.explainers.methods.layer.layers",
            "stexplain.explainers.model",
            "stexplain.explainers.joined",
        ),
    ),
    "Targets": (
        "What of the model's output is explained.",
        (
            "stexplain.explainers.targets",
            "stexplain.explainers.class_targets",
            "stexplain.explainers.forecast_target",
            "stexplain.explainers.target",
            "stexplain.metrics.truth.margin",
        ),
    ),
    "Methods": ("Every explainer; :doc:`/methods` compares them.", ("stexplain.explainers",)),
    "Checks": ("Whether an explanation can be relied on.", ("stexplain.checks",)),
    "Metrics": (
        "How good explanations are, and how methods and groups differ.",
        ("stexplain.metrics", "stexplain.intervals"),
    ),
    "Charts": ("They take what was explained, and are saved offline.", ("stexplain.viz",)),
    "Data": ("Samples, datasets, series.", ("stexplain.data",)),
    "Graphs": ("Nodes, edges, relations.", ("stexplain.graph", "stexplain.backend")),
    "Networks": ("Models of the package, and models on disk.", ("stexplain.nn",)),
    "Training": ("Training and forecast errors.", ("stexplain.training",)),
    "Cards": ("Datasets, models and experiments in TOML.", ("stexplain.cards",)),
    "Experiments": ("What `stexplain bench` does, from Python.", ("stexplain.bench", "stexplain.cli")),
    "Errors": ("What is raised, and how arguments are checked.", ("stexplain.errors", "stexplain.checking")),
    "Reading files": ("For a reader of your own.", ("stexplain.reading",)),
    "Others": ("", ("stexplain",)),
}
MODULES = (
    ("stexplain.axes", ""),
    # `ModelCaller` has the options of all explainers.
    ("stexplain.explainers.model.caller", ""),
    (
        "stexplain.explainers.explainer stexplain.explainers.methods.baselines.base "
        "stexplain.explainers.model.locality stexplain.metrics.masked_model stexplain.data.store.prepare",
        "",
    ),
    ("stexplain.data.readers", "all"),
    ("stexplain.data.baselines.named stexplain.data.baselines", ""),
    (
        "stexplain.data.planted.ntu stexplain.data.planted.ntu_oracle stexplain.data.planted.graph "
        "stexplain.data.planted.roads stexplain.data.planted.roads_oracle",
        "",
    ),
    (
        "stexplain.backend.topology stexplain.backend.aggregation stexplain.backend.dgl "
        "stexplain.nn.graph_convolution stexplain.training.state",
        "",
    ),
    (
        "stexplain.cards.experiment stexplain.bench.runner stexplain.bench.joining stexplain.bench.experiment "
        "stexplain.bench.run stexplain.bench.stage stexplain.bench.report stexplain.bench.claims "
        "stexplain.bench.check_card stexplain.cli.diagnosis.diagnose",
        "",
    ),
)
"""Modules that those meet who extend the package: all that each defines is on one page."""


def grouped() -> dict[str, list[str]]:
    """Title of a group -> the public names of it, each once and under its shortest path."""
    found: dict[str, list[str]] = {title: [] for title in GROUPS}
    for (module, _), path in sorted(shortest().items(), key=lambda item: item[1].rpartition(".")[2].lower()):
        found[_group_of(module)].append(path)
    return {title: names for title, names in found.items() if names}


def _group_of(module: str) -> str:
    # The longest package that fits: `stexplain.explainers` takes what no module inside of it has.
    fits = [
        (len(package), title)
        for title, (_, packages) in GROUPS.items()
        for package in packages
        if module == package or module.startswith(f"{package}.")
    ]
    return max(fits)[1]


def module_pages() -> list[str]:
    """The modules that have a page."""
    return list(dict.fromkeys(name for names, all_ in MODULES for name in modules(names, everything=bool(all_))))


def page() -> str:
    """The reference, as reStructuredText."""
    lines = [
        "Reference",
        "=========",
        "",
        "``import stexplain as stx`` gives the names that begin with ``stexplain.`` and one word; the others are where",
        "their path says. Every name has a page.",
        "",
    ]
    groups = grouped()
    for title, names in groups.items():
        lines += [
            title,
            "-" * len(title),
            "",
            GROUPS[title][0],
            "",
            ".. autosummary::",
            "   :toctree: .",
            "   :nosignatures:",
            "",
        ]
        lines += [f"   {name}" for name in names] + [""]
    title = "Modules, to extend the package"
    lines += [
        title,
        "-" * len(title),
        "",
        "All that each defines, on one page.",
        "",
        ".. autosummary::",
        "   :toctree: .",
        "",
    ]
    return "\n".join([*lines, *(f"   {name}" for name in module_pages()), ""])


def write(app, config) -> None:
    """Writes the page, before Sphinx looks for pages."""
    path = Path(app.srcdir) / "api" / "index.rst"
    path.parent.mkdir(exist_ok=True)
    text = page()
    # Untouched where nothing changed: a page that is newer is read again.
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def setup(app):
    from sphinx.ext import autosummary

    # A summary ends at the first full stop, and not at one of "Eq. 5" or "2010, ch. 5".
    autosummary.WELL_KNOWN_ABBREVIATIONS = (*autosummary.WELL_KNOWN_ABBREVIATIONS, *ABBREVIATIONS)
    app.connect("config-inited", write)
    return {"parallel_read_safe": True}
