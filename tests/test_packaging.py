"""What a release says of itself: one version, a dated changelog, dependencies with their licences, bounds that hold."""

import importlib.util
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import stexplain

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="the package is not tested in its checkout")


def loaded(path: Path):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_version_is_the_same_everywhere_and_has_a_date():
    assert f"version: {stexplain.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    headings = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    dated = dict(headings[1:])
    assert re.fullmatch(r" - 20\d\d-\d\d-\d\d", dated[stexplain.__version__])


def test_lowest_versions_are_those_of_pyproject():
    lowest = loaded(ROOT / ".ci/lowest.py").lowest
    assert lowest(["a>=1.2,<3", "b==2; python_version < '3'", "c", "torch>=2", "d>=4; python_version > '3'"]) == {
        "a": "1.2", "d": "4"
    }  # fmt: skip
    bounds = lowest(project()["dependencies"])
    names = {Requirement(one).name for one in project()["dependencies"]} - {"dgl", "torch"}
    assert set(bounds) == names, "a dependency without a lower bound"


def test_pins_allow_what_pyproject_asks_for():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[0] != "#"
    )
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    several = [project()["dependencies"], *project()["optional-dependencies"].values()]
    for requirement in map(Requirement, [one for group in several for one in group]):
        name = canonicalize_name(requirement.name)
        assert name == "dgl" or pins[name] in requirement.specifier, str(requirement)


@pytest.fixture
def licences():
    return loaded(ROOT / "docs/_ext/licences.py")


def test_the_page_of_licences_has_what_the_package_asks_for(licences):
    text = licences.page()
    for requirement in map(Requirement, project()["dependencies"]):
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            assert f"| {name} | {metadata.version(name)} |" in text
    assert licences.direct()["zarr"] == "netcdf, traffic"
    # What those need who change the package is left out.
    assert not {"| ruff |", "| sphinx |", "| mypy |"} & set(re.findall(r"\| [\w-]+ \|", text))
    assert "markupsafe" in licences.below({"altair"})


def test_a_licence_is_found_wherever_metadata_has_it(licences, monkeypatch):
    from email.message import Message

    def of(**fields):
        about = Message()
        for name, value in fields.items():
            about[name.replace("_", "-")] = value
        monkeypatch.setattr(licences.metadata, "metadata", lambda name: about)
        return licences.licence("any")

    assert of(License_Expression="MIT", License="BSD") == "MIT"
    assert of(License="BSD") == "BSD"
    assert (
        of(License="Copyright\nall of the text", Classifier="License :: OSI Approved :: MIT License") == "MIT License"
    )
    assert of(License="Copyright\nall of the text") == ""
