"""`stexplain explain`: a model, some samples, a method; map, charts and summary. Heavy things are imported inside."""

import json as jsonlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stexplain.errors import InputError, suggest, unknown

if TYPE_CHECKING:
    from torch import nn

    from stexplain.data.samples import Batch
    from stexplain.explainers.explanation import Explanation

TOP = 5
"""Nodes named per sample."""


def explain(
    model: Annotated[
        str,
        typer.Argument(help="A trained model's folder, a model card (untrained), or pkg.mod:factory that makes one."),
    ],
    card: Annotated[str, typer.Option(help="The dataset card: its name, or the path of one.")],
    data: Annotated[
        Path | None, typer.Option(help="A prepared store, or a series' files. Without: planted data.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Such as xsub/test.  [default: the first protocol's test part]")
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--ids", help="A sample's id, or a window's number or start; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option(help="Without ids: so many samples from the first on.")] = 1,
    method: Annotated[str, typer.Option(help="A class of stexplain.explainers.")] = "STGGradCAM",
    target: Annotated[
        str, typer.Option(help="predicted, a class (name or index), or forecast:NODE:HORIZON.")
    ] = "predicted",
    layer: Annotated[str | None, typer.Option(help="A layer's name, for methods that explain one.")] = None,
    layout: Annotated[str | None, typer.Option(help="Of that layer's output, such as '(b m) c t n'.")] = None,
    inputs: Annotated[str | None, typer.Option(help="The layout of the model's input, such as 'b c t n m'.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("explanation"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Explain samples: which nodes, when. Writes a map, a chart per sample and a summary.

    Examples:

      stexplain explain runs/ntu/xsub/stgcn10 --card ntu --split xsub/test --first 3

      stexplain explain runs/ntu/xsub/stgcn10 --card ntu --method InputGradient --target throw

      stexplain explain runs/roads/stgcn-roads --card roads --target "forecast:A west 3:6"

      stexplain explain mine.net:make --card ntu --layer l10 --layout "(b m) c t n" --inputs "b c t n m"
    """
    from stexplain.explainers.by_name import explainer

    goal = _target(target)
    samples, graph, classes, recipe = _dataset(model, card, data, split)
    network = _model(model, graph, classes, recipe)
    chosen = _chosen(samples, ids or [], first)
    batch: Batch = samples.batch(chosen)
    _check_target(target, network)
    known: dict[str, Any] = {"layer": layer, "layout": layout, "inputs": inputs}
    known["graph"] = None if hasattr(network, "graph") else graph
    known["classes"] = classes if getattr(network, "class_names", None) is None and classes else None
    one = explainer(method, network, **_fitting(method, known))
    started = time.perf_counter()
    with one:
        e = one(batch, target=goal)
    seconds = time.perf_counter() - started
    named = target.split(":")[1] if target.startswith("forecast:") else ""
    marked = {"forecast": [named]} if e.graph is not None and named in e.graph.nodes else {}
    summary = _written(e, batch, out, model=model, seconds=seconds, marked=marked)
    typer.echo(jsonlib.dumps(summary) if json else _text(summary))


def _target(text: str) -> Any:
    """The target that a word names; a class by its name where it is nothing else."""
    from stexplain.explainers.targets import Class, Forecast, Predicted

    if text == "predicted":
        return Predicted()
    if text.partition(":")[0] == "forecast":
        parts = text.split(":")
        if len(parts) != 3 or not parts[2].isdecimal():
            raise InputError(f"the target {text!r} is not forecast:NODE:HORIZON, such as forecast:s7:3.")
        return Forecast(int(parts[1]) if parts[1].isdecimal() else parts[1], int(parts[2]))
    return Class(int(text) if text.isdecimal() else text)


def _check_target(text: str, network: "nn.Module") -> None:
    """Refuses a class of a forecaster, and a forecast of a classifier, in the words of the command line."""
    outputs = getattr(network, "outputs", None)
    if outputs is not None and not text.startswith("forecast:"):
        nodes = getattr(getattr(network, "graph", None), "nodes", ["s7"])
        raise InputError(
            f"the target is {text!r} and {type(network).__name__} forecasts. Give --target forecast:NODE:HORIZON, such "
            f"as --target 'forecast:{nodes[0]}:3'."
        )
    if outputs is None and text.startswith("forecast:") and getattr(network, "class_names", None):
        raise InputError(
            f"the target is {text!r} and {type(network).__name__} tells classes apart. Give --target predicted, or a "
            "class."
        )


def _dataset(model: str, card: str, data: Path | None, split: str | None) -> tuple[Any, Any, list[str], Any]:
    """The samples as the model was trained to see them, their graph, the classes, and the recipe."""
    from stexplain.data.load import load_dataset
    from stexplain.errors import CardError
    from stexplain.files import read_json

    recipe = None
    about = Path(model).expanduser() / "model.json"
    if about.is_file() and (said := read_json(about).get("recipe")):
        from stexplain.cards import Recipe

        # A forecaster's recipe is of another kind, and its samples are windows already.
        recipe = Recipe.model_validate(said) if said.get("frames") else None
    if split is None:
        from stexplain.cards import dataset_card

        try:
            split = f"{next(iter(dataset_card(card).protocols))}/test"
        except CardError:
            from stexplain.cards import series_card

            series_card(card)  # else its own message says what is wrong
            split = "test"
    found: Any = load_dataset(card, data, split, recipe=recipe)
    return found, found.graph, list(getattr(found, "classes", [])), recipe


def _model(model: str, graph: Any, classes: list[str], recipe: Any) -> "nn.Module":
    from torch import random

    from stexplain.nn.checkpoint import load_model

    module, separator, _ = model.partition(":")
    if separator and not Path(model).exists() and re.fullmatch(r"[\w.]+", module):
        return _imported(model)
    if (Path(model).expanduser() / "model.json").is_file():
        return load_model(model)
    with random.fork_rng(devices=[]):
        random.manual_seed(0)
        made = load_model(model, graph=graph, classes=classes)
    typer.echo(f"stexplain: {model} is a card: its weights are random, and so is what it looks at.", err=True)
    return made


def _imported(path: str) -> "nn.Module":
    import importlib
    import sys

    from torch import nn

    module, _, name = path.partition(":")
    # As `python -m` does: a module beside the user is found, although the command lies elsewhere.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"the model is {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    if not hasattr(found, name):
        raise InputError(f"the model is {path!r}, but {module} has no {name!r}. {suggest(name, dir(found))}")
    made = getattr(found, name)
    made = made if isinstance(made, nn.Module) else made()
    if not isinstance(made, nn.Module):
        raise InputError(f"{path} made a {type(made).__name__}; wanted a torch.nn.Module.")
    return made


def _chosen(samples: Any, ids: list[str], first: int) -> list[int]:
    """The indices of the samples asked for."""
    if not ids:
        if first < 1:
            raise InputError(f"--first is {first}; wanted at least one sample.")
        return list(range(min(first, len(samples))))
    names: list[str] | None = getattr(samples, "ids", None)
    if names is None:
        return [_window(samples, name) for name in ids]
    for name in ids:
        if name not in names:
            raise unknown("sample", name, names)
    return [names.index(name) for name in ids]


def _window(series: Any, name: str) -> int:
    """The index of a window, which is given as such or as the time at which it starts."""
    if not name.isdecimal():
        starts = {str(series.time_of(index)): index for index in range(len(series))} if series.time is not None else {}
        if name in starts:
            return starts[name]
    elif int(name) < len(series):
        return int(name)
    last = len(series) - 1
    ends = (
        "" if series.time is None else f", or named by their start, '{series.time_of(0)}' to '{series.time_of(last)}'"
    )
    raise InputError(f"there is no window {name!r}: they are counted from 0 to {last}{ends}.")


def _fitting(method: str, known: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; those that a method cannot have are refused by it, unless we filled them in."""
    from stexplain.explainers.by_name import methods, takes

    if method not in methods():
        raise unknown("method", method, methods())
    return {
        key: value
        for key, value in known.items()
        if value is not None and (key not in ("graph", "classes") or takes(method, key))
    }


def _written(
    e: "Explanation", batch: "Batch", out: Path, *, model: str, seconds: float, marked: dict[str, list[str]]
) -> dict[str, Any]:
    from stexplain.files import write_json

    e.save(out / "explanation.nc")
    nodes = e.nodes()
    found = []
    for row in range(len(e)):
        name = re.sub(r"[^\w.-]", "_", e.ids[row]) or f"sample-{row}"
        files = _drawn(e[row], batch, row, out / name, marked)
        top = nodes.iloc[row].sort_values(ascending=False, kind="stable").head(TOP)
        index = int(e.targets[row])
        found.append(
            {
                "id": e.ids[row],
                "label": int(batch.label[row]),
                "explained": e.classes[index] if 0 <= index < len(e.classes) else (index if index >= 0 else None),
                "score": float(e.score[row]) if e.score[row] == e.score[row] else None,
                "top_nodes": [[str(node), float(value)] for node, value in top.items()],
                "padding_share": float(e.padding_share[row]),
                "files": files,
            }
        )
    summary = {
        "model": model,
        "method": e.method,
        "target": e.target,
        "layer": e.layer,
        "seconds": round(seconds, 4),
        "map": str(out / "explanation.nc"),
        "samples": found,
    }
    write_json(out / "summary.json", summary)
    return summary


def _drawn(e: "Explanation", batch: "Batch", row: int, path: Path, marked: dict[str, list[str]]) -> dict[str, str]:
    """The chart: on the graph where it is known where its nodes lie, else the most important nodes."""
    from stexplain.viz import network, save, skeleton, top_nodes

    x = batch.x[row].numpy()
    chart: Any
    still: Any
    if e.graph is None or e.graph.positions is None:
        chart = still = top_nodes(e)
    elif x.shape[-1] == 3 and x.shape[:3] == e.values.shape[1:] and e.graph.center is not None:
        # Nodes that move are drawn where they are: positions in space, relative to a centre.
        chart, still = skeleton(e, x=x), skeleton(e, x=x, interactive=False)
    else:
        importance = e.importance[0].max(axis=0)
        said: dict[str, Any] = {
            "title": f"Which nodes matter for {e.target or 'the model'}, {e.method}",
            "marked": marked,
        }
        chart, still = network(e.graph, importance, **said), network(e.graph, importance.mean(axis=0), **said)
    return {
        ending: str(save(shown, path.with_name(f"{path.name}.{ending}")))
        for ending, shown in (("html", chart), ("png", still))
    }


def _text(summary: dict[str, Any]) -> str:
    where = f" at {summary['layer']}" if summary["layer"] else ""
    lines = [f"{summary['method']}{where}, {summary['target'] or 'no target'}: {summary['seconds']:.2f} s"]
    for sample in summary["samples"]:
        what = "" if sample["explained"] is None else f"  {sample['explained']}"
        score = "" if sample["score"] is None else f"  score {sample['score']:.3g}"
        lines.append(f"\n{sample['id'] or 'sample'}{what}{score}")
        lines += [f"  {node:<24} {value:.3g}" for node, value in sample["top_nodes"]]
        lines += [f"  {path}" for path in sample["files"].values()]
    return "\n".join(
        [*lines, "", f"map      {summary['map']}", f"summary  {Path(summary['map']).with_name('summary.json')}"]
    )
