"""Builds what a file describes, in no more memory than what it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from stexplain.errors import DataError

_SMALL, _TIMES = 64 << 20, 8
"""Bytes that a network may take, and how many times those of its weights beside them."""


class _Counting(TorchFunctionMode):
    def __init__(self, most: int, message: str) -> None:
        super().__init__()
        self.left, self.message = most, message

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Parameters are made empty, and filled.
        if func is torch.empty:
            sizes = args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args
            self.left -= 4 * prod(size for size in sizes if isinstance(size, int))
            if self.left < 0:
                raise DataError(self.message)
        return func(*args, **(kwargs or {}))


@contextmanager
def bounded(held: int, message: str) -> Iterator[None]:
    """Refuses to make parameters of far more bytes than a file holds, before any memory is taken for them.

    Args:
        held: the bytes of the weights in the file.
        message: of the error.

    Raises:
        DataError: at the first parameter that is too many.

    Example:
        >>> with bounded(100, "the file does not fit"):
        ...     torch.nn.Linear(100_000, 100_000)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: the file does not fit
    """
    with _Counting(_SMALL + _TIMES * held, message):
        yield
