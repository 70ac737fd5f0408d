"""Runs a card's generator in a process of its own: `python -m stexplain.data.planted.generate CARD OUT SEED ERROR`.

A generator may start a pool of processes, and each of those imports the main module again: in a notebook, or in a
script without a `__main__` guard, that fails. Started from here, the main module is this one, which is guarded.
"""

import hashlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from stexplain.cards import Card, DatasetCard, dataset_card, import_of, module_named, trusted_names, trusting
from stexplain.errors import DataError, StexplainError
from stexplain.version import __version__


def generate(card: DatasetCard, out: Path, seed: int) -> None:
    """Generates planted recordings.

    Args:
        card: whose `planted` names the generator.
        out: the folder of recordings to make.
        seed: of the generator.

    Raises:
        DataError: where the generator fails; with its own message where it has one.
    """
    # Here first, where consent is known: the process may import this generator, which this one may have had already.
    import_of(card, str(card.planted), "generate")
    # A file carries the message back: standard error belongs to the progress bar, which the user is to see.
    message = out.with_name(f"{out.name}.error")
    message.parent.mkdir(parents=True, exist_ok=True)
    message.unlink(missing_ok=True)
    # -P: nothing that lies in the current folder is imported.
    command = [
        sys.executable,
        "-P",
        "-m",
        __name__,
        str(card.path),
        str(out),
        str(seed),
        str(message),
        *sorted({*trusted_names(), module_named(str(card.planted))}),
    ]
    # The caller's search path, so that its own generators and an uninstalled package are found from any folder.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        reason = message.read_text("utf-8") if message.is_file() else f"its process ended with {code}; see its output"
        raise DataError(f"the synthetic data of {card.name!r} could not be generated: {reason}")


def generator_hash(generator: ModuleType, card: Card) -> str:
    """A short hash over the card, the version and the generator's sources: what planted data depends on."""
    # Beside the generator's own source, that of each module of its package whose names it uses.
    package = generator.__name__.rpartition(".")[0]
    used = {getattr(value, "__module__", None) for value in vars(generator).values()}
    names = {generator.__name__, *(name for name in used if isinstance(name, str) and name.startswith(f"{package}."))}
    text = card.hash + __version__ + "".join(inspect.getsource(sys.modules[name]) for name in sorted(names))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def main(arguments: list[str]) -> int:
    """The process: runs the generator, and writes the message of an error of this package to the file ERROR."""
    card_path, out, seed, message, *trust = arguments
    try:
        card = dataset_card(Path(card_path))
        if card.planted is None:
            raise DataError(f"the card {card.name!r} names no generator; expected a module, as `planted`.")
        with trusting(trust):
            import_of(card, card.planted, "generate").generate(card, Path(out), seed=int(seed))
    except StexplainError as error:
        Path(message).write_text(str(error), "utf-8")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
