"""What an explainer knows of whether its model's gradients are the derivative of its scores."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from stexplain.explainers.target import Target


@dataclass(eq=False)
class Derivative:
    """What is known, and how the model's next pass is watched.

    Attributes:
        left_out: where a pass may leave something out of its gradient, in words; none: no pass was looked at yet.
        notes: by kind of input and target: the target, and what is to be said of its gradient.
        mode: makes the context in which the model's own code runs, which gives what takes and gives back its output.
    """

    left_out: tuple[str, ...] | None = None
    notes: dict[Any, tuple[Target, tuple[str, ...]]] = field(default_factory=dict)
    mode: Callable[[], AbstractContextManager[Callable[[Any], Any]]] | None = None

    def watching(self) -> AbstractContextManager[Callable[[Any], Any]]:
        """The context of a pass."""
        return nullcontext(lambda output: output) if self.mode is None else self.mode()

    def __getstate__(self) -> dict[str, Any]:
        # Notes hold targets, which may be functions that cannot be pickled; a copy measures anew.
        return {"left_out": self.left_out, "notes": {}, "mode": None}
