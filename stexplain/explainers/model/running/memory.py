"""How much memory a pass through a model takes, measured, and how many samples therefore go through it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from stexplain.explainers.model.running.finite import tensors_in

BUDGET = 512 * 2**20
"""Bytes that the passes of a call may take on a CPU, where there are four times as many free."""
_ON_CUDA = 4 * 2**30
# What a network makes of its input is rarely larger: batches of which even this fits are not measured.
LARGEST = 4096
"""How many times larger than its input what a pass makes is taken to be at most, where it is not measured."""


class _Allocated(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Counts the bytes of all tensors that are made, views left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {tensor.data_ptr() for tensor in tensors_in([*args, *(kwargs or {}).values()])}
        for tensor in tensors_in([result]):
            # A view begins within what was given, mostly where it does; counting one too many is harmless.
            if tensor.data_ptr() not in given:
                self.bytes += tensor.numel() * tensor.element_size()
        return result


def bytes_of_pass(run: Callable[[], Any]) -> int | None:
    """The bytes of all tensors that a pass makes: what it holds with gradients, and more than it holds without.

    Args:
        run: the pass.

    Returns:
        None where it cannot be measured.

    Example:
        >>> bytes_of_pass(lambda: torch.zeros(3, 4) + 1)
        96
    """
    try:
        allocated = _Allocated()
        with torch.no_grad(), allocated:
            run()
    # Kernels that do not go through the dispatcher, subclasses of tensors: then nothing is known.
    except Exception:
        return None
    return allocated.bytes


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the system or of a device.

    Example:
        >>> ran_out_of_memory(MemoryError()), ran_out_of_memory(ValueError("memory"))
        (True, False)
    """
    # On a CPU torch has no class for it.
    said = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return said or isinstance(error, MemoryError | torch.OutOfMemoryError)


def at_once(bytes_of: NDArray[np.float64], budget: float) -> int:
    """How many samples go through a model at once: the largest power of two whose passes all fit, or all of them.

    A power of two, so that it hardly depends on how much memory happens to be free: results for other numbers of
    samples differ in rounding.

    Args:
        bytes_of: each sample's pass, ``[B]``.
        budget: bytes that a pass may take.

    Example:
        >>> at_once(np.full(100, 10.0), 130.0), at_once(np.full(5, 10.0), 1e9), at_once(np.full(5, 10.0), 1.0)
        (8, 5, 1)
    """
    samples = len(bytes_of)
    if bytes_of.sum() <= budget:
        return samples
    step = 1 << max(samples - 1, 1).bit_length()
    while step > 1:
        step //= 2
        if step < samples and np.add.reduceat(bytes_of, np.arange(0, samples, step)).max() <= budget:
            break
    return max(step, 1)


def budget_on(device: torch.device) -> float:
    """Bytes that passes may take on a device: a fixed number, or a part of what is free where that is less."""
    if device.type == "cuda":
        return float(min(_ON_CUDA, torch.cuda.mem_get_info(device)[0] / 2))
    return float(min(BUDGET, free_bytes() / 4))


def free_bytes() -> float:
    """Bytes of memory that this process may still take, by the system and by its container; infinite: unknown.

    Example:
        >>> free_bytes() > 0
        True
    """
    found = [float("inf")]
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            found.append(float(line.split()[1]) * 1024)
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and used and limit[0].isdecimal() and used[0].isdecimal():
        cached = [line.split()[1] for line in _lines("/sys/fs/cgroup/memory.stat") if line.startswith("inactive_file ")]
        # Pages of files are given back when memory is requested.
        found.append(float(limit[0]) - float(used[0]) + sum(map(float, cached)))
    return max(min(found), 1.0)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []
