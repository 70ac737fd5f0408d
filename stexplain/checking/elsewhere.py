"""Names that people know from other packages, and what this one has for the same."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import NoReturn

from stexplain.errors import suggest
from stexplain.wording import an

METHODS: Mapping[str, str] = {
    "saliency": "'InputGradient'",
    "gradient": "'InputGradient'",
    "gradients": "'InputGradient'",
    "ig": "'IntegratedGradients'",
    "gradcam": "'STGGradCAM'",
    "layergradcam": "'STGGradCAM'",
    "guidedgradcam": "'STGGradCAM'",
    "gradcampp": "'GradCAMPlusPlus'",
    "shap": "'GradientSHAP' or 'ShapleyValueSampling'",
    "deepshap": "'GradientSHAP'",
    "kernelshap": "'ShapleyValueSampling'",
    "shapley": "'ShapleyValueSampling'",
    "shapleyvalues": "'ShapleyValueSampling'",
    "featureablation": "'Occlusion'",
    "ablation": "'Occlusion'",
    "perturbation": "'Occlusion'",
    "gnnexplainer": "'LearnedMask', or 'EdgeImportance' of edges",
    "pgexplainer": "'EdgeImportance'",
    "dynamask": "'LearnedMask'",
    "extremalmask": "'LearnedMask'",
    "tsr": "'TemporalRescaling'",
}
"""A method's name elsewhere, in lower case and without signs -> ours."""

OF_EXPLANATIONS: Mapping[str, str] = {
    "heatmap": "plot() draws it, and stx.viz has further charts, such as stx.viz.timeline(e)",
    "show": "plot() draws it",
    "draw": "plot() draws it",
    "imshow": "plot() draws it",
    "timeline": "stx.viz.timeline(e) draws it",
    "top": "nodes() has the importance of each node, stx.viz.top_nodes(e) draws the highest",
    "top_nodes": "stx.viz.top_nodes(e) draws it, nodes() has the numbers",
    "topk": "nodes() has the importance of each node, stx.viz.top_nodes(e) draws the highest",
    "edges": "stx.EdgeImportance(model)(x) explains edges",
    "edge_mask": "stx.EdgeImportance(model)(x) explains edges",
    "node_mask": "values are it, [samples, instances, frames, nodes]",
    "frames": "importance.mean((1, 3)) is that of each frame, time its moments",
    "attributions": "values are it, [samples, instances, frames, nodes]",
    "attribution": "values are it, [samples, instances, frames, nodes]",
    "data": "values are it, [samples, instances, frames, nodes]",
    "df": "to_frame() gives a table",
    "to_csv": "save('map.csv') writes it, to_frame() gives the table",
    "to_netcdf": "save('map.nc') writes it",
    "to_numpy": "values are it, [samples, instances, frames, nodes]",
    "numpy": "values are it, [samples, instances, frames, nodes]",
    "shape": "values.shape is it",
}
"""What people look for at an explanation -> where it is."""

OF_GRAPHS: Mapping[str, str] = {
    "adjacency": "to_scipy() gives it; to_scipy().toarray() as an array [N, N]",
    "adjacency_matrix": "to_scipy() gives it; to_scipy().toarray() as an array [N, N]",
    "adj": "to_scipy() gives it; to_scipy().toarray() as an array [N, N]",
    "A": "to_scipy() gives it; to_scipy().toarray() as an array [N, N]",
    "to_numpy": "to_scipy().toarray() gives the adjacency [N, N]",
    "edge_index": "to_pyg() gives edge_index and edge_weight",
    "edge_weight": "weight is that of each edge; to_pyg() gives edge_index and edge_weight",
    "weights": "weight is that of each edge",
    "num_nodes": "len(graph) is it",
    "number_of_nodes": "len(graph) is it",
    "num_edges": "len(graph.edges) is it",
    "number_of_edges": "len(graph.edges) is it",
    "names": "nodes are they",
    "node_names": "nodes are they",
    "labels": "nodes are the names",
    "plot": "stx.viz.network(graph) draws it",
    "draw": "stx.viz.network(graph) draws it",
    "neighbors": "to_networkx().neighbors(name) gives them; hops() the distances",
    "neighbours": "to_networkx().neighbors(name) gives them; hops() the distances",
    "degree": "to_networkx().degree gives it",
    "laplacian": "scipy.sparse.csgraph.laplacian(graph.to_scipy()) gives it",
    "pos": "positions are it",
    "coordinates": "positions are it",
    "from_torch_geometric": "from_pyg(data, names) takes a Data of PyTorch Geometric",
    "from_data": "from_pyg(data, names) takes a Data of PyTorch Geometric",
    "from_edge_index": "from_edges(names, edge_index.T, directed=True) takes one, from_pyg a Data",
}
"""What people look for at a graph -> where it is."""

OF_RESULTS: Mapping[str, str] = {
    "df": "to_frame() gives the table",
    "table": "to_frame() gives the table",
    "frame": "to_frame() gives the table",
    "head": "to_frame() gives the table",
    "to_csv": "save('table.csv') writes it, to_frame() gives the table",
    "show": "plot() draws it, where it has a chart; to_frame() gives the table",
    "summary": "print(result) says it; to_frame() gives the table",
}
"""What people look for at a result -> where it is."""

OF_EXPLAINERS: Mapping[str, str] = {
    "attribute": "call it with samples: explainer(x, target=1)",
    "explain": "call it with samples: explainer(x, target=1)",
    "forward": "call it with samples: explainer(x, target=1)",
    "shap_values": "call it with samples: explainer(x, target=1)",
    "generate": "call it with samples: explainer(x, target=1)",
}
"""What people call at an explainer -> how it is called."""


