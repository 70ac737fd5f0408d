"""Models inside a run folder of `stexplain bench`, and what they were trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stexplain.cards import card_names
from stexplain.errors import CardError, InputError
from stexplain.files import read_json
from stexplain.reading import given_path

_DEPTH = 3
"""How many folders below a run folder a model may lie: a protocol and a run, or one more."""


def models_in(folder: Path) -> list[Path]:
    """The folders of trained models inside a folder, in order; not those that a model keeps inside its own.

    Example:
        >>> models_in(Path("nowhere"))
        []
    """
    found: list[Path] = []
    for depth in range(1, _DEPTH + 1):
        for path in sorted(folder.glob("/".join(["*"] * depth + ["model.json"]))):
            if not any(above in found for above in path.parent.parents):
                found.append(path.parent)
    return sorted(found)


def model_in(model: str) -> tuple[str, str]:
    """The model that MODEL names: itself, or the one inside a run folder.

    Returns:
        The model, and what to say about it; empty where it is MODEL itself.

    Raises:
        CardError: where a folder holds several models, or none.
    """
    folder = given_path(model, "MODEL")
    if not folder.is_dir() or any((folder / name).is_file() for name in ("model.json", "card.toml")):
        return model, ""
    found = models_in(folder)
    if len(found) == 1:
        return str(found[0]), f"{folder} holds one model, {found[0]}."
    if found:
        listed = "\n  ".join(map(str, found))
        raise CardError(f"MODEL: got {folder}, which holds {len(found)} models. Give one of them:\n  {listed}")
    raise CardError(
        f"MODEL: got {folder}, which holds neither model.json (a trained model) nor card.toml, nor models in folders "
        "below."
    )


@dataclass(frozen=True)
class Trained:
    """What a model of a run folder was trained on.

    Attributes:
        folder: of the run.
        card: the name of the dataset card.
        data: where the data lies; none: generated.
        protocol: of the split; empty for a series.
    """

    folder: Path
    card: str
    data: Path | None
    protocol: str

    @property
    def options(self) -> str:
        """As options of `stexplain explain`."""
        return f"--card {self.card}" + ("" if self.data is None else f" --data {self.data}")


def trained_on(model: str) -> Trained | None:
    """What the model in a folder was trained on, as the run folder around it says; none where there is none.

    Raises:
        InputError: where the run's dataset card is not found by name.
        DataError: where the run folder's `results.json` is broken.
    """
    folder = given_path(model, "MODEL")
    for above in list(folder.absolute().parents)[:_DEPTH]:
        if (above / "results.json").is_file():
            results = read_json(above / "results.json")
            run = results.get("runs", {}).get(folder.absolute().relative_to(above).as_posix())
            return None if run is None else _trained(above, run, results)
    return None


def _trained(folder: Path, run: dict[str, Any], results: dict[str, Any]) -> Trained:
    name = str(run["dataset"])
    if name not in card_names("datasets"):
        raise InputError(
            f"--card: got nothing; expected the path of the card {name!r}, on which {folder} was run: it is not found "
            "by name."
        )
    about = results["datasets"][name]
    data = None if about["planted"] else Path(about["source"])
    return Trained(folder, name, data, str(run.get("protocol") or ""))
