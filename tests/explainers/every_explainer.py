"""The explainers of the package, found by their base class: a new one is tested without being named."""

import pkgutil
from importlib import import_module
from inspect import isabstract, signature

import stexplain.explainers
from stexplain.explainers.explainer import Explainer

for module in pkgutil.walk_packages(stexplain.explainers.__path__, "stexplain.explainers."):
    import_module(module.name)


def kinds(base=Explainer):
    """Every explainer that can be made, however deep it is derived."""
    for kind in base.__subclasses__():
        if not isabstract(kind) and kind.__module__.startswith("stexplain.explainers."):
            yield kind
        yield from kinds(kind)


def needs(kind):
    """What cannot be left out when an explainer is made, beside the model; such as samples of a training part."""
    parameters = list(signature(kind).parameters.values())[1:]
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty]


EXPLAINERS = sorted({kind for kind in kinds() if not needs(kind)}, key=lambda kind: kind.__name__)
