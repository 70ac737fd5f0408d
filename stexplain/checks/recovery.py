"""The check on known models: whether an explainer finds what a network depends on whose function is written down."""

from collections.abc import Callable
from functools import partial

from torch import nn

from stexplain.checks.known import ELEMENTARY, SEEN, KnownModel, known_models, score_table
from stexplain.checks.known.limits import limits_of
from stexplain.checks.subject import Check
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods.layer.layer_explainer import LayerOptions
from stexplain.reading.contents import reason_of

_NAME = "known models"
# Of two values with a sign, both must have the right one; a few ties at zero are no fault.
_SIGN = 0.9


def known_models_found(own: Explainer, given: "Explainer | Callable[..., Explainer]") -> Check:
    """An explainer of the same class finds what known models depend on, in the right sign.

    Args:
        own: the explainer that is tested.
        given: what the self-test was given: an explainer, its class, or a callable that makes one of a model.
    """
    if own.model is None:
        return Check.not_applicable(_NAME, "a baseline explainer uses no model")
    limits = limits_of(type(own))
    if limits.keys() >= set(ELEMENTARY):
        return Check.not_applicable(_NAME, limits[ELEMENTARY[0]])
    chosen = [known for kind in ELEMENTARY for known in known_models(kind)]
    # Each kind once: on the skeleton and on roads in turn.
    models = [known for place, known in enumerate(chosen) if place % 4 in (0, 3)]
    makers = [maker for maker in (_without_options(given), type(own)) if maker is not None]
    errors: list[str] = []
    for maker in makers:
        try:
            return _judged(maker, models)
        # A constructor of one's own may need more than a model, or a layer that known models have not.
        except (InputError, TypeError, AttributeError) as error:
            errors.append(reason_of(error))
    return Check.not_applicable(_NAME, f"{type(own).__name__} cannot be made of a model alone: {errors[-1]}")


def _judged(make: Callable[[nn.Module], Explainer], models: "list[KnownModel]") -> Check:
    table = score_table(make, models)
    table["found"] = table[["auroc", "rivals"]].min(axis=1)
    worst = table.sort_values("found").iloc[0]
    wrong = table[table.sign < _SIGN]
    why = f"1 - AUROC, worst on {worst.kind!r}, {worst.over}"
    if len(wrong):
        return Check.of(_NAME, 1.0, 1 - SEEN, f"signs are wrong on {wrong.kind.iloc[0]!r}, {wrong.over.iloc[0]}")
    return Check.of(_NAME, 1 - float(worst.found), 1 - SEEN, why)


def _without_options(given: "Explainer | Callable[..., Explainer]") -> "Callable[..., Explainer] | None":
    """What makes an explainer of a known model: without the options that say how another model is called."""
    if isinstance(given, Explainer):
        return None
    options = {**given.keywords} if isinstance(given, partial) else {}
    inner = given.func if isinstance(given, partial) else given
    if not isinstance(inner, type) or (isinstance(given, partial) and given.args):
        return given
    return partial(
        inner, **{name: value for name, value in options.items() if name not in LayerOptions.__annotations__}
    )
