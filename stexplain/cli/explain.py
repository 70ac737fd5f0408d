"""`stexplain explain`: a model, some samples, a method; map, charts and summary. Heavy things are imported inside."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stexplain.cli.options import Json, Trust


def explain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A trained model's folder, a model card (untrained), or pkg.mod:factory that makes one.",
        ),
    ],
    card: Annotated[str, typer.Option(help="The dataset card: its name, or its path.")],
    data: Annotated[
        Path | None, typer.Option(help="A prepared store, or the files of a series.  [default: synthetic data]")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Such as xsub/test.  [default: the test split of the first protocol]")
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--ids", help="A sample's id, or a window's number or start; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option(help="Without --ids: this many samples, from the first on.")] = 1,
    method: Annotated[str, typer.Option(help="An explainer's class, such as IntegratedGradients.")] = "STGGradCAM",
    target: Annotated[
        str, typer.Option(help="predicted, a class (name or index), or forecast:NODE:HORIZON.")
    ] = "predicted",
    layer: Annotated[str | None, typer.Option(help="A layer's name, for methods that explain one.")] = None,
    layout: Annotated[str | None, typer.Option(help="Of that layer's output, such as '(b m) c t n'.")] = None,
    inputs: Annotated[str | None, typer.Option(help="The layout of the model's input, such as 'b c t n m'.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("explanation"),
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Explain samples: which nodes, when. Writes a map, a chart per sample and a summary.

    Examples:

      stexplain explain runs/ntu/xsub/stgcn10 --card ntu --split xsub/test --first 3

      stexplain explain runs/ntu/xsub/stgcn10 --card ntu --method InputGradient --target throw

      stexplain explain runs/roads/stgcn-roads --card roads --target "forecast:A west 3:6"

      stexplain explain mine.net:make --card ntu --layer l10 --layout "(b m) c t n" --inputs "b c t n m"
    """
    from stexplain.cli.validate.explain import validate_explain
    from stexplain.cli.validate.target import parse_target

    parsed = parse_target(target)
    dataset = validate_explain(
        model, card=card, data=data, split=split, ids=ids, first=first, method=method, target=parsed, out=out
    )
    # Only now torch: what could be wrong with the names has been reported.
    from stexplain.cli.explain_inputs import load_network, load_samples, select_samples
    from stexplain.cli.explain_output import summary_text, write_explanation
    from stexplain.cli.explain_target import check_target, forecast_node, make_target
    from stexplain.explainers.by_name import explainer

    samples, graph = load_samples(model, dataset, data, split)
    # Clips name their classes; the windows of a series have none.
    classes = list(getattr(samples, "classes", []))
    network = load_network(model, graph, classes)
    check_target(parsed, network)
    batch = samples.batch(select_samples(samples, ids or [], first))
    options: dict[str, Any] = {"layer": layer, "layout": layout, "inputs": inputs}
    # A model that carries its graph and class names wins over those of the dataset.
    options["graph"] = None if hasattr(network, "graph") else graph
    options["classes"] = classes if getattr(network, "class_names", None) is None and classes else None
    nodes = list(getattr(network, "graph", graph).nodes)
    target_object = make_target(parsed, nodes, getattr(network, "class_names", None) or classes)
    # The method alone is timed: loading and drawing take longer than it does.
    started = time.perf_counter()
    with explainer(method, network, **_accepted(method, options)) as explain_batch:
        explanation = explain_batch(batch, target=target_object)
    seconds = time.perf_counter() - started
    marked = {"forecast": [forecast_node(parsed, nodes)]} if parsed.kind == "forecast" else {}
    summary = write_explanation(explanation, batch, out, model=model, seconds=seconds, marked=marked)
    typer.echo(json.dumps(summary) if as_json else summary_text(summary))


def _accepted(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; graph and classes, which the user did not give, only where the method takes them."""
    from stexplain.explainers.by_name import takes

    return {
        name: value
        for name, value in options.items()
        if value is not None and (name not in ("graph", "classes") or takes(method, name))
    }
