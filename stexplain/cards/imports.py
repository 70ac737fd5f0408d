"""Import paths in cards: readers, generators and architectures are named, and imported at their first use."""

import hashlib
import re
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from stexplain.cards.part import Card
from stexplain.cards.trust import trusted
from stexplain.errors import CardError, StexplainError, UntrustedError, suggest

_PACKAGE = "stexplain"
# "my_reader", "package.module", "package.module:Name"; none of Python's own "__names__", so that no `__main__` is run.
_PATH = re.compile(r"(?!__)[A-Za-z_]\w*(\.(?!__)[A-Za-z_]\w*)*(:(?!__)[A-Za-z_]\w*)?", re.ASCII)
# A class of the script or notebook that runs is saved under this name.
_MAIN = re.compile(r"__main__:(?!__)[A-Za-z_]\w*", re.ASCII)
_LONGEST = 200


def import_of(card: Card, path: str, *functions: str) -> Any:
    """Imports what a card names; a module that lies beside the card is found too, see `import_object`.

    Args:
        card: that names it.
        path: the import path, as `import_object` takes it.
        *functions: that a module must have, such as ``"read"``.

    Returns:
        The module, or what it has by that name.

    Raises:
        CardError: as `import_object`, and where what is named lacks one of these functions.

    Example:
        >>> from stexplain.cards.dataset import dataset_card
        >>> card = dataset_card("ntu")
        >>> import_of(card, card.reader, "find", "read").__name__
        'stexplain.data.readers.ntu_skeleton'
    """
    found = import_object(path, f"the card {card.name!r}", beside=card.path.parent)
    for name in functions:
        if not callable(getattr(found, name, None)):
            raise CardError(f"the card {card.name!r}: {path!r} has no function {name!r}. {suggest(name, dir(found))}")
    return found


def module_named(path: str) -> str:
    """The module of an import path, as `trusting` takes it.

    Args:
        path: the import path, or the name of a file.

    Example:
        >>> module_named("my_nets:Net"), module_named("my_reader.py")
        ('my_nets', 'my_reader')
    """
    return path.removesuffix(".py").partition(":")[0]


def hash_beside(card: Card, path: str) -> str | None:
    """SHA-256 of the file beside a card that the card names; none where it names a module that is found elsewhere.

    Args:
        card: that names it.
        path: the import path.

    Example:
        >>> from stexplain.cards.dataset import dataset_card
        >>> card = dataset_card("ntu")
        >>> hash_beside(card, card.reader) is None  # a module of the package
        True
    """
    file = _file_beside(module_named(path), card.path.parent, f"the card {card.name!r}")
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


def require_trust(path: str, refusal: str) -> None:
    """Refuses what an import path names unless the caller trusts its module; the refusal ends with how to allow it.

    Args:
        path: the import path.
        refusal: what is refused and why, a sentence.

    Raises:
        UntrustedError: where it is not trusted.

    Example:
        >>> require_trust("my_reader:read", "The card names a reader of its own.")
        Traceback (most recent call last):
        ...
        stexplain.errors.UntrustedError: The card names a reader of its own. If you know what it does, allow it: ...
    """
    if not trusted(module := module_named(path)):
        raise UntrustedError(
            f"{refusal} If you know what it does, allow it: trust={module!r}, on the command line --trust {module}.",
            module,
        )


