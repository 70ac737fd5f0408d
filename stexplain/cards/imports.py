"""Import paths in cards: readers, generators and architectures are named, and imported at their first use."""

from importlib import import_module
from types import ModuleType
from typing import Any

from stexplain.errors import CardError, suggest


def import_object(path: str, owner: str) -> Any:
    """Imports what a card names as ``"package.module"`` or ``"package.module:name"``. It runs the module's code.

    Args:
        path: the import path.
        owner: what names it, for the message, such as ``"the card 'ntu'"``.

    Raises:
        CardError: where it cannot be imported.

    Example:
        >>> import_object("stexplain.nn.stgcn:STGCN", "the card 'stgcn10'").__name__
        'STGCN'
        >>> import_object("stexplain.nn.stgcn:STGC", "the card 'stgcn10'")
        Traceback (most recent call last):
        ...
        stexplain.errors.CardError: the card 'stgcn10' names 'stexplain.nn.stgcn:STGC', but ... Did you mean 'STGCN'?
    """
    module_name, _, name = path.partition(":")
    try:
        module: ModuleType = import_module(module_name)
    except ModuleNotFoundError as error:
        # error.name may be another module that this one imports: that is the one to install.
        raise CardError(f"{owner} names {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    if not name:
        return module
    if not hasattr(module, name):
        raise CardError(f"{owner} names {path!r}, but {module_name} has no {name!r}. {suggest(name, dir(module))}")
    return getattr(module, name)
