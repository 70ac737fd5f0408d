"""Checks of the installation: each finding has a remedy if something is broken.

Nothing heavy is imported before its check, so that a broken piece gives a finding and not a traceback.
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable

from stexplain.cli.diagnosis.finding import Finding, error_text
from stexplain.cli.diagnosis.packages import PACKAGE, check_extras, check_packages, check_python
from stexplain.cli.openmp import openmp_runtimes, wait_policy
from stexplain.files import cache_folder
from stexplain.system import cores

TOLERANCE = 1e-12
"""How far two implementations of message passing may differ in float64, for values around one."""


def diagnose() -> list[Finding]:
    """Checks Python, packages, DGL, message passing, threads, folders, cards and extras. Never raises.

    Returns:
        The findings in reading order; something is broken where one is not `ok`.

    Example:
        >>> findings = {finding.name: finding for finding in diagnose()}
        >>> findings["message passing"].ok
        True
    """
    # Threads come after what imports torch and DGL: only then their OpenMP runtime is loaded.
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("python", check_python),
        ("packages", check_packages),
        ("DGL", check_dgl),
        ("devices", check_devices),
        ("message passing", check_message_passing),
        ("threads", check_threads),
        ("cache folder", check_cache),
        ("cards", check_cards),
        ("extras", check_extras),
    ]
    findings: list[Finding] = []
    for name, check in checks:
        try:
            with warnings.catch_warnings():
                # A deprecation in somebody's import is no finding.
                warnings.simplefilter("ignore")
                findings += check()
        except Exception as error:  # whatever breaks a check is what the user needs to know
            remedy = f"Correct that, or install again: pip install --force-reinstall {PACKAGE}"
            findings.append(Finding(name, error_text(error), False, remedy))
    return findings


def check_dgl() -> list[Finding]:
    """Whether DGL can be imported, and whether the stub stands in for GraphBolt."""
    backend = os.environ.get("DGLBACKEND", "pytorch")
    if backend != "pytorch":
        remedy = "Unset DGLBACKEND, or set it to pytorch."
        return [Finding("DGL", f"DGLBACKEND is {backend!r}; expected 'pytorch'", False, remedy)]
    from stexplain.backend.dgl import dgl_installed, dgl_version
    from stexplain.backend.graphbolt_stub import stub_state

    # Where this system has a wheel, the finding 'dgl' says that it is missing.
    if not dgl_installed():
        return [Finding("DGL", "not installed: torch passes messages, with the same numbers")]
    try:
        version = dgl_version()
    except Exception as error:  # DGL's import loads binaries and may raise anything
        remedy = "Install the DGL that belongs to this Python: see the finding 'dgl', or pip install --force-reinstall."
        return [Finding("DGL", f"cannot be imported: {error_text(error)}", False, remedy)]
    stub = stub_state()
    value = f"{'in use' if stub.in_use else 'not in use'}: {stub.reason}"
    return [Finding("DGL", f"{version} works"), Finding("GraphBolt stub", value)]


def check_devices() -> list[Finding]:
    """The devices that torch and DGL have, and which implementation passes messages on each."""
    import torch

    from stexplain.backend.aggregation import implementation
    from stexplain.backend.dgl import dgl_has_cuda, dgl_installed

    cuda = torch.cuda.is_available()
    gpus = [f"cuda ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())] if cuda else []
    used = f"cpu by {implementation('cpu')}, cuda by {implementation('cuda')}"
    return [
        Finding("torch's devices", ", ".join(["cpu", *gpus])),
        Finding("DGL's devices", "cpu, cuda" if dgl_has_cuda() else "cpu" if dgl_installed() else "none"),
        Finding("messages are passed", used + ("" if cuda else " (no CUDA device here)")),
    ]


def check_message_passing() -> list[Finding]:
    """Both implementations against numbers known beforehand, forward and backward, on every device."""
    import torch

    from stexplain.backend import aggregation
    from stexplain.backend.topology import Topology

    # Edges 0->0, 1->0, 1->1, 2->2; target 3 gets no message. The numbers below are this case by hand.
    topology = Topology([0, 1, 1, 2], [0, 0, 1, 2], sources=3, targets=4)
    expected = [
        [[2.5, 4.0], [6.0, 8.0], [-5.0, -6.0], [0.0, 0.0]],  # sum of weight * x over the edges into each target
        [[1.0, 1.0], [2.5, 2.5], [-1.0, -1.0]],  # gradient of the total by x: sum of the weights of edges out
        [3.0, 7.0, 7.0, 11.0],  # and by weight: the sum over channels at each edge's source
    ]
    largest, failures = 0.0, []
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        for name, function in (("aggregate", aggregation.aggregate), ("aggregate_torch", aggregation.aggregate_torch)):
            x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64, device=device).requires_grad_()
            weight = torch.tensor([1.0, 0.5, 2.0, -1.0], dtype=torch.float64, device=device).requires_grad_()
            out = function(topology, x, weight)
            results = [out, *torch.autograd.grad(out.sum(), [x, weight])]
            errors = [
                float((result.detach().cpu() - torch.tensor(numbers, dtype=torch.float64)).abs().max())
                for result, numbers in zip(results, expected, strict=True)
            ]
            largest = max(largest, *errors)
            # Written so that NaN is wrong, too.
            if not all(error <= TOLERANCE for error in errors):
                failures.append(f"{name} on {device} is off by {max(errors):.3g}")
    if failures:
        remedy = "Do not trust results from here. Install DGL and torch again, and report this if it stays."
        return [Finding("message passing", "; ".join(failures), False, remedy)]
    return [Finding("message passing", f"both implementations are right to {largest:.1g}")]


def check_threads() -> list[Finding]:
    """How many threads there are, how idle ones wait, and whether torch and DGL share one pool of them."""
    import torch

    # An affinity mask (taskset, a batch system) leaves a process fewer cores than the machine has.
    free = cores()
    return [
        Finding("threads", f"torch takes {torch.get_num_threads()}; {free} cores are free to this process"),
        Finding("waiting threads", str(wait_policy())),
        Finding("OpenMP runtimes", _runtimes()),
    ]


def _runtimes() -> str:
    runtimes = openmp_runtimes()
    if runtimes is None:
        return "not listed by this system"
    names = ", ".join(path.name for path in runtimes)
    if len(runtimes) > 1:
        # Each runtime has a pool of its own, of as many threads as there are cores.
        return f"{len(runtimes)} ({names}): each has threads of its own, and together they may exceed the cores"
    return f"{names} alone: torch and DGL share its threads" if runtimes else "none is loaded"


def check_cache() -> list[Finding]:
    """Whether the cache folder, or the nearest folder above it that exists, can be written to."""
    folder = cache_folder().absolute()
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    remedy = "Set STEXPLAIN_CACHE to a folder that can be written to."
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return [Finding("cache folder", f"{folder} cannot be written: {error.strerror or error}", False, remedy)]
    free = shutil.disk_usage(existing).free / 1e9
    return [Finding("cache folder", f"{folder}, {free:.1f} GB free")]


def check_cards() -> list[Finding]:
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
    if broken:
        return [Finding("cards", "; ".join(broken), False, "Correct the card.")]
    if not datasets or not models:
        # The wheel holds cards: without any, its files were lost or the folder was moved.
        value = f"{len(datasets)} dataset cards and {len(models)} model cards"
        remedy = f"The package is incomplete. Install it again: pip install --force-reinstall {PACKAGE}"
        return [Finding("cards", value, False, remedy)]
    return [Finding("cards", f"datasets: {', '.join(datasets)}; models: {', '.join(models)}")]