def import_object(path: str, owner: str, *, beside: Path | None = None) -> Any:
    """Imports what is named as ``"package.module"`` or ``"package.module:name"``. It runs the module's code.

    Imported are modules of this package, those that the program has imported already, and those that the caller
    trusts, see `trusting`.

    Args:
        path: the import path. A file is named without its folder: ``"my_reader"`` or ``"my_reader.py"``.
        owner: what names it, for the message, such as ``"the card 'ntu'"``.
        beside: a folder, in which a module of one name is looked for first.

    Returns:
        The module, or what it has by that name.

    Raises:
        UntrustedError: where it is not allowed.
        CardError: where it is no such path, or it cannot be imported.

    Example:
        >>> import_object("stexplain.nn.stgcn:STGCN", "the card 'stgcn10'").__name__
        'STGCN'
        >>> import_object("stexplain.nn.stgcn:STGC", "the card 'stgcn10'")
        Traceback (most recent call last):
        ...
        stexplain.errors.CardError: the card 'stgcn10' names 'stexplain.nn.stgcn:STGC', but ... Did you mean 'STGCN'?
        >>> import_object("my_reader", "the card 'mine'")
        Traceback (most recent call last):
        ...
        stexplain.errors.UntrustedError: the card 'mine' names 'my_reader', a module outside stexplain. Nothing was ...
    """
    module_name, _, name = _checked(path, owner).partition(":")
    file = _file_beside(module_name, beside, owner)
    if file is None and _is_ours(module_name):
        module = _imported(module_name, path, owner)
    elif file is None and _is_loaded(module_name):
        module = sys.modules[module_name]
    else:
        what = "a module outside stexplain" if file is None else f"the file {file}"
        require_trust(path, f"{owner} names {path!r}, {what}. Nothing was imported, since that runs its code.")
        module = _imported(module_name, path, owner) if file is None else _loaded(file, path, owner)
    if not name:
        return module
    if not hasattr(module, name):
        raise CardError(f"{owner} names {path!r}, but {module_name} has no {name!r}. {suggest(name, dir(module))}")
    return getattr(module, name)


def _checked(path: Any, owner: str) -> str:
    """An import path without the suffix of a file, or why it is none."""
    text = path if isinstance(path, str) else repr(path)
    plain = text.removesuffix(".py")
    if not isinstance(path, str) or len(plain) > _LONGEST or not (_PATH.fullmatch(plain) or _MAIN.fullmatch(plain)):
        shown = text if len(text) <= 80 else f"{text[:80]}..."
        raise CardError(
            f"{owner} names {shown!r}; expected the name of a module, such as 'my_reader' for a file my_reader.py "
            "beside the card, or 'package.module:Name'."
        )
    return plain


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE


def _is_loaded(module: str) -> bool:
    """Whether the program imported a module itself; none of Python's own, which hold more than readers and models."""
    return module in sys.modules and module.partition(".")[0] not in sys.stdlib_module_names


def _file_beside(module: str, folder: Path | None, owner: str) -> Path | None:
    """The file of a module of one name in a folder."""
    if folder is None or "." in module:
        return None
    file = folder / f"{module}.py"
    if not file.is_file():
        return None
    if file.resolve().parent != folder.resolve():
        raise CardError(
            f"{owner} names {module!r}, and {file} is a link to {file.resolve()}. Put the file itself there."
        )
    return file.resolve()


def _imported(module: str, path: str, owner: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # error.name may be another module that this one imports: that is the one to install.
        raise CardError(f"{owner} names {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    except StexplainError:
        raise
    except Exception as error:  # a module of one's own may raise anything as it runs
        raise CardError(f"{owner} names {path!r}, which fails as it is imported: {_said(error)}") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}."


def _loaded(file: Path, path: str, owner: str) -> ModuleType:
    """The module of a file, run once for each content of it."""
    content = file.read_bytes()
    # Of place and content: two cards may have a reader.py each, and an edited one is another module.
    digest = hashlib.sha256(str(file).encode() + content).hexdigest()[:12]
    name = f"stexplain_beside_{digest}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Before it runs, as an import does: dataclasses look their module up.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, ModuleNotFoundError):
            raise CardError(
                f"{owner} names {path!r}, but {error.name!r} cannot be imported. Is it installed?"
            ) from error
        if isinstance(error, Exception) and not isinstance(error, StexplainError):
            raise CardError(f"{owner} names {path!r}, and {file} fails as it is run: {_said(error)}") from error
        raise
    return module
