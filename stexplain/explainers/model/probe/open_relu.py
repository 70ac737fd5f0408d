"""Rectifiers and maxima that pass a little of everything, while a probe looks at which frames and nodes are seen.

Behind a ReLU a change is lost wherever the unit is silent, and behind a maximum wherever another value is larger: a
position would seem not to see a frame that it sees on other samples. What an activation sees does not depend on its
slope, as long as it has one; what a maximum sees, its mean sees.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_LEAK = 1e-2
_MEANS = {"max_pool1d": F.avg_pool1d, "max_pool2d": F.avg_pool2d, "max_pool3d": F.avg_pool3d}


def leaky(x: Tensor) -> Tensor:
    """x, and a little more, where it is positive; else a little that falls off: positive and rising everywhere.

    Positive, as roots and degrees are taken of what a ReLU gives.

    Example:
        >>> [round(float(value), 4) for value in leaky(torch.tensor([2.0, 0.0, -1.0]))]
        [2.01, 0.01, 0.005]
    """
    return torch.where(x > 0, x + _LEAK, _LEAK / (1 - x.clamp(max=0)))


class OpenReLU(TorchFunctionMode):
    """Every ReLU of the block is `leaky`, and every maximum over a window of time or nodes their mean.

    Example:
        >>> with OpenReLU():
        ...     bool(torch.relu(torch.tensor(-1.0)) > 0), bool(torch.nn.ReLU()(torch.tensor(-1.0)) > 0)
        (True, True)
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        x = args[0] if args else kwargs.get("input")
        if name in _MEANS and not kwargs.get("return_indices") and kwargs.get("dilation", 1) in (1, (1, 1), (1, 1, 1)):
            window = {key: kwargs[key] for key in ("kernel_size", "stride", "padding", "ceil_mode") if key in kwargs}
            # A function of the tensor library itself takes all by place, with dilation among it.
            return _MEANS[name](*args, **window) if len(args) < 5 else func(*args, **kwargs)
        if name not in ("relu", "relu_") or not isinstance(x, Tensor) or not x.is_floating_point():
            return func(*args, **kwargs)
        inplace = name == "relu_" or kwargs.get("inplace") or args[1:2] == (True,)
        if not inplace:
            return leaky(x)
        # In place, others that hold the tensor see the change, too; a backward pass needs what was there before.
        return x.copy_(leaky(x.clone() if x.requires_grad else x))
