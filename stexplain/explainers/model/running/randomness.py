"""Models that draw random numbers in their forward pass: whether they give the same output twice."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.outputs.nested import tensors_in
from stexplain.explainers.outputs.same_draws import generators_kept

# Rounding differs between passes where threads share work: by some 1e-6 of the largest value, in float32.
_ALIKE = 1e-4
_TIMES = 8
# By model: the first forward pass in an open block that drew numbers, to be done again.
_DRAWING: WeakKeyDictionary[nn.Module, Callable[[], Any]] = WeakKeyDictionary()


@contextmanager
def refused_if_random(model: nn.Module) -> Iterator[None]:
    """Refuses a model whose output differs from pass to pass, at the end of the block.

    Only a model that drew numbers by `watched_draws` is run again, some times, on the same samples; any other costs
    nothing.

    Args:
        model: any.

    Raises:
        InputError: with the size of the difference, and how to mend it.
    """
    try:
        yield
        if (run := _DRAWING.get(model)) is not None:
            with torch.no_grad(), generators_kept():
                first = run()
                # A path that is dropped now and then may be in both of two.
                for _ in range(_TIMES):
                    _check_alike(first, run())
    finally:
        _DRAWING.pop(model, None)


def watched_draws(model: nn.Module, run: Callable[[], Any]) -> Any:
    """What a forward pass returns; it is remembered where it drew random numbers.

    Args:
        model: whose forward pass it is.
        run: the pass; it can be done again.
    """
    before = _generators()
    output = run()
    if _generators() != before:
        _DRAWING.setdefault(model, run)
    return output


def _check_alike(first: Any, second: Any) -> None:
    for one, other in zip(tensors_in(first).values(), tensors_in(second).values(), strict=True):
        if one.shape != other.shape or not one.is_floating_point():
            continue
        difference, size = float((one - other).abs().max()), float(one.abs().max())
        if difference > _ALIKE * size:
            raise InputError(
                "the model draws random numbers in its forward pass, in eval mode too: two passes over the same "
                f"samples differ by up to {difference:.2g}, where the output is up to {size:.2g}. Switch off what "
                "draws them, such as F.dropout without training=self.training, or seed it at the start of forward."
            )


def _generators() -> list[bytes]:
    """The states of all generators that a model may draw from without being given one."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  # the state of others, not ours
    states = [torch.get_rng_state().numpy().tobytes(), np.asarray(keys).tobytes(), repr((name, rest)).encode()]
    states.append(str(hash(random.getstate())).encode())
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch does not type it
        states += [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    return states
