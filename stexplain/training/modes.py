"""Which modules of a model stay in eval mode while it is trained, since the user froze them."""

from torch import nn


def kept_in_eval(model: nn.Module) -> list[nn.Module]:
    """The modules that training leaves in eval mode.

    These are modules in eval mode of a model in train mode, which somebody set so; and, of a model that is in eval mode
    as a whole, as a loaded one is, those in eval mode without any parameter to train that have some parameter. What is
    inside of such a module, and in eval mode, stays with it, as dropout does.

    Args:
        model: before its training.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout(), nn.Linear(2, 1))
        >>> [type(module).__name__ for module in kept_in_eval(model)]
        ['BatchNorm1d']
        >>> kept_in_eval(model.eval())
        []
        >>> _ = model[0].requires_grad_(False)
        >>> len(kept_in_eval(model))
        1
    """
    evaluated = [module for module in model.modules() if not module.training]
    if model.training:
        return evaluated
    frozen = [module for module in evaluated if _frozen(module)]
    inside = {id(one) for module in frozen for one in module.modules()}
    return [module for module in evaluated if id(module) in inside]


def to_train_mode(model: nn.Module, kept: list[nn.Module]) -> None:
    """Sets a model to train mode, but for the modules that are kept in eval mode."""
    model.train()
    for module in kept:
        # Not by module.eval(): what is inside of it has a mode of its own.
        module.training = False


def _frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
