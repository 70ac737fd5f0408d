import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from stexplain.backend import aggregation
from stexplain.backend import dgl as dgl_backend
from stexplain.cli.diagnosis import diagnose as diagnosis
from stexplain.cli.diagnosis import packages
from stexplain.cli.diagnosis.diagnose import diagnose
from stexplain.cli.diagnosis.finding import Finding


@pytest.fixture
def only_dgl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the imports of all packages, which take seconds."""
    monkeypatch.setattr(packages, "declared_requirements", lambda: ["dgl"])


def named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_all_is_well_here():
    findings = diagnose()
    assert [finding for finding in findings if not finding.ok] == []
    names = [finding.name for finding in findings]
    assert len(set(names)) == len(names)
    for name in ("python", "torch", "dgl", "altair", "DGL", "GraphBolt stub", "DGL's devices", "cards"):
        assert named(findings, name).value
    assert all(not finding.remedy for finding in findings)
    assert named(findings, "torch").value == metadata.version("torch")
    assert "cpu by dgl, cuda by" in named(findings, "messages are passed").value
    # The wheels of torch and DGL share one libgomp; `docs/decisions` says what two would mean.
    assert "libgomp" in named(findings, "OpenMP runtimes").value
    assert "set by" in named(findings, "waiting threads").value


@pytest.mark.parametrize(
    ("requirement", "value", "remedy"),
    [
        ("no-such-package-of-ours>=1", "not installed; expected no-such-package-of-ours>=1", "pip install"),
        ("torch<2.0", f"{torch.__version__}; expected torch<2.0", 'pip install "torch<2.0"'),
        ("dgl==0.1.3", "expected dgl==0.1.3", 'pip install "dgl==0.1.3"'),
    ],
)
def test_a_package_that_is_missing_or_of_another_version(monkeypatch, requirement: str, value: str, remedy: str):
    monkeypatch.setattr(packages, "declared_requirements", lambda: [requirement])
    (finding,) = packages.check_packages()
    assert not finding.ok
    assert value in finding.value
    assert finding.remedy.startswith(remedy)


def test_a_requirement_for_another_python_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(packages, "declared_requirements", lambda: ["no-such-package-of-ours; python_version < '3.0'"])
    assert packages.check_packages() == []


def test_a_package_that_cannot_be_imported(monkeypatch):
    monkeypatch.setattr(packages, "declared_requirements", lambda: ["einops"])
    monkeypatch.setitem(sys.modules, "einops", None)
    (finding,) = packages.check_packages()
    assert not finding.ok
    assert "cannot be imported: ModuleNotFoundError" in finding.value
    assert finding.remedy == 'pip install --force-reinstall "einops"'


def test_extras_may_be_missing_but_not_of_a_version_that_does_not_fit(monkeypatch):
    monkeypatch.setattr(
        packages,
        "declared_requirements",
        lambda: [
            "numpy",
            "no-such-package-of-ours; extra == 'traffic'",
            "numpy<1; extra == 'dev'",
            "numpy>1; extra == 'docs'",
        ],
    )
    traffic, dev, docs = (named(packages.check_extras(), f"extra {name!r}") for name in ("traffic", "dev", "docs"))
    assert traffic.ok
    assert traffic.value == "without no-such-package-of-ours (optional: pip install 'stexplain[traffic]')"
    assert not dev.ok
    assert dev.remedy == 'pip install "numpy<1"'
    assert docs == Finding("extra 'docs'", f"numpy {metadata.version('numpy')}")


def test_another_python(monkeypatch):
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.10.4")
    finding = named(packages.check_python(), "python")
    assert not finding.ok
    assert finding.value.startswith("3.10.4; expected ")
    assert "virtual environment" in finding.remedy


def test_dgl_that_cannot_be_imported_breaks_no_other_finding(monkeypatch, only_dgl):
    def fail():
        raise OSError("libdgl.so: cannot open shared object file")

    monkeypatch.setattr(dgl_backend, "import_dgl", fail)
    findings = diagnose()
    broken = named(findings, "DGL")
    assert not broken.ok
    assert broken.value == "cannot be imported: OSError: libdgl.so: cannot open shared object file"
    assert "finding 'dgl'" in broken.remedy
    assert not named(findings, "message passing").ok
    assert named(findings, "cache folder").name


def test_another_backend_of_dgl(monkeypatch):
    monkeypatch.setenv("DGLBACKEND", "mxnet")
    (finding,) = diagnosis.check_dgl()
    assert not finding.ok
    assert "mxnet" in finding.value
    assert "Unset DGLBACKEND" in finding.remedy


@pytest.mark.parametrize("name", ["aggregate", "aggregate_torch"])
def test_message_passing_that_is_wrong(monkeypatch, name: str):
    right = aggregation.aggregate_torch
    monkeypatch.setattr(aggregation, name, lambda topology, x, weight: right(topology, x, weight) * (1 + 1e-9))
    (finding,) = diagnosis.check_message_passing()
    assert not finding.ok
    assert f"{name} on cpu is off by" in finding.value
    assert "Do not trust" in finding.remedy


class NanGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float("nan")


def test_message_passing_whose_gradient_is_nan_is_wrong(monkeypatch):
    right = aggregation.aggregate_torch
    monkeypatch.setattr(aggregation, "aggregate", lambda topology, x, w: right(topology, x, NanGradient.apply(w)))
    (finding,) = diagnosis.check_message_passing()
    assert not finding.ok


def test_the_graphbolt_stub_is_reported(monkeypatch):
    from stexplain.backend import graphbolt_stub

    stub = graphbolt_stub.GraphboltStub("it has binaries for torch 2.2.1, and torch is 2.13.0")
    monkeypatch.setitem(sys.modules, graphbolt_stub.NAME, stub)
    finding = named(diagnosis.check_dgl(), "GraphBolt stub")
    assert finding.value == "in use: it has binaries for torch 2.2.1, and torch is 2.13.0"
    assert finding.ok


def test_devices_name_who_serves_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Some GPU")
    monkeypatch.setattr(dgl_backend, "dgl_has_cuda", lambda: False)
    findings = diagnosis.check_devices()
    assert named(findings, "torch's devices").value == "cpu, cuda (Some GPU)"
    assert named(findings, "DGL's devices").value == "cpu"
    assert named(findings, "messages are passed").value == "cpu by dgl, cuda by torch"


def test_a_cache_folder_is_not_made_by_looking(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "a" / "b"))
    (finding,) = diagnosis.check_cache()
    assert finding.ok
    assert str(tmp_path / "a" / "b") in finding.value
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_written(monkeypatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "file" / "cache"))
    (finding,) = diagnosis.check_cache()
    assert not finding.ok
    assert "cannot be written: Not a directory" in finding.value
    assert "STEXPLAIN_CACHE" in finding.remedy


def test_a_card_that_is_not_valid(monkeypatch, tmp_path: Path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "mine.toml").write_text("name = 'mine'\n")
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    (finding,) = diagnosis.check_cards()
    assert not finding.ok
    assert "mine.toml is not a valid DatasetCard" in finding.value


def test_without_any_card_the_package_is_incomplete(monkeypatch):
    from stexplain import cards

    monkeypatch.setattr(cards, "card_names", lambda kind: [])
    (finding,) = diagnosis.check_cards()
    assert not finding.ok
    assert "Install it again" in finding.remedy


def test_a_check_that_breaks_is_a_finding(monkeypatch, only_dgl):
    def fail() -> list[str]:
        raise metadata.PackageNotFoundError("stexplain")

    monkeypatch.setattr(packages, "declared_requirements", fail)
    finding = named(diagnose(), "packages")
    assert not finding.ok
    assert "PackageNotFoundError" in finding.value
    assert finding.remedy
