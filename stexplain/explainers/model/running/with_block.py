"""The `with` block in which a model stays frozen for several calls, and copies of what has one."""

from contextlib import AbstractContextManager
from copy import deepcopy
from types import TracebackType
from typing import Any, Self

from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.model.running.frozen import frozen_eval
from stexplain.wording import an


class WithBlock:
    """What keeps its model frozen and in eval mode for the length of a `with` block.

    A deep copy or a pickle inside of one is refused: it would have a block that nobody ends.

    Attributes:
        model: any, or none, where there is nothing to freeze.
    """

    model: nn.Module | None

    def __init__(self) -> None:
        self._frozen_blocks: list[AbstractContextManager[None]] = []  # A stack, as blocks may be nested.

    def __enter__(self) -> Self:
        if self.model is not None:
            block = frozen_eval(self.model)
            block.__enter__()
            self._frozen_blocks.append(block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._frozen_blocks:
            self._frozen_blocks.pop().__exit__(None, None, None)

    def __copy__(self) -> Self:
        vars(copy := object.__new__(type(self))).update(vars(self))
        return copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Whoever has another stack of blocks for the copy has entered it; see `rebind.with_model`.
        state = vars(self) if id(self._frozen_blocks) in memo else self.__getstate__()
        memo[id(self)] = other = object.__new__(type(self))
        vars(other).update({name: deepcopy(value, memo) for name, value in state.items()})
        return other

    def __getstate__(self) -> dict[str, Any]:
        if self._frozen_blocks:
            raise InputError(
                f"got {an(type(self).__name__)} whose `with` block is open; expected one outside of it. Copy it before."
            )
        return vars(self)
