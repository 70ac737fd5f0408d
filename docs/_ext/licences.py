"""Writes the page of licences: what is installed with the package, and under which licence, as its metadata says."""

from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "stexplain"
# For those who change the package, not for those who use it.
NOT_USED = {"dev", "docs"}
_CLASSIFIER = "License :: OSI Approved :: "


def direct() -> dict[str, str]:
    """What the package asks for: name -> the extras that need it; empty: always installed."""
    found: dict[str, set[str]] = {}
    extras = set(metadata.metadata(PACKAGE).get_all("Provides-Extra") or ()) - NOT_USED
    for requirement in map(Requirement, metadata.requires(PACKAGE) or ()):
        name = canonicalize_name(requirement.name)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found[name] = {""}
        else:
            for extra in extras:
                if requirement.marker.evaluate({"extra": extra}):
                    found.setdefault(name, set()).add(extra)
    return {name: "" if "" in names else ", ".join(sorted(names)) for name, names in found.items()}


def below(names: set[str]) -> set[str]:
    """What packages need in turn, where it is installed; without their own extras."""
    found, waiting = set[str](), list(names)
    while waiting:
        try:
            requirements = metadata.requires(waiting.pop()) or ()
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, requirements):
            name = canonicalize_name(requirement.name)
            if name not in found | names and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(name)
                waiting.append(name)
    return found


def licence(name: str) -> str:
    """The licence of an installed package: its SPDX expression, its field, or its classifier; empty: it says none."""
    about = metadata.metadata(name)
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [
        one.removeprefix(_CLASSIFIER) for one in about.get_all("Classifier") or () if one.startswith(_CLASSIFIER)
    ]
    first = str(about.get("License") or "").strip().splitlines()
    # Some put the whole text there.
    short = first[0] if len(first) == 1 and len(first[0]) <= 60 else ""
    return short or ", ".join(classified)


def rows(names: dict[str, str]) -> list[str]:
    """A row per package: name, version, licence, and, where any has one, what needs it."""
    lines = []
    for name, why in sorted(names.items()):
        try:
            version, terms = metadata.version(name), licence(name) or "not stated in its metadata"
        except metadata.PackageNotFoundError:
            version, terms = "not installed where this page was built", ""
        cells = (name, version, terms, *([why] if any(names.values()) else []))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def page() -> str:
    """The page, as Markdown."""
    asked = direct()
    others = {name: "" for name in below(set(asked)) if _installed(name)}
    return "\n".join(
        [
            "# Licences of dependencies",
            "",
            "stexplain itself is under Apache-2.0. An installer brings these packages, each under its own licence; the "
            "tables are made from the packages' metadata when this page is built. Reports and saved charts contain "
            "Vega, Vega-Lite and vega-embed (BSD-3-Clause), which vl-convert brings.",
            "",
            "## What stexplain asks for",
            "| package | version | licence | with the extra |",
            "|---|---|---|---|",
            *rows(asked),
            "",
            "## What those ask for",
            "| package | version | licence |",
            "|---|---|---|",
            *rows(others),
            "",
            "Data sets have licences of their own, which `stexplain data show NAME` prints.",
            "",
        ]
    )


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def write(app) -> None:
    (Path(app.srcdir) / "licences.md").write_text(page(), "utf-8")


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
