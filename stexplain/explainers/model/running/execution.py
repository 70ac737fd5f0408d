"""Running a model plainly, so that hooks fire and every operation can be differentiated, whatever it was built with."""

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.utils.checkpoint as checkpointing
from torch import nn

# Which threads run without checkpoints, and how often they entered: others may train with them at the same time.
_PLAIN: dict[int, int] = {}
_PLAIN_LOCK = threading.Lock()
# Set in processes that were forked after this module was imported; Windows has no fork.
_FORKED = threading.Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_FORKED.set)


@contextmanager
def plain_execution(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Runs models without what stands in the way of hooks and gradients, for the length of the block.

    - Activation checkpoints keep what they would compute again: of reentrant ones `torch.autograd.grad` takes no
      gradient, and hooks on a layer inside do not fire a second time. Memory is saved by `chunk` in its place.
    - Recurrent networks on CUDA run without cuDNN, which differentiates them in train mode alone.
    - Compiled modules run as they were before, where torch can do so.
    - Attention takes no fast path, which has no gradients and calls no layer inside of it.
    - In a forked process torch and DGL run in one thread: it would wait forever for threads that its parent had.

    Args:
        model: any.
        device: that it is on.

    Example:
        >>> from torch.utils.checkpoint import checkpoint
        >>> x = torch.ones(2, requires_grad=True)
        >>> with plain_execution(nn.Identity(), torch.device("cpu")):
        ...     y = checkpoint(torch.square, x, use_reentrant=True)
        >>> torch.autograd.grad(y.sum(), x)
        (tensor([2., 2.]),)
    """
    with ExitStack() as stack:
        if _FORKED.is_set():
            stack.enter_context(_in_one_thread())
        stack.enter_context(_without_checkpoints())
        stack.enter_context(_fast_path(on=False))
        if device.type == "cuda" and any(isinstance(module, nn.RNNBase) for module in model.modules()):
            stack.enter_context(_without_cudnn())
        # Importing the compiler takes seconds: who has not imported it has compiled nothing.
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextmanager
def _in_one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _without_cudnn() -> Iterator[None]:
    # Not torch.backends.cudnn.flags: that sets the other flags too.
    enabled = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = enabled


# Whether attention took its fast path before the outermost block.
_FAST: list[bool] = []


@contextmanager
def _fast_path(*, on: bool) -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    _FAST.append(before)
    torch.backends.mha.set_fastpath_enabled(on)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
        _FAST.pop()


@contextmanager
def as_called_elsewhere() -> Iterator[None]:
    """Inside of `plain_execution`, without gradients: attention takes its fast path where it would have without us.

    Where it leads a model to something else, as a `TransformerEncoder` whose padding it sets to zero, this is what the
    model's predictions are made of.
    """
    if not _FAST or torch.is_grad_enabled():
        yield
        return
    with _fast_path(on=_FAST[0]):
        yield


@contextmanager
def _without_checkpoints() -> Iterator[None]:
    """Functions under `torch.utils.checkpoint` run as they are, in this thread, for the length of the block."""
    thread = threading.get_ident()
    with _PLAIN_LOCK:
        if not _PLAIN:
            _replace(_original, _plain)
        _PLAIN[thread] = _PLAIN.get(thread, 0) + 1
    try:
        yield
    finally:
        with _PLAIN_LOCK:
            _PLAIN[thread] -= 1
            if not _PLAIN[thread]:
                del _PLAIN[thread]
            if not _PLAIN:
                _replace(_plain, _original)


# `checkpoint` itself may have been imported by name anywhere. Both of its ways go through a name that it looks up here.
_REENTRANT, _OTHER = "CheckpointFunction", "_checkpoint_without_reentrant_generator"
_original: dict[str, Any] = {
    name: getattr(checkpointing, name) for name in (_REENTRANT, _OTHER) if hasattr(checkpointing, name)
}


class _Direct:
    """In the place of the function that computes again in its backward pass."""

    @staticmethod
    def apply(function: Any, preserve: bool, *args: Any) -> Any:
        if threading.get_ident() in _PLAIN:
            return function(*args)
        return _original[_REENTRANT].apply(function, preserve, *args)


def _generator(*args: Any, **kwargs: Any) -> Generator[None, None, None]:
    """In the place of what is done before and after a function whose activations are not kept."""
    if threading.get_ident() not in _PLAIN:
        yield from _original[_OTHER](*args, **kwargs)
    else:
        yield


_plain: dict[str, Any] = {_REENTRANT: _Direct, _OTHER: _generator}


def _replace(old: dict[str, Any], new: dict[str, Any]) -> None:
    for name in _original:
        # Someone else may have replaced it meanwhile: theirs stays.
        if getattr(checkpointing, name) is old[name]:
            setattr(checkpointing, name, new[name])
