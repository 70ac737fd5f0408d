"""The model of a long call, in this process and in others, and what tells it from another one."""

import hashlib
import importlib
from pathlib import Path

import torch
from torch import nn

from stexplain.cards import Recipe, trusted_names
from stexplain.checking.words import shown
from stexplain.errors import DataError, InputError
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.wording import an

ModelLike = nn.Module | str | Path
"""A module, the folder of a saved model, or ``"package.module:factory"``, a module or what makes one."""


def model_of(model: ModelLike) -> nn.Module:
    """The module.

    Raises:
        InputError: where a factory cannot be imported or makes no module.
        CardError: where there is no such folder.

    Example:
        >>> model_of("torch.nn:Identity")
        Identity()
    """
    if isinstance(model, nn.Module):
        return model
    if not isinstance(model, str | Path):
        raise InputError(f"model: got {shown(model)}; expected a module, a folder or 'package.module:factory'.")
    module, colon, name = str(model).partition(":")
    if not colon or Path(model).exists():
        return load_model(model)
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"model: got {str(model)!r}, which cannot be imported: {error}. Is it installed?") from error
    made = made() if callable(made) and not isinstance(made, nn.Module) else made
    if not isinstance(made, nn.Module):
        raise InputError(
            f"model: got {str(model)!r}, which is or makes {an(type(made).__name__)}; expected an nn.Module."
        )
    return made


def place_of(model: ModelLike, folder: Path) -> str:
    """Where other processes find a model: where it was found here, else saved in the folder.

    Raises:
        InputError: where it cannot be saved.
    """
    if not isinstance(model, nn.Module):
        return str(Path(model).resolve()) if Path(model).exists() else str(model)
    try:
        save_model(folder / "model", model)
        load_model(folder / "model")
    except (InputError, DataError) as error:
        raise InputError(
            f"model: got {an(type(model).__name__)} that other processes cannot load. Give the folder of a "
            "saved model, "
            'or "package.module:factory", which makes it; or leave out `workers` and `engine`.'
        ) from error
    return str((folder / "model").resolve())


def trust_of(model: nn.Module) -> list[str]:
    """What other processes have to trust to load a model that this one holds: its module, and what is trusted here."""
    return [type(model).__module__, *trusted_names()]


def model_hash(model: nn.Module) -> str:
    """A hash of a model's class, weights, buffers and recipe.

    Example:
        >>> model_hash(nn.Identity()) == model_hash(nn.Identity()), model_hash(nn.Identity()) == model_hash(nn.ReLU())
        (True, False)
    """
    recipe = getattr(model, "recipe", None)
    how = recipe.model_dump_json() if isinstance(recipe, Recipe) else ""
    digest = hashlib.blake2b(f"{type(model).__module__}.{type(model).__qualname__} {how}".encode(), digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # As bytes: numpy knows no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
