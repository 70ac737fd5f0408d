"""Models on disk: a folder with `model.safetensors`, the weights, and `model.json`, all that is needed to rebuild it.

Nothing is unpickled. The architecture is an import path, built from the hyperparameters, graph and relations that the
JSON file holds; the relations are kept in full, so that a later change of a strategy cannot change a trained model.
"""

import inspect
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from stexplain.cards import ModelCard, Recipe, card_names, import_object, model_card
from stexplain.errors import CardError, DataError, InputError, suggest, unknown
from stexplain.files import atomic_write, read_json, sha256, write_json
from stexplain.graph import Relations, STGraph
from stexplain.nn.released import load_stgcn_checkpoint

__all__ = ["load_model", "load_stgcn_checkpoint", "save_model"]

FORMAT = 1
WEIGHTS, ABOUT = "model.safetensors", "model.json"


def save_model(
    folder: str | Path,
    model: nn.Module,
    *,
    card: ModelCard | None = None,
    recipe: str | Recipe | None = None,
    seed: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Saves a model, each of its two files whole or not at all; other files in the folder stay.

    Args:
        folder: where to; made where it is missing.
        model: with the attributes `graph`, `relations` and `hyperparameters` of an `STGCN` or `STGCNForecaster`;
            `classes` and `class_names` are kept where it has them.
        card: the model card that it was made from; its name and hash are kept.
        recipe: how it was trained: a recipe, or the name of one of the card's; none: the model's own, where it has one.
        seed: of the training.
        extra: anything else to keep, in JSON's own types.

    Raises:
        InputError: where the model lacks one of the attributes.
        CardError: where the card has no such recipe.
        DataError: where the folder cannot be written.

    Example:
        >>> import tempfile
        >>> model = load_model("stgcn7", graph=STGraph.from_card("ntu"), classes=["wave", "nod"], width=0.1)
        >>> folder = Path(tempfile.mkdtemp()) / "waving"
        >>> save_model(folder, model, seed=0)
        >>> load_model(folder).class_names
        ['wave', 'nod']
    """
    folder = Path(folder)
    for name in ("graph", "relations", "hyperparameters"):
        if not hasattr(model, name):
            raise InputError(
                f"{type(model).__name__} has no attribute {name!r}, without which it cannot be rebuilt. Save its "
                "state_dict() by safetensors instead."
            )
    if isinstance(recipe, str):
        if card is None:
            raise InputError(f"the recipe {recipe!r} is a name, but no card came to look it up in. Give `card`.")
        recipe = card.recipe(recipe)
    recipe = recipe or getattr(model, "recipe", None)
    relations: Relations = model.relations  # type: ignore[assignment]  # a module's attributes are typed Tensor or Module; it was checked above
    graph: STGraph = model.graph  # type: ignore[assignment]  # a module's attributes are typed Tensor or Module; it was checked above
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    about = {
        "format": FORMAT,
        "architecture": f"{type(model).__module__}:{type(model).__qualname__}",
        "hyperparameters": model.hyperparameters,
        "classes": getattr(model, "classes", None),
        "class_names": getattr(model, "class_names", None),
        "card": None if card is None else {"name": card.name, "hash": card.hash},
        "recipe": None if recipe is None else recipe.model_dump(mode="json"),
        "seed": seed,
        "weights_sha256": sha256(folder / WEIGHTS),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("stexplain", "torch", "dgl")},
        "extra": dict(extra or {}),
        "graph": graph.to_dict(),
        "relations": {
            "names": list(relations.names),
            "source": [ends.tolist() for ends in relations.source],
            "target": [ends.tolist() for ends in relations.target],
            "weight": [weight.tolist() for weight in relations.weight],
        },
    }
    write_json(folder / ABOUT, about)


def load_model(
    card_or_path: str | Path | ModelCard,
    *,
    classes: int | Sequence[str] | None = None,
    graph: STGraph | None = None,
    recipe: str | Recipe | None = None,
    **hyperparameters: Any,
) -> nn.Module:
    """A model: a trained one from its folder, in eval mode, or a fresh one from a card, its weights at random.

    Args:
        card_or_path: a folder that `save_model` wrote; or a model card, its name or the path of its file.
        classes: for a card, the names of the classes, or how many, where the model tells classes apart; for a folder,
            checked where given.
        graph: for a card, the graph; for a folder, checked where given.
        recipe: for a card, a recipe or the name of one: its hyperparameters replace the card's.
        **hyperparameters: for a card, these replace the card's and the recipe's, such as ``width=0.5``.

    Returns:
        The model; `class_names` holds the names of its classes, where it has any, and `recipe` its `Recipe`, where
        known. A forecaster has its scaler; a fresh one gets it from `fit`.

    Raises:
        CardError: where there is no such card or folder, recipe or hyperparameter; with the nearest match.
        InputError: where something is missing, or the folder's model is of another graph or other classes.
        DataError: where the folder's files are broken or do not belong together.

    Example:
        >>> model = load_model("stgcn10", graph=STGraph.from_card("ntu"), classes=60)
        >>> sum(parameter.numel() for parameter in model.parameters())
        3080812
        >>> roads = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> load_model("stgcn-roads", graph=roads, horizon=6).horizon
        6
    """
    if not isinstance(card_or_path, ModelCard):
        folder = Path(card_or_path).expanduser()
        if (folder / ABOUT).is_file() or (folder / WEIGHTS).is_file():
            if recipe is not None or hyperparameters:
                raise InputError(f"{folder} is a trained model: leave out recipe and hyperparameters, they are set.")
            return _saved(folder, classes, graph)
        if folder.is_dir() and not (folder / "card.toml").is_file():
            raise CardError(f"the folder {folder} holds no model: neither {ABOUT} (a trained one) nor card.toml.")
        if not folder.exists() and str(card_or_path) not in card_names("models"):
            raise CardError(
                f"there is no model {str(card_or_path)!r}: neither a card nor a folder. "
                f"{suggest(str(card_or_path), card_names('models'))}"
            )
    card = model_card(card_or_path)
    what = f"model card {card.name!r}"
    tells = _tells_classes(card.architecture, what)
    if graph is None or (tells and classes is None):
        raise InputError(f"a fresh {card.name} needs graph=...{' and classes=... (names, or how many)' * tells}.")
    if classes is not None and not tells:
        raise InputError(f"a {card.name} tells no classes apart, and classes came. Leave them out.")
    chosen = card.recipe(recipe) if isinstance(recipe, str) else recipe
    merged = {**card.hyperparameters, **(chosen.hyperparameters if chosen else {}), **hyperparameters}
    names = None if classes is None or isinstance(classes, int) else list(classes)
    count = classes if classes is None or isinstance(classes, int) else len(classes)
    model = _build(card.architecture, what, graph, count, merged)
    _describe(model, names, chosen)
    return model


def _tells_classes(architecture: str, what: str) -> bool:
    """Whether an architecture is built for a number of classes."""
    return "classes" in inspect.signature(import_object(architecture, what)).parameters


def _build(
    architecture: str, what: str, graph: STGraph, classes: int | None, hyperparameters: Mapping[str, Any]
) -> nn.Module:
    made = import_object(architecture, what)
    known = [name for name in inspect.signature(made).parameters if name not in ("graph", "classes")]
    for name in hyperparameters:
        if name not in known:
            raise CardError(f"{what}: {architecture} has no hyperparameter {name!r}. {suggest(name, known)}")
    model = made(graph, **hyperparameters) if classes is None else made(graph, classes=classes, **hyperparameters)
    if not isinstance(model, nn.Module):
        raise CardError(f"{what} names {architecture!r}, which makes a {type(model).__name__}; wanted an nn.Module.")
    return model


def _describe(model: nn.Module, class_names: list[str] | None, recipe: Recipe | None) -> None:
    """Notes what is known of a model beside its weights."""
    object.__setattr__(model, "recipe", recipe)
    if hasattr(model, "classes"):
        object.__setattr__(model, "class_names", class_names)


def _saved(folder: Path, classes: int | Sequence[str] | None, graph: STGraph | None) -> nn.Module:
    about = read_json(folder / ABOUT)
    if about.get("format") != FORMAT:
        raise DataError(f"{folder / ABOUT} is of format {about.get('format')}; this version reads {FORMAT}.")
    if not (folder / WEIGHTS).is_file() or sha256(folder / WEIGHTS) != about["weights_sha256"]:
        raise DataError(
            f"{folder / WEIGHTS} is missing or not the one that {ABOUT} was written for: the saving was cut short, or "
            "a file was replaced. Train and save again."
        )
    try:
        own = STGraph.from_dict(about["graph"])
        relations = Relations(**{field: tuple(values) for field, values in about["relations"].items()})
        recipe = None if about["recipe"] is None else Recipe.model_validate(about["recipe"])
        hyperparameters, names = about["hyperparameters"], about["class_names"]
        count = None if about["classes"] is None else int(about["classes"])
        architecture = str(about["architecture"])
        weights = load_file(folder / WEIGHTS)
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} does not hold a whole model: {type(error).__name__}: {error}.") from error
    _check_graph(folder, own, graph)
    _check_classes(folder, count, names, classes)
    model = _build(architecture, str(folder / ABOUT), own, count, {**hyperparameters, "relations": relations})
    wanted = model.state_dict()
    odd = sorted(set(wanted) ^ set(weights)) or [key for key in wanted if wanted[key].shape != weights[key].shape]
    if odd:
        raise DataError(f"{folder / WEIGHTS} does not fit {architecture}: {', '.join(odd[:5])} of {len(odd)} entries.")
    dtype = next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)
    if dtype != torch.get_default_dtype():
        model.to(dtype)
    model.load_state_dict(weights)
    _describe(model, names, recipe)
    object.__setattr__(model, "hyperparameters", hyperparameters)
    return model.eval()


def _check_graph(folder: Path, own: STGraph, given: STGraph | None) -> None:
    if given is None or given.nodes == own.nodes:
        return
    if len(given) != len(own):
        raise InputError(f"the model in {folder} is of a graph of {len(own)} nodes; the graph given has {len(given)}.")
    first = next(i for i in range(len(own)) if given.nodes[i] != own.nodes[i])
    raise InputError(
        f"the model in {folder} is of other nodes than the graph given: node {first} is {own.nodes[first]!r} there and "
        f"{given.nodes[first]!r} here. Bring the data into the model's order."
    )


def _check_classes(folder: Path, count: int | None, names: list[str] | None, given: int | Sequence[str] | None) -> None:
    if given is None:
        return
    if count is None:
        raise InputError(f"the model in {folder} tells no classes apart, and classes came. Leave them out.")
    asked = given if isinstance(given, int) else len(given)
    if asked != count:
        raise InputError(f"the model in {folder} tells {count} classes apart; {asked} were asked for.")
    if names is not None and not isinstance(given, int) and list(given) != names:
        odd = next(name for name, own in zip(given, names, strict=True) if name != own)
        if odd not in names:
            raise unknown(f"class of the model in {folder}", odd, names)
        raise InputError(f"the model in {folder} has the same classes in another order. Give them in its order.")
