"""Finding the layer to be explained."""

from torch import nn

from stexplain.errors import InputError, unknown


def find_layer(model: nn.Module, layer: "str | nn.Module | None") -> tuple[str, nn.Module]:
    """A layer of the model and its name.

    Args:
        model: where to look.
        layer: its name as `named_modules` gives it, or the module itself; none: the last of `model.blocks`.

    Raises:
        InputError: where there is no such layer, with the nearest name.

    Example:
        >>> find_layer(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), "1")
        ('1', ReLU())
    """
    # The model itself has the empty name, and is no layer of itself.
    modules = {name: module for name, module in model.named_modules() if name}
    if layer is None:
        blocks = getattr(model, "blocks", None)
        if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not len(blocks):
            raise InputError(
                f"{type(model).__name__} has no `blocks` whose last could be the default. Give `layer`, such as one "
                f"of {', '.join(repr(name) for name in list(modules)[-5:]) or 'its own (it has none)'}."
            )
        layer = blocks[-1]
    if isinstance(layer, nn.Module):
        # By identity: modules compare by identity only, and a shared module is found by its first name.
        for name, module in modules.items():
            if module is layer:
                return name, module
        raise InputError(f"layer {type(layer).__name__} is not part of this {type(model).__name__}. Give its name.")
    if layer not in modules:
        raise unknown("layer", layer, modules)
    return layer, modules[layer]