_LOAD = (
    "load_skeletons, load_sensors, load_eeg and load_regions read files, load_dataset what a card names, load_model a "
    "model, Explanation.load a saved explanation"
)
OF_PACKAGE: Mapping[str, str] = {
    "load": _LOAD,
    "open": _LOAD,
    "read": _LOAD,
    "read_csv": _LOAD,
    "load_csv": _LOAD,
    "load_data": _LOAD,
    "load_explanation": "Explanation.load reads one",
    "save": "explanations and results save themselves, e.save('map.nc'); stx.viz.save(chart, 'map.svg') saves a chart",
    "plot": "explanations and results draw themselves, e.plot(); stx.viz has all charts",
    "heatmap": "explanations draw themselves, e.plot(); stx.viz has all charts",
    "show": "explanations draw themselves, e.plot(); stx.viz has all charts",
    "train": "fit trains a model",
    "skeleton": "STGraph.skeleton('coco-17') gives that of a name",
    "baseline": "an explainer takes it by name, baseline='mean'; stx.data.baselines has them",
    "GNNExplainer": "LearnedMask learns a mask of nodes and frames; EdgeImportance explains edges",
    "PGExplainer": "EdgeImportance explains edges",
}
"""What people look for at the top -> where it is."""

_BELOW = ("data", "metrics", "viz", "training", "nn", "graph", "explainers", "cards", "checks", "bench")


def no_name(name: str, known: Iterable[str]) -> str:
    """What to say of a name that the package does not export: where it is, or the nearest.

    Args:
        name: the unknown name.
        known: those that it exports.

    Example:
        >>> no_name("evaluate", ["explain"])
        "stexplain has no 'evaluate'. There is stexplain.training.evaluate."
        >>> no_name("from_networkx", [])
        "stexplain has no 'from_networkx'. There is stexplain.STGraph.from_networkx."
    """
    start, options = f"stexplain has no {name!r}", list(known)
    if name in OF_PACKAGE:
        return f"{start}: {OF_PACKAGE[name]}."
    # Libraries look for private names in whatever they meet: no more is imported for these.
    if name.startswith("_"):
        return f"{start}."
    method = METHODS.get(plain(name))
    if method is not None and not any(plain(option) == plain(name) for option in options):
        return f"{start}. Here it is {method}."
    near = suggest(name, options)
    if not near.startswith("Did") or name.startswith("from_"):
        for part in _BELOW:
            if name in dir(import_module(f"stexplain.{part}")):
                return f"{start}. There is stexplain.{part}.{name}."
        if hasattr(import_module("stexplain.graph").STGraph, name):
            return f"{start}. There is stexplain.STGraph.{name}."
    return f"{start}. {near}" if near.startswith("Did") else f"{start}. dir(stexplain) lists what there is."


def plain(name: str) -> str:
    """A name in lower case, without signs.

    Example:
        >>> plain("Grad-CAM")
        'gradcam'
    """
    return "".join(letter for letter in name.lower() if letter.isalnum())


def suggest_method(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown method: what this package has for it, else as `suggest`.

    Args:
        name: the unknown name.
        known: the names that exist.

    Example:
        >>> suggest_method("Saliency", ["InputGradient"])
        "Here it is 'InputGradient'."
        >>> suggest_method("integrated_gradients", ["IntegratedGradients"])
        "Did you mean 'IntegratedGradients'?"
    """
    options = list(known)
    if same := [option for option in options if plain(option) == plain(name)]:
        return f"Did you mean {same[0]!r}?"
    near = suggest(name, options)
    elsewhere = METHODS.get(plain(name))
    return f"Here it is {elsewhere}." if elsewhere is not None and not near.startswith("Did") else near


def missing(one: object, name: str, elsewhere: Mapping[str, str]) -> NoReturn:
    """Raises for an attribute that an object does not have, as its ``__getattr__``.

    Args:
        one: the object.
        name: the attribute.
        elsewhere: what people look for at it -> where that is.

    Raises:
        AttributeError: with where it is; that of a property, which has raised one, as it was.

    Example:
        >>> missing("text", "size", {"size": "len(text) is it"})
        Traceback (most recent call last):
        ...
        AttributeError: a str has no 'size': len(text) is it.
    """
    if hasattr(type(one), name):
        object.__getattribute__(one, name)
    raise no_attribute(type(one), name, elsewhere)


def no_attribute(owner: type, name: str, elsewhere: Mapping[str, str]) -> AttributeError:
    """The error for an attribute that is not there: where it is, or the nearest that exists.

    Args:
        owner: the class.
        name: the attribute.
        elsewhere: what people look for at it -> where that is.

    Example:
        >>> no_attribute(str, "uper", {}).args[0]
        "a str has no 'uper'. Did you mean 'upper'?"
        >>> no_attribute(str, "size", {"size": "len(text) is it"}).args[0]
        "a str has no 'size': len(text) is it."
    """
    start = f"{an(owner.__name__)} has no {name!r}"
    if name in elsewhere:
        return AttributeError(f"{start}: {elsewhere[name]}.")
    fields = getattr(owner, "__annotations__", {})
    near = suggest(name, [one for one in {*dir(owner), *fields} if not one.startswith("_")])
    return AttributeError(f"{start}. {near}" if near.startswith("Did") else f"{start}.")
