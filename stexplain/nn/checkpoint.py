"""Models on disk: a folder with the weights, `model.safetensors`, and all else to rebuild the model, `model.json`.

Nothing is unpickled. The architecture is an import path, built with the hyperparameters, graph and relations in the
JSON file. Importing runs the module, so only this package's and those that the caller trusts are imported. The file
holds the relations in full, so that a later change of a strategy cannot change a trained model.
"""

import inspect
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stexplain.cards import ModelCard, Recipe, Trust, card_names, import_object, model_card, require_trust, trusting
from stexplain.checking import checked
from stexplain.errors import CardError, DataError, InputError, suggest, unknown
from stexplain.files import atomic_write, check_digest, digest, read_json, sha256, write_json
from stexplain.graph import Relations, STGraph
from stexplain.nn.bounded import bounded
from stexplain.nn.released import load_stgcn_checkpoint
from stexplain.reading import given_path, readable
from stexplain.reading.contents import reason_of
from stexplain.reading.shape import Form, check_shape
from stexplain.system import package_versions
from stexplain.wording import an, counted

__all__ = ["load_model", "load_stgcn_checkpoint", "save_model"]

FORMAT = 1
WEIGHTS, METADATA = "model.safetensors", "model.json"


@checked
def save_model(
    folder: str | Path,
    model: nn.Module,
    *,
    card: ModelCard | None = None,
    recipe: str | Recipe | None = None,
    seed: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Saves a model. Both files are written atomically; other files in the folder stay.

    Args:
        folder: the target; created where it is missing.
        model: with the attributes `graph`, `relations` and `hyperparameters` of an `STGCN` or `STGCNForecaster`;
            `classes` and `class_names` are saved where it has them.
        card: the model card that it was built from; its name and hash are saved.
        recipe: the training recipe, or the name of one in the card; none: the model's own, where it has one.
        seed: of the training.
        extra: anything else to save, in JSON types.

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
                f"model: got {an(type(model).__name__)} without the attribute {name!r}, which rebuilding needs. "
                "Save its "
                "state_dict() with safetensors instead."
            )
    if isinstance(recipe, str):
        if card is None:
            raise InputError(f"recipe: got the name {recipe!r} without a card. Give `card` as well, or a Recipe.")
        recipe = card.recipe(recipe)
    recipe = recipe or getattr(model, "recipe", None)
    relations: Relations = model.relations  # type: ignore[assignment]  # a module's attributes are typed Tensor or Module; it was checked above
    graph: STGraph = model.graph  # type: ignore[assignment]  # a module's attributes are typed Tensor or Module; it was checked above
    # safetensors refuses tensors that share memory or are strided.
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # The weights first: the metadata then holds their checksum, and an interrupted save is noticed when loading.
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    metadata = {
        "format": FORMAT,
        "architecture": f"{type(model).__module__}:{type(model).__qualname__}",
        "hyperparameters": model.hyperparameters,
        "classes": getattr(model, "classes", None),
        "class_names": getattr(model, "class_names", None),
        "card": None if card is None else {"name": card.name, "hash": card.hash},
        "recipe": None if recipe is None else recipe.model_dump(mode="json"),
        "seed": seed,
        "weights_sha256": sha256(folder / WEIGHTS),
        "versions": {"python": platform.python_version(), **package_versions(("stexplain", "torch", "dgl"))},
        "extra": dict(extra or {}),
        "graph": graph.to_dict(),
        "relations": {
            "names": list(relations.names),
            "source": [ends.tolist() for ends in relations.source],
            "target": [ends.tolist() for ends in relations.target],
            "weight": [weight.tolist() for weight in relations.weight],
        },
    }
    write_json(folder / METADATA, {**metadata, "sha256": digest(metadata)})


@checked
def load_model(
    card_or_path: str | Path | ModelCard,
    *,
    classes: int | Sequence[str] | None = None,
    graph: STGraph | None = None,
    recipe: str | Recipe | None = None,
    trust: Trust = (),
    **hyperparameters: Any,
) -> nn.Module:
    """A model: a trained one from its folder, in eval mode, or a fresh one from a card, with random weights.

    Args:
        card_or_path: a folder that `save_model` wrote; or a model card, its name or the path of its file.
        classes: for a card of a classifier, the names or the number of classes; for a folder, checked where given.
        graph: for a card, the graph; for a folder, checked where given.
        recipe: for a card, a recipe or the name of one; its hyperparameters replace the card's.
        trust: modules outside this package that the card or the folder may import, see `stexplain.cards.trusting`.
        **hyperparameters: for a card, these replace the card's and the recipe's, such as ``width=0.5``.

    Returns:
        The model; `class_names` holds the names of its classes, where known, and `recipe` its `Recipe`, where known.
        A trained forecaster has its scaler; a fresh one gets it from `fit`.

    Raises:
        CardError: where there is no such card, folder, recipe or hyperparameter, with the nearest name; or the class
            of the model may not be imported.
        InputError: where an argument is missing, or the folder's model has another graph or other classes.
        DataError: where the folder's files are broken or do not belong together.

    Example:
        >>> model = load_model("stgcn10", graph=STGraph.from_card("ntu"), classes=60)
        >>> sum(parameter.numel() for parameter in model.parameters())
        3080812
        >>> roads = STGraph.from_edges(["a", "b"], [("a", "b")])
        >>> load_model("stgcn-roads", graph=roads, horizon=6).horizon
        6
    """
    with trusting(trust):
        return _load(card_or_path, classes, graph, recipe, hyperparameters)


