"""Custom functions of autograd, with and without a backward pass that is their derivative."""

import torch
from torch import Tensor


class Reversed(torch.autograd.Function):
    """The gradient reversal of DANN."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return -gradient


class Spike(torch.autograd.Function):
    """A spiking neuron with a surrogate of its gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0.3).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient / (1 + x.abs()) ** 2


class Clipped(torch.autograd.Function):
    """Rounding whose gradient passes straight through."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return (4 * x).round() / 4

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


class Signs(torch.autograd.Function):
    """A binary activation: its gradient passes within the clip."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x > 0, torch.ones_like(x), -torch.ones_like(x))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0].abs() < 1)


class Swish(torch.autograd.Function):
    """A fused activation, whose backward pass is its derivative."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = x.sigmoid()
        return gradient * s * (1 + x * (1 - s))


class ByNumpy(torch.autograd.Function):
    """What torch does not see: a rectifier in numpy, with many zeros."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.from_numpy(x.detach().numpy().clip(0)).to(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


class NewStyle(torch.autograd.Function):
    """With a context that is set up apart."""

    @staticmethod
    def forward(x: Tensor, power: int) -> Tensor:
        return x**power

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        ctx.x, ctx.power = inputs

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient * ctx.power * ctx.x ** (ctx.power - 1), None
