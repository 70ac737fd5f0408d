"""Whether a model slides, or runs, along two axes of x: then neither tells that it is the one of the frames."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from stexplain.errors import StexplainError


def slides_along(model: nn.Module, sizes: Sequence[tuple[int, int]], dimensions: int) -> bool:
    """Whether some convolution slides along one of some axes, in the order that the first convolution has them in.

    Args:
        model: any.
        sizes: of axes, each with its place in kernels.
        dimensions: of the kernels that have this order.

    Example:
        >>> over_time, over_nodes = nn.Conv2d(2, 4, (3, 1)), nn.Conv2d(4, 4, (1, 7))
        >>> slides_along(nn.Sequential(over_time, over_nodes), [(1, 7)], 2)  # one over the whole axis does not
        False
    """
    kernels = [
        list(zip(module.kernel_size, module.stride, strict=True))
        for module in model.modules()
        if isinstance(module, _ConvNd) and len(module.kernel_size) == dimensions
    ]
    return any(_slides(*each[place], size) for each in kernels for place, size in sizes)


def _slides(kernel: int, stride: int, size: int) -> bool:
    # One over the whole axis is over nodes, and so is one over each half of them, as over hemispheres.
    return stride < kernel < size and kernel > 1


def lengths_run_along(model: nn.Module, first: nn.Module, run: Callable[[], Any]) -> set[int]:
    """The lengths that recurrent layers run along, and convolutions of one axis slide along.

    Args:
        model: any; it runs only where it has such layers besides the first one.
        first: its first layer, which is left out.
        run: calls it.
    """
    lengths: set[int] = set()

    def hook(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not arguments or not isinstance(arguments[0], Tensor):
            return
        x = arguments[0]
        if isinstance(module, nn.RNNBase) and x.ndim == 3:
            lengths.add(x.shape[1 if module.batch_first else 0])
        if isinstance(module, nn.Conv1d) and _slides(module.kernel_size[0], module.stride[0], x.shape[-1]):
            lengths.add(x.shape[-1])

    kinds = (nn.RNNBase, nn.Conv1d)
    telling = [module for module in model.modules() if isinstance(module, kinds) and module is not first]
    if not telling:
        return lengths
    run_watched(telling, hook, run)
    return lengths


def run_watched(
    modules: Iterable[nn.Module], hook: Callable[[nn.Module, tuple[Any, ...]], None], run: Callable[[], Any]
) -> None:
    """Runs a model, and calls a hook with the arguments of some of its modules before each of them.

    Args:
        modules: of the model.
        hook: may end the run by a `StexplainError`.
        run: calls the model.

    Example:
        >>> model, seen = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), []
        >>> run_watched([model[1]], lambda _, given: seen.append(given[0].shape[1]), lambda: model(torch.ones(1, 2)))
        >>> seen
        [3]
    """
    handles = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        with torch.no_grad():
            run()
    except StexplainError:
        # Ended by the hook; or it failed, which the call itself will say.
        pass
    finally:
        for handle in handles:
            handle.remove()