def _load(
    card_or_path: str | Path | ModelCard,
    classes: int | Sequence[str] | None,
    graph: STGraph | None,
    recipe: str | Recipe | None,
    hyperparameters: Mapping[str, Any],
) -> nn.Module:
    # A trained model's folder wins over a card's; a card's name that is no folder falls through.
    if not isinstance(card_or_path, ModelCard):
        folder = given_path(card_or_path, "card_or_path")
        if (folder / METADATA).is_file() or (folder / WEIGHTS).is_file():
            if recipe is not None or hyperparameters:
                raise InputError(
                    f"{folder} is a trained model with its own recipe and hyperparameters. Leave them out."
                )
            return _load_saved(folder, classes, graph)
        if folder.is_dir() and not (folder / "card.toml").is_file():
            raise CardError(f"the folder {folder} holds neither {METADATA} (a trained model) nor card.toml.")
        if not folder.exists() and str(card_or_path) not in card_names("models"):
            raise CardError(
                f"there is no model {str(card_or_path)!r}: neither a card nor a folder. "
                f"{suggest(str(card_or_path), card_names('models'))}"
            )
    card = model_card(card_or_path)
    owner = f"model card {card.name!r}"
    classifier = _takes_classes(card.architecture, owner)
    if graph is None or (classifier and classes is None):
        raise InputError(f"a fresh {card.name} needs graph=...{' and classes=... (names, or a number)' * classifier}.")
    if classes is not None and not classifier:
        raise InputError(f"classes: got {classes!r} for {card.name}, which is not a classifier. Leave them out.")
    chosen = card.recipe(recipe) if isinstance(recipe, str) else recipe
    # Later entries win: the call over the recipe over the card.
    merged = {**card.hyperparameters, **(chosen.hyperparameters if chosen else {}), **hyperparameters}
    names = None if classes is None or isinstance(classes, int) else list(classes)
    count = classes if classes is None or isinstance(classes, int) else len(classes)
    model = _build(card.architecture, owner, graph, count, merged)
    _describe(model, names, chosen)
    return model


def _takes_classes(architecture: str, owner: str) -> bool:
    """Whether an architecture takes a number of classes: whether it is a classifier."""
    return "classes" in inspect.signature(_architecture(architecture, owner)).parameters


def _architecture(path: str, owner: str) -> Callable[..., Any]:
    """What makes a model: a class of modules, or a function that the caller trusts.

    Raises:
        CardError: where it is neither, or may not be imported.
    """
    found = import_object(path, owner)
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    if not callable(found) or isinstance(found, ModuleType):
        raise CardError(f"{owner} names {path!r}, {an(type(found).__name__)}; expected a class of torch.nn.Module.")
    # Whatever is called runs: of what is imported anyway, only a module's class is known to build a model.
    require_trust(path, f"{owner} names {path!r}, which is not a class of torch.nn.Module. It was not called.")
    return cast(Callable[..., Any], found)


def _build(
    architecture: str, owner: str, graph: STGraph, classes: int | None, hyperparameters: Mapping[str, Any]
) -> nn.Module:
    build = _architecture(architecture, owner)
    # The signature is the list of hyperparameters, so that a new architecture needs no registration.
    known = [name for name in inspect.signature(build).parameters if name not in ("graph", "classes")]
    for name in hyperparameters:
        if name not in known:
            raise CardError(f"{owner}: {architecture} has no hyperparameter {name!r}. {suggest(name, known)}")
    model = build(graph, **hyperparameters) if classes is None else build(graph, classes=classes, **hyperparameters)
    if not isinstance(model, nn.Module):
        raise CardError(f"{owner}: {architecture!r} gives {an(type(model).__name__)}; expected an nn.Module.")
    return model


def _describe(model: nn.Module, class_names: list[str] | None, recipe: Recipe | None) -> None:
    """Sets what is known of a model beside its weights."""
    # Past nn.Module's __setattr__: the user's own modules may not declare these attributes.
    object.__setattr__(model, "recipe", recipe)
    if hasattr(model, "classes"):
        object.__setattr__(model, "class_names", class_names)


class _Relations(Form):
    names: list[str]
    source: list[list[int]]
    target: list[list[int]]
    weight: list[Any]


