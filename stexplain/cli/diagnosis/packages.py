"""Checks of the interpreter and of installed packages, against what the package declares that it needs."""

import importlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from stexplain.cli.diagnosis.finding import Finding, error_text

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "stexplain"


def declared_requirements() -> list[str]:
    """The requirements that the installed package declares, extras included."""
    return metadata.requires(PACKAGE) or []


def check_python() -> list[Finding]:
    """Our own version, and whether this Python is one that it supports."""
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    supported = metadata.metadata(PACKAGE)["Requires-Python"]
    ours = Finding(PACKAGE, metadata.version(PACKAGE))
    if SpecifierSet(supported).contains(version, prereleases=True):
        return [ours, Finding("python", f"{version} on {platform.platform(terse=True)}")]
    remedy = f"Make a virtual environment with Python {supported}."
    return [ours, Finding("python", f"{version}; expected {supported}", False, remedy)]


def check_packages() -> list[Finding]:
    """Every package that is always needed: installed, of a version that fits, importable."""
    # A distribution's name is not its module's (vl-convert-python, vl_convert), so it is read from the installed files.
    modules: dict[str, list[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(_canonical(distribution), []).append(module)
    findings = []
    for requirement in _requirements(""):
        finding = _installed(requirement)
        # DGL is checked by itself, as its import may need the GraphBolt stub.
        if finding.ok and requirement.name != "dgl":
            for module in filter(str.isidentifier, modules.get(_canonical(requirement.name), [])):
                if failure := _import_failure(module):
                    remedy = f'pip install --force-reinstall "{requirement.name}{requirement.specifier}"'
                    finding = Finding(finding.name, f"{finding.value}; {failure}", False, remedy)
        findings.append(finding)
    return findings


def check_extras() -> list[Finding]:
    """Which optional extras are installed. A missing one is no fault; one of a version that does not fit is."""
    findings = []
    for extra in metadata.metadata(PACKAGE).get_all("Provides-Extra") or []:
        parts = [_installed(requirement) for requirement in _requirements(extra)]
        missing = [part for part in parts if part.value.startswith("not installed")]
        unfit = [part for part in parts if not part.ok and part not in missing]
        name = f"extra {extra!r}"
        if unfit:
            value = "; ".join(f"{part.name} {part.value}" for part in unfit)
            findings.append(Finding(name, value, False, "; ".join(part.remedy for part in unfit)))
        elif missing:
            names = ", ".join(part.name for part in missing)
            findings.append(Finding(name, f"without {names} (optional: pip install '{PACKAGE}[{extra}]')"))
        else:
            findings.append(Finding(name, ", ".join(f"{part.name} {part.value}" for part in parts)))
    return findings


def _requirements(extra: str) -> "list[Requirement]":
    """The requirements that an extra adds on this Python; for "", those that are always needed."""
    from packaging.requirements import Requirement

    selected = []
    for requirement in map(Requirement, declared_requirements()):
        # A marker may name a Python version and an extra; evaluated without an extra it says what is always needed.
        always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if needed and always == (not extra):
            selected.append(requirement)
    return selected


def _installed(requirement: "Requirement") -> Finding:
    """Whether a distribution is installed, of a version that fits."""
    needed = f"{requirement.name}{requirement.specifier}"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, f"not installed; expected {needed}", False, f'pip install "{needed}"')
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, f"{version}; expected {needed}", False, f'pip install "{needed}"')
    return Finding(requirement.name, version)


def _canonical(name: str) -> str:
    """A distribution's name in one spelling: metadata and requirements differ in case and dashes."""
    return name.lower().replace("_", "-").replace(".", "-")


def _import_failure(module: str) -> str:
    """Why a module cannot be imported; empty where it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken binary may raise anything
        return f"cannot be imported: {error_text(error)}"
    return ""
