"""How a model is called: the options that everything which calls one takes, in one place."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class CallOptions(TypedDict, total=False):
    """How a model is called, as keyword arguments; see `ModelCaller` for what each means and its default."""

    inputs: str | None
    graph: "STGraph | None"
    classes: Sequence[str] | None
    argument: str | None
    signals: "Sequence[int] | None"
    output: "str | int | None"
    chunk: int | None
