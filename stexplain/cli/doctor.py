"""What is installed, and whether it works: each finding with a remedy where it does not.

Nothing heavy is imported before its check, so that a broken piece gives a finding and not a traceback.
"""

import importlib
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from stexplain.files import cache_folder

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "stexplain"
TOLERANCE = 1e-12
"""How far two implementations of message passing may differ in float64, for values around one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: of what was looked at.
        value: what was found, in words.
        ok: false where something is broken.
        remedy: what to do about it; empty where all is well.
    """

    name: str
    value: str
    ok: bool = True
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Looks at Python, packages, DGL, message passing, threads, folders, cards and extras. Never raises.

    Returns:
        The findings in reading order; something is broken where one is not `ok`.

    Example:
        >>> findings = {finding.name: finding for finding in diagnose()}
        >>> findings["message passing"].ok
        True
    """
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("python", _python),
        ("packages", _packages),
        ("DGL", _dgl),
        ("devices", _devices),
        ("message passing", _message_passing),
        ("threads", _threads),
        ("cache folder", _cache),
        ("cards", _cards),
        ("extras", _extras),
    ]
    found: list[Finding] = []
    for name, check in checks:
        try:
            with warnings.catch_warnings():
                # A deprecation in somebody's import is no finding.
                warnings.simplefilter("ignore")
                found += check()
        except Exception as error:  # whatever breaks a check is what the reader wants to know
            found.append(Finding(name, _in_words(error), False, f"Mend that, or install anew: pip install {PACKAGE}"))
    return found


def _in_words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _declared() -> list[str]:
    """The requirements that the installed package declares, extras included."""
    return metadata.requires(PACKAGE) or []


def _python() -> list[Finding]:
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    wanted = metadata.metadata(PACKAGE)["Requires-Python"]
    ours = Finding(PACKAGE, metadata.version(PACKAGE))
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return [ours, Finding("python", f"{version} on {platform.platform(terse=True)}")]
    return [
        ours,
        Finding("python", f"{version}; wanted {wanted}", False, f"Make a virtual environment with Python {wanted}."),
    ]


def _packages() -> list[Finding]:
    """Every package that is always needed: installed, of a version that fits, importable."""
    modules: dict[str, list[str]] = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            modules.setdefault(_canonical(owner), []).append(module)
    found = []
    for requirement in _required(""):
        finding = _installed(requirement)
        # DGL is looked at by itself, as its import may need the gate.
        if finding.ok and requirement.name != "dgl":
            for module in filter(str.isidentifier, modules.get(_canonical(requirement.name), [])):
                if failure := _import_failure(module):
                    remedy = f'pip install --force-reinstall "{requirement.name}{requirement.specifier}"'
                    finding = Finding(finding.name, f"{finding.value}; {failure}", False, remedy)
        found.append(finding)
    return found


def _required(extra: str) -> "list[Requirement]":
    """What an extra asks for on this Python; "": what is always needed."""
    from packaging.requirements import Requirement

    found = []
    for requirement in map(Requirement, _declared()):
        always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if wanted and always == (not extra):
            found.append(requirement)
    return found


def _installed(requirement: "Requirement") -> Finding:
    """Whether a distribution is there, of a version that fits."""
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, f"not installed; wanted {wanted}", False, f'pip install "{wanted}"')
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, f"{version}; wanted {wanted}", False, f'pip install "{wanted}"')
    return Finding(requirement.name, version)


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _import_failure(module: str) -> str:
    """Why a module cannot be imported; empty where it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken binary may raise anything
        return f"cannot be imported: {_in_words(error)}"
    return ""


def _dgl() -> list[Finding]:
    """Whether DGL can be imported, and whether the gate answers for GraphBolt."""
    backend = os.environ.get("DGLBACKEND", "pytorch")
    if backend != "pytorch":
        remedy = "Unset DGLBACKEND, or set it to pytorch."
        return [Finding("DGL", f"DGLBACKEND is {backend!r}; wanted pytorch", False, remedy)]
    from stexplain.backend.dgl import dgl_version
    from stexplain.backend.graphbolt import gate_state

    try:
        version = dgl_version()
    except Exception as error:  # DGL's import loads binaries and may raise anything
        remedy = "Install the DGL that belongs to this Python: see the finding 'dgl', or pip install --force-reinstall."
        return [Finding("DGL", f"cannot be imported: {_in_words(error)}", False, remedy)]
    gate = gate_state()
    value = f"{'in use' if gate.in_use else 'not in use'}: {gate.reason}"
    return [Finding("DGL", f"{version} works"), Finding("gate for dgl.graphbolt", value)]


