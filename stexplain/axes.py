"""The letters that name the axes of a tensor, the layout of tensors that are not in our order, and the shape check.

- b: samples in a batch
- m: instances, copies of the graph in one sample: the persons in a clip; 1 on a road network
- t: frames (time steps)
- n: nodes (joints, sensors)
- c: channels (x, y, z; speed, flow; features of a layer); d, e and f: further axes of channels, such as heads

Shapes in docstrings use the same letters as capitals: a batch is ``[B, M, T, N, C]``.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from einops import EinopsError, parse_shape, rearrange

from stexplain.errors import InputError
from stexplain.wording import counted

if TYPE_CHECKING:
    import torch

NAMES = {"b": "samples", "m": "instances", "t": "frames", "n": "nodes", "c": "channels"}
NAMES |= dict.fromkeys("def", "further channels")
CHANNELS = "cdef"
"""Letters of channels, in order: a tensor may have several axes of them, such as heads and their width."""
BATCH = "b m t n c"
"""The layout of a batch. Everything inside the package uses it."""


@dataclass(frozen=True)
class Layout:
    """The order of a tensor's axes, as an einops pattern over the letters b, m, t, n, c.

    Axes in parentheses are folded into one, the last varying fastest. An axis that is not in the pattern has size
    one, and 1 in the pattern is an axis of size one. Upper and lower case are alike. A tensor with several axes of
    channels names them c, d, e and f. A `Layout` describes; it never guesses.

    Args:
        pattern: for example ``"(b m) c t n"`` (feature maps of ST-GCN), ``"b c t n m"`` (its input), ``"b t n c"``.

    Raises:
        InputError: where the pattern is malformed, or has an unknown or repeated letter.

    Example:
        >>> import torch
        >>> layout = Layout("(b m) c t n")
        >>> layout.to_batch(torch.zeros(6, 64, 75, 25), m=2).shape
        torch.Size([3, 2, 75, 25, 64])
    """

    pattern: str

    def __post_init__(self) -> None:
        if isinstance(self.pattern, str):
            object.__setattr__(self, "pattern", self.pattern.lower())
        if not isinstance(self.pattern, str) or not re.fullmatch(r"[a-z1 ()]+", self.pattern):
            raise InputError(
                f"layout {self.pattern!r} is not a pattern; expected letters, spaces and parentheses, such as "
                "'(b m) c t n'."
            )
        # Depth of nesting: einops folds one level only, so any value but 0 and 1 is an error.
        depth = 0
        for sign in re.sub(r"[^()]", "", self.pattern):
            depth += 1 if sign == "(" else -1
            if depth not in (0, 1):
                break
        if depth != 0:
            raise InputError(
                f"layout {self.pattern!r} has unbalanced or nested parentheses; expected pairs, such as '(b m) c t n'."
            )
        for letter in self.letters:
            if letter not in NAMES:
                raise InputError(
                    f"layout {self.pattern!r} has the unknown axis {letter!r}. The axes are "
                    + ", ".join(f"{key} ({name})" for key, name in NAMES.items())
                    + "; separate them by spaces."
                )
            if self.letters.count(letter) > 1:
                raise InputError(f"layout {self.pattern!r} has the axis {letter!r} twice; expected each axis once.")

    @property
    def letters(self) -> list[str]:
        """The letters in the order of the pattern, without parentheses."""
        return [letter for letter in self.pattern.replace("(", " ").replace(")", " ").split() if letter != "1"]

    @property
    def groups(self) -> list[list[str]]:
        """The letters of each dimension of the tensor; none for an axis of size one."""
        groups = re.findall(r"\([^)]*\)|[a-z]+|1", self.pattern)
        return [[letter for letter in group.strip("()").split() if letter != "1"] for group in groups]

    def sizes(self, shape: "tuple[int, ...]", **known: int) -> dict[str, int]:
        """The size of each axis in a tensor of this shape.

        Args:
            shape: of the tensor.
            **known: sizes that are known beforehand. All but one size in a pair of parentheses must be; the last
                is inferred. A known axis that is not in the pattern is ignored.

        Raises:
            InputError: where the shape does not fit the pattern or the known sizes.

        Example:
            >>> Layout("(b m) c t n").sizes((6, 64, 75, 25), m=2)
            {'b': 3, 'm': 2, 'c': 64, 't': 75, 'n': 25}
        """
        # One group per dimension of the tensor: a pair of parentheses, or a letter alone.
        groups = self.groups
        if len(groups) != len(shape):
            raise self._misfit(shape, known, f"got {counted(len(shape), 'dimension')}; expected {len(groups)}")
        sizes: dict[str, int] = {}
        for letters, size in zip(groups, shape, strict=True):
            group = "1" if not letters else letters[0] if len(letters) == 1 else f"({' '.join(letters)})"
            missing = [letter for letter in letters if letter not in known]
            product = 1
            for letter in letters:
                product *= known.get(letter, 1)
            if len(missing) > 1:
                raise self._misfit(shape, known, f"the sizes of {group} are ambiguous: give all but one of them")
            # `product` is the part of this dimension that is known; it is 0 where an axis is empty.
            if missing and product and size % product == 0:
                sizes[missing[0]] = size // product
            elif missing or product != size:
                multiple = "a multiple of " * bool(missing)
                raise self._misfit(shape, known, f"got {size} for {group}; expected {multiple}{product}")
            sizes.update({letter: known[letter] for letter in letters if letter in known})
        return {letter: sizes[letter] for letter in self.letters}

    def _misfit(self, shape: "tuple[int, ...]", known: dict[str, int], why: str) -> InputError:
        implied = ", ".join(f"{letter}={known[letter]}" for letter in self.letters if letter in known) or "none known"
        return InputError(
            f"a tensor of shape {tuple(shape)} does not fit the layout {self.pattern!r} ({implied}): {why}. "
            "Give the layout that the tensor has."
        )

    def to_batch(self, tensor: "torch.Tensor", **known: int) -> "torch.Tensor":
        """The tensor in the order b m t n c; axes that are not in the pattern get size one.

        Args:
            tensor: in this layout.
            **known: as for `sizes`.

        Raises:
            InputError: where the tensor does not fit.
        """
        sizes = self.sizes(tuple(tensor.shape), **known)
        # einops inserts an axis of size one where the pattern has "1". Several axes of channels become one.
        channels = " ".join(letter for letter in self.letters if letter in CHANNELS)
        target = " ".join(letter if letter in sizes else "1" for letter in BATCH.split()[:-1])
        return rearrange(tensor, f"{self.pattern} -> {target} ({channels})", **sizes)

    def from_batch(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """The inverse of `to_batch`: a ``[B, M, T, N, C]`` tensor in this layout.

        Raises:
            InputError: where an axis that is not in the pattern has another size than one, and where the pattern has
                several axes of channels, whose sizes a batch does not tell.
        """
        if sum(letter in CHANNELS for letter in self.letters) > 1:
            raise InputError(
                f"a batch has one axis of channels; the layout {self.pattern!r} has several. Give the model a module "
                "that unfolds them."
            )
        sizes = parse_shape(tensor, BATCH)
        source = " ".join(letter if letter in self.letters else "1" for letter in BATCH.split())
        try:
            return rearrange(tensor, f"{source} -> {self.pattern}")
        except EinopsError:
            # The only way to fail: a "1" in `source` stands for an axis of another size.
            dropped = [f"{key}={size}" for key, size in sizes.items() if key not in self.letters and size != 1]
            # Instances are folded with samples, as most models take them; all else is an axis of its own.
            named = {part.split("=")[0] for part in dropped}
            folded = self.pattern.replace("b", "(b m)", 1) if "m" in named and "(" not in self.pattern else self.pattern
            rest = named - {"m"} if folded != self.pattern else named
            example = " ".join([folded, *(letter for letter in BATCH.split() if letter in rest)])
            raise InputError(
                f"a batch of shape {tuple(tensor.shape)} cannot be laid out as {self.pattern!r}: the pattern has no "
                f"room for {', '.join(dropped)}. Add the axis where the model has it, for example {example!r}."
            ) from None


def check_shape(name: str, shape: "tuple[int, ...]", pattern: str, **known: int) -> dict[str, int]:
    """Checks a shape against a pattern of letters and returns the size of each axis.

    Args:
        name: of the argument, for the message.
        shape: of the argument.
        pattern: such as ``"b m t n c"``.
        **known: sizes that are fixed; other axes may have any size.

    Raises:
        InputError: with the name of the argument, its shape and the expected one.

    Example:
        >>> check_shape("x", (2, 1, 50, 25, 3), "b m t n c", n=25)
        {'b': 2, 'm': 1, 't': 50, 'n': 25, 'c': 3}
        >>> check_shape("x", (2, 1, 50, 20, 3), "b m t n c", n=25)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x has shape (2, 1, 50, 20, 3); expected [b, m, t, n=25, c]: got 20 nodes.
    """
    letters = pattern.split()
    expected = "[" + ", ".join(f"{key}={known[key]}" if key in known else key for key in letters) + "]"
    if len(shape) != len(letters):
        raise InputError(
            f"{name} has shape {tuple(shape)}; expected {expected}: got {counted(len(shape), 'dimension')}."
        )
    sizes = dict(zip(letters, (int(size) for size in shape), strict=True))
    for key, size in known.items():
        if key in sizes and sizes[key] != size:
            raise InputError(
                f"{name} has shape {tuple(shape)}; expected {expected}: got {sizes[key]} {NAMES.get(key, key)}."
            )
    return sizes
