"""Arguments that are arrays, brought to one type: what is none is refused by its name."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking.words import shown
from stexplain.errors import InputError


def as_numbers(name: str, values: Any) -> NDArray[Any]:
    """An array of numbers or truths, of a tensor, an array, a table or nested lists.

    Args:
        name: of the argument, for the message.
        values: a tensor on any device, with or without a gradient; or what numpy makes an array of.

    Raises:
        InputError: for text, complex numbers, objects, rows of unequal length, sets, and tensors without values.

    Example:
        >>> as_numbers("weight", [[1, 2], [3, 4]]).shape
        (2, 2)
        >>> as_numbers("weight", [[1, 2], [3]])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: weight: got a list of 2 entries, with rows of unequal length; expected numbers.
    """
    if hasattr(values, "detach"):
        values = dense(name, values).detach().cpu()
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name}: got {shown(values)}, with rows of unequal length; expected numbers.") from None
    except (TypeError, OverflowError, RuntimeError) as error:
        raise InputError(f"{name}: got {shown(values)}; expected numbers.") from error
    if array.dtype.kind == "O":
        # Numbers among objects, as in a table with columns of several types. None would become NaN without a word.
        try:
            array = array if any(one is None for one in array.ravel()) else array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{name}: got {shown(values)}; expected numbers.") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: got {shown(values)} of type {array.dtype}; expected numbers.")
    return for_torch(array)


def for_torch(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers as torch can take them: in this machine's order of bytes, no view that runs backwards.

    Example:
        >>> import torch
        >>> backwards = np.arange(3, dtype=">f4")[::-1]
        >>> torch.from_numpy(for_torch(backwards))
        tensor([2., 1., 0.])
    """
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:  # of 80 or 128 bits, which torch lacks
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.copy() if any(stride < 0 for stride in array.strides) else array


def tensor_of_numbers(name: str, values: Any) -> Any:
    """The same as a tensor: one that is given is taken as it is, an array that may not be written to is copied.

    Raises:
        InputError: as `as_numbers` and `dense`.

    Example:
        >>> mask = np.broadcast_to(np.array([True, False]), (2, 2))
        >>> tensor_of_numbers("valid", mask).tolist()
        [[True, False], [True, False]]
    """
    import torch

    if isinstance(values, torch.Tensor):
        return dense(name, values)
    array = as_numbers(name, values)
    # Torch warns of an array that it could write to by mistake, such as a mask that was broadcast.
    return torch.as_tensor(array if array.flags.writeable else array.copy())


def dense(name: str, tensor: Any) -> Any:
    """The tensor, which has real values at all places.

    Raises:
        InputError: for a nested, sparse, complex or meta tensor.
    """
    if tensor.is_nested:
        raise InputError(f"{name}: got a nested tensor; expected one of one size. Use .to_padded_tensor(0) and a mask.")
    if tensor.is_meta:
        raise InputError(f"{name}: got a tensor on the meta device, which has no values; expected one with values.")
    if str(tensor.layout) != "torch.strided":
        raise InputError(f"{name}: got a sparse tensor; expected a dense one. Use .to_dense().")
    if tensor.is_complex():
        raise InputError(
            f"{name}: got complex numbers; expected real ones. Use .abs(), or real and imaginary channels."
        )
    return tensor


def require_tensor(name: str, value: Any) -> None:
    """Refuses what is no dense tensor, where it went straight to a network.

    Raises:
        InputError: naming the argument.

    Example:
        >>> require_tensor("x", [1.0])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x: got [1.0]; expected a tensor.
    """
    # Tracing and compiling put others in the place of tensors: what they share is enough.
    if not (hasattr(value, "shape") and hasattr(value, "detach")):
        raise InputError(f"{name}: got {shown(value)}; expected a tensor.")
    if str(getattr(value, "layout", "torch.strided")) != "torch.strided" or getattr(value, "is_nested", False):
        raise InputError(f"{name}: got a sparse or nested tensor; expected a dense one. Use .to_dense().")


def usable_device(name: str, device: Any) -> Any:
    """The device of torch, on which this machine can put a tensor.

    Raises:
        InputError: for what is no device, or one that is not there.

    Example:
        >>> usable_device("device", "cpu")
        device(type='cpu')
        >>> usable_device("device", "gpu")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: device: got 'gpu'; expected one of this machine, such as 'cpu'. Torch says: ...
    """
    import torch

    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    # Torch raises an AssertionError where it was built without CUDA, and NotImplementedError for other backends.
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0][:200].rstrip(".")
        raise InputError(
            f"{name}: got {shown(device)}; expected one of this machine, such as 'cpu'. Torch says: {reason}."
        ) from error
    return found
