"""What `help` and a notebook show of a call: annotations in few words, and no argument that is none of the reader's."""

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

_SHORT = (
    (re.compile(r"numpy\.ndarray\[tuple\[typing\.Any, \.\.\.\], numpy\.dtype\[[^\]]*\]\]"), "ndarray"),
    (re.compile(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[[^\]]*\]\]"), "ndarray"),
    (re.compile(r"<class '(?:\w+\.)*(\w+)'>"), r"\1"),
    (re.compile(r"<factory>"), "..."),
    (re.compile(r"\bHistoryOr\(otherwise=('\w+')\)"), r"HistoryOr(\1)"),
    # The modules of a name; a number such as 0.55 has none.
    (re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])"), ""),
    (re.compile(r"Optional\[(Literal\[[^\]]*\])\]"), r"\1 | None"),
    # What numpy says of whatever may become an array.
    (re.compile(r"Union\[_Buffer, [^=]*?_NestedSequence\[complex \| bytes \| str\], NoneType\]"), "ArrayLike | None"),
    (re.compile(r"Union\[_Buffer, [^=]*?_NestedSequence\[complex \| bytes \| str\]\]"), "ArrayLike"),
)


def shortened(text: str) -> str:
    """A signature without modules of types, and without what numpy says of itself.

    Example:
        >>> shortened("(x: numpy.ndarray[tuple[typing.Any, ...], numpy.dtype[numpy.bool]], low: float = 0.5)")
        '(x: ndarray, low: float = 0.5)'
        >>> shortened("(card: pathlib.Path | None = None, *, extra: collections.abc.Sequence[str] = <factory>)")
        '(card: Path | None = None, *, extra: Sequence[str] = ...)'
    """
    for pattern, words in _SHORT:
        text = pattern.sub(words, text)
    return text


class ShownParameter(inspect.Parameter):
    """A parameter whose text is short; its annotation is as it was."""

    __slots__ = ()

    def __str__(self) -> str:
        if self.kind is self.VAR_KEYWORD and typing.get_origin(self.annotation) is typing.Unpack:
            # Keywords that are passed on, which one may give by name.
            (options,) = typing.get_args(self.annotation)
            return ", ".join(f"{name}=..." for name in typing.cast(Any, options).__annotations__)
        text = super().__str__()
        if isinstance(self.annotation, str):
            text = text.replace(repr(self.annotation), self.annotation, 1)
        return shortened(text)


class ShownSignature(inspect.Signature):
    """A signature whose text is short; what it says of parameters and their annotations is as it was."""

    __slots__ = ()

    def __str__(self) -> str:
        text = str(self._shown())
        if isinstance(self.return_annotation, str):
            text = text.replace(repr(self.return_annotation), self.return_annotation)
        return shortened(text)

    def format(self, **options: Any) -> str:
        """As Python 3.13 and later print it: over several lines where it is long."""
        return shortened(typing.cast(Any, self._shown()).format(**options))

    def _shown(self) -> inspect.Signature:
        """Without private parameters, as of results that nobody makes by hand."""
        shown = [one for name, one in self.parameters.items() if not name.startswith("_")]
        return inspect.Signature(shown, return_annotation=self.return_annotation)


def shown_signature(function: Callable[..., Any]) -> ShownSignature:
    """The signature of a function, whose text is short.

    Args:
        function: any.

    Example:
        >>> def load(path: "str | os.PathLike", *, nodes: list[str] | None = None) -> inspect.Signature: ...
        >>> print(shown_signature(load))
        (path: str | PathLike, *, nodes: list[str] | None = None) -> Signature
    """
    given = inspect.signature(function)
    parameters = [
        ShownParameter(one.name, one.kind, default=one.default, annotation=one.annotation)
        for one in given.parameters.values()
    ]
    return ShownSignature(parameters, return_annotation=given.return_annotation)
