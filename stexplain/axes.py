"""The letters of the axes, layouts of other people's tensors, and the one shape check.

- b: samples in a batch
- m: instances, copies of the graph seen in one sample: persons in a clip; 1 for roads
- t: frames, time steps
- n: nodes: joints, sensors
- c: channels: x, y, z; speed, flow; features
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from einops import EinopsError, parse_shape, rearrange

from stexplain.errors import InputError

if TYPE_CHECKING:
    import torch

NAMES = {"b": "samples", "m": "instances", "t": "frames", "n": "nodes", "c": "channels"}
BATCH = "b m t n c"
"""The layout of a batch."""


@dataclass(frozen=True)
class Layout:
    """How a tensor's axes are laid out, as an einops pattern over the letters b, m, t, n, c.

    Axes in parentheses are folded into one, the last varying fastest. An axis that the pattern leaves out has size
    one. `Layout` only describes; it never guesses.

    Args:
        pattern: for example ``"(b m) c t n"`` (feature maps of ST-GCN), ``"b c t n m"`` (its input), ``"b t n c"``.

    Raises:
        InputError: where the pattern is not one, or names an unknown or repeated letter.

    Example:
        >>> import torch
        >>> layout = Layout("(b m) c t n")
        >>> layout.to_batch(torch.zeros(6, 64, 75, 25), m=2).shape
        torch.Size([3, 2, 75, 25, 64])
    """

    pattern: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z ()]+", self.pattern):
            raise InputError(f"layout {self.pattern!r} is not a pattern. Write axes as letters, such as '(b m) c t n'.")
        opened = 0
        for sign in re.sub(r"[^()]", "", self.pattern):
            opened += 1 if sign == "(" else -1
            if opened not in (0, 1):
                break
        if opened != 0:
            raise InputError(f"layout {self.pattern!r} has unbalanced or nested parentheses.")
        for letter in self.letters:
            if letter not in NAMES:
                raise InputError(
                    f"layout {self.pattern!r} names the axis {letter!r}. The axes are "
                    + ", ".join(f"{key} ({name})" for key, name in NAMES.items())
                    + "; separate them by spaces."
                )
            if self.letters.count(letter) > 1:
                raise InputError(f"layout {self.pattern!r} names the axis {letter!r} twice.")

    @property
    def letters(self) -> list[str]:
        """The axes in the order in which the pattern names them."""
        return self.pattern.replace("(", " ").replace(")", " ").split()

    def sizes(self, shape: "tuple[int, ...]", **known: int) -> dict[str, int]:
        """What size each axis has in a tensor of this shape.

        Args:
            shape: of the tensor.
            **known: sizes of axes that are known beforehand. One size per pair of parentheses may be left to infer.
                A known axis that the pattern does not name is ignored.

        Raises:
            InputError: where the shape does not fit the pattern or the known sizes.

        Example:
            >>> Layout("(b m) c t n").sizes((6, 64, 75, 25), m=2)
            {'b': 3, 'm': 2, 'c': 64, 't': 75, 'n': 25}
        """
        groups = re.findall(r"\([^)]*\)|[a-z]+", self.pattern)
        if len(groups) != len(shape):
            raise self._misfit(shape, known, f"the pattern has {len(groups)} axes and the tensor {len(shape)}")
        found: dict[str, int] = {}
        for group, size in zip(groups, shape, strict=True):
            letters = group.strip("()").split()
            missing = [letter for letter in letters if letter not in known]
            product = 1
            for letter in letters:
                product *= known.get(letter, 1)
            if len(missing) > 1:
                raise self._misfit(shape, known, f"the sizes of {group} cannot be told apart: give all but one")
            if missing and product and size % product == 0:
                found[missing[0]] = size // product
            elif missing or product != size:
                raise self._misfit(shape, known, f"{group} is {size} in the tensor where {product} is wanted")
            found.update({letter: known[letter] for letter in letters if letter in known})
        return {letter: found[letter] for letter in self.letters}

    def _misfit(self, shape: "tuple[int, ...]", known: dict[str, int], why: str) -> InputError:
        implied = ", ".join(f"{letter}={known[letter]}" for letter in self.letters if letter in known) or "none known"
        return InputError(
            f"a tensor of shape {tuple(shape)} does not fit the layout {self.pattern!r} ({implied}): {why}. "
            "Give the layout in which the tensor is laid out."
        )

    def to_batch(self, tensor: "torch.Tensor", **known: int) -> "torch.Tensor":
        """The tensor with its axes in the order b m t n c; axes that the pattern lacks have size one.

        Args:
            tensor: laid out as this layout says.
            **known: as for `sizes`.

        Raises:
            InputError: where the tensor does not fit.
        """
        sizes = self.sizes(tuple(tensor.shape), **known)
        target = " ".join(letter if letter in sizes else "1" for letter in BATCH.split())
        return rearrange(tensor, f"{self.pattern} -> {target}", **sizes)

    def from_batch(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """The inverse of `to_batch`: a ``[B, M, T, N, C]`` tensor in this layout.

        Raises:
            InputError: where an axis that the pattern leaves out is not of size one.
        """
        sizes = parse_shape(tensor, BATCH)
        source = " ".join(letter if letter in self.letters else "1" for letter in BATCH.split())
        try:
            return rearrange(tensor, f"{source} -> {self.pattern}")
        except EinopsError:
            lost = [f"{key}={size}" for key, size in sizes.items() if key not in self.letters and size != 1]
            raise InputError(
                f"a batch of shape {tuple(tensor.shape)} cannot be laid out as {self.pattern!r}: "
                f"the pattern has no room for {', '.join(lost)}. Add the axis, for example '(b m) ...'."
            ) from None


def check_shape(name: str, shape: "tuple[int, ...]", pattern: str, **known: int) -> dict[str, int]:
    """Checks a shape against a pattern of plain letters and returns the sizes.

    Args:
        name: of the argument, for the message.
        shape: what came.
        pattern: such as ``"b m t n c"``.
        **known: sizes that are fixed; the others may be anything.

    Raises:
        InputError: naming the argument, what came and what was wanted.

    Example:
        >>> check_shape("x", (2, 1, 50, 25, 3), "b m t n c", n=25)
        {'b': 2, 'm': 1, 't': 50, 'n': 25, 'c': 3}
        >>> check_shape("x", (2, 1, 50, 20, 3), "b m t n c", n=25)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x has shape (2, 1, 50, 20, 3); wanted [b, m, t, n=25, c]: 20 nodes came.
    """
    letters = pattern.split()
    wanted = "[" + ", ".join(f"{key}={known[key]}" if key in known else key for key in letters) + "]"
    if len(shape) != len(letters):
        raise InputError(f"{name} has shape {tuple(shape)}; wanted {wanted}: {len(shape)} axes came.")
    sizes = dict(zip(letters, (int(size) for size in shape), strict=True))
    for key, size in known.items():
        if key in sizes and sizes[key] != size:
            raise InputError(
                f"{name} has shape {tuple(shape)}; wanted {wanted}: {sizes[key]} {NAMES.get(key, key)} came."
            )
    return sizes