def _devices() -> list[Finding]:
    """The devices that torch and DGL have, and which implementation passes messages on each."""
    import torch

    from stexplain.backend.dgl import dgl_has_cuda, implementation

    cuda = torch.cuda.is_available()
    named = (
        [f"cuda ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())] if cuda else []
    )
    served = f"cpu by {implementation('cpu')}, cuda by {implementation('cuda')}"
    return [
        Finding("torch's devices", ", ".join(["cpu", *named])),
        Finding("DGL's devices", "cpu, cuda" if dgl_has_cuda() else "cpu"),
        Finding("messages are passed", served + ("" if cuda else " (no CUDA device here)")),
    ]


def _message_passing() -> list[Finding]:
    """Both implementations against numbers known beforehand, forward and backward, on every device."""
    import torch

    from stexplain.backend import dgl as dgl_backend

    topology = dgl_backend.Topology([0, 1, 1, 2], [0, 0, 1, 2], sources=3, targets=4)
    worst, told = 0.0, []
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        for name, function in (("aggregate", dgl_backend.aggregate), ("aggregate_torch", dgl_backend.aggregate_torch)):
            x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64, device=device).requires_grad_()
            weight = torch.tensor([1.0, 0.5, 2.0, -1.0], dtype=torch.float64, device=device).requires_grad_()
            out = function(topology, x, weight)
            found = [out, *torch.autograd.grad(out.sum(), [x, weight])]
            wanted = [
                [[2.5, 4.0], [6.0, 8.0], [-5.0, -6.0], [0.0, 0.0]],
                [[1.0, 1.0], [2.5, 2.5], [-1.0, -1.0]],
                [3.0, 7.0, 7.0, 11.0],
            ]
            errors = [
                float((got.detach().cpu() - torch.tensor(each, dtype=torch.float64)).abs().max())
                for got, each in zip(found, wanted, strict=True)
            ]
            worst = max(worst, *errors)
            # Written so that NaN is wrong, too.
            if not all(error <= TOLERANCE for error in errors):
                told.append(f"{name} on {device} is off by {max(errors):.3g}")
    if told:
        remedy = "Do not trust results from here. Install DGL and torch anew, and report this if it stays."
        return [Finding("message passing", "; ".join(told), False, remedy)]
    return [Finding("message passing", f"both implementations are right to {worst:.1g}")]


def _threads() -> list[Finding]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [Finding("threads", f"torch takes {torch.get_num_threads()}; {cores} cores are free to this process")]


def _cache() -> list[Finding]:
    """Whether the cache folder, or the nearest folder above it that is there, can be written to."""
    folder = cache_folder().absolute()
    there = next(parent for parent in [folder, *folder.parents] if parent.exists())
    remedy = "Set STEXPLAIN_CACHE to a folder that can be written to."
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return [Finding("cache folder", f"{folder} cannot be written: {error.strerror or error}", False, remedy)]
    free = shutil.disk_usage(there).free / 1e9
    return [Finding("cache folder", f"{folder}, {free:.1f} GB free")]


def _cards() -> list[Finding]:
    """Whether every card that is found by its name is valid."""
    from stexplain.cards import any_card, card_names, model_card
    from stexplain.errors import CardError

    datasets, models = card_names("datasets"), card_names("models")
    broken = []
    for names, read in ((datasets, any_card), (models, model_card)):
        for name in names:
            try:
                read(name)
            except CardError as error:
                broken.append(" ".join(str(error).split()))
    if broken or not datasets or not models:
        value = "; ".join(broken) or f"{len(datasets)} of datasets and {len(models)} of models are found"
        remedy = "Mend the card." if broken else f"The package is not whole. Install it anew: pip install {PACKAGE}"
        return [Finding("cards", value, False, remedy)]
    return [Finding("cards", f"datasets: {', '.join(datasets)}; models: {', '.join(models)}")]


def _extras() -> list[Finding]:
    """Which optional extras are there. A missing one is no fault; one of a version that does not fit is."""
    found = []
    for extra in metadata.metadata(PACKAGE).get_all("Provides-Extra") or []:
        findings = [_installed(requirement) for requirement in _required(extra)]
        missing = [each for each in findings if each.value.startswith("not installed")]
        unfit = [each for each in findings if not each.ok and each not in missing]
        name = f"extra {extra!r}"
        if unfit:
            value = "; ".join(f"{each.name} {each.value}" for each in unfit)
            found.append(Finding(name, value, False, "; ".join(each.remedy for each in unfit)))
        elif missing:
            names = ", ".join(each.name for each in missing)
            found.append(Finding(name, f"without {names} (optional: pip install '{PACKAGE}[{extra}]')"))
        else:
            found.append(Finding(name, ", ".join(f"{each.name} {each.value}" for each in findings)))
    return found