class _Metadata(Form):
    """What is taken from `model.json`."""

    architecture: str
    hyperparameters: dict[str, Any]
    classes: int | None
    class_names: list[str] | None
    recipe: dict[str, Any] | None
    graph: dict[str, Any]
    relations: _Relations
    weights_sha256: str
    sha256: str | None = None


def _load_saved(folder: Path, classes: int | Sequence[str] | None, graph: STGraph | None) -> nn.Module:
    source, again = folder / METADATA, "Train and save the model again."
    metadata = read_json(source, remedy=again)
    if metadata.get("format") != FORMAT:
        raise DataError(
            f"{source}: got format {metadata.get('format')}; expected {FORMAT}. Save the model with this version."
        )
    check_shape(source, metadata, _Metadata, again)
    content = {name: value for name, value in metadata.items() if name != "sha256"}
    # A width that was damaged may ask for any amount of memory.
    check_digest(source, content, metadata.get("sha256"), again)
    if not (folder / WEIGHTS).is_file() or sha256(folder / WEIGHTS) != metadata["weights_sha256"]:
        raise DataError(
            f"{folder / WEIGHTS} is missing or does not belong to {METADATA}: saving was interrupted, or a file was "
            "replaced. Train and save again."
        )
    try:
        own = STGraph.from_dict(metadata["graph"])
        relations = Relations(**{field: tuple(values) for field, values in metadata["relations"].items()})
        recipe = None if metadata["recipe"] is None else Recipe.model_validate(metadata["recipe"])
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{source} is incomplete: {reason_of(error)}. {again}") from error
    hyperparameters, names, count = metadata["hyperparameters"], metadata["class_names"], metadata["classes"]
    architecture = str(metadata["architecture"])
    with readable(folder / WEIGHTS, "weights", again):
        weights = load_file(folder / WEIGHTS)
    _check_graph(folder, own, graph)
    _check_classes(folder, count, names, classes)
    held = sum(tensor.nbytes for tensor in weights.values())
    larger = f"{folder / WEIGHTS} does not fit {architecture}: {METADATA} asks for far larger weights. {again}"
    try:
        with bounded(held, larger):
            model = _build(architecture, str(source), own, count, {**hyperparameters, "relations": relations})
    except (TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise DataError(f"{source}: {architecture} cannot be built from it: {reason_of(error)}. {again}") from error
    expected = model.state_dict()
    wrong = sorted(set(expected) ^ set(weights)) or [k for k in expected if expected[k].shape != weights[k].shape]
    if wrong:
        raise DataError(
            f"{folder / WEIGHTS} does not fit {architecture}: {counted(len(wrong), 'entry is', 'entries are')} "
            "missing, too many or of "
            "another shape, "
            f"such as {', '.join(wrong[:5])}. {again}"
        )
    broken = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise DataError(
            f"{folder / WEIGHTS}: {counted(len(broken), 'entry holds', 'entries hold')} NaN or infinity, such "
            f"as {broken[0]!r}. "
            "Training diverged: train again, with a lower rate."
        )
    # The type in which it was trained, before loading, which would cast the weights to the model's type.
    dtype = next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)
    if dtype != torch.get_default_dtype():
        model.to(dtype)
    model.load_state_dict(weights)
    _describe(model, names, recipe)
    # With the name of the strategy again, which the given relations replaced.
    object.__setattr__(model, "hyperparameters", hyperparameters)
    return model.eval()


def _check_graph(folder: Path, own: STGraph, given: STGraph | None) -> None:
    if given is None or given.nodes == own.nodes:
        return
    if len(given) != len(own):
        raise InputError(f"graph: got {len(given)} nodes; expected {len(own)}, as the model in {folder} has.")
    first = next(i for i in range(len(own)) if given.nodes[i] != own.nodes[i])
    raise InputError(
        f"graph: got {given.nodes[first]!r} as node {first}; expected {own.nodes[first]!r}, as the model in {folder} "
        "has. Bring the data into the model's order."
    )


def _check_classes(folder: Path, count: int | None, names: list[str] | None, given: int | Sequence[str] | None) -> None:
    if given is None:
        return
    if count is None:
        raise InputError(f"classes: got {given!r}, but the model in {folder} is not a classifier. Leave them out.")
    requested = given if isinstance(given, int) else len(given)
    if requested != count:
        raise InputError(f"classes: got {requested}; expected {count}, as the model in {folder} has.")
    if names is not None and not isinstance(given, int) and list(given) != names:
        # The first class that differs decides: an unknown name gets a suggestion, a known one is out of order.
        first = next(name for name, own in zip(given, names, strict=True) if name != own)
        if first not in names:
            raise unknown(f"class of the model in {folder}", first, names)
        raise InputError(f"classes: got those of the model in {folder} in another order. Give them in its order.")
