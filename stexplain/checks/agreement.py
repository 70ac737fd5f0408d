"""Checks against a plain call of the model: the target's score, and the map by the equation that a method claims."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from stexplain.checks.plain.equations import equation_of, plain_caller, plain_map
from stexplain.checks.plain.inputs import reduced
from stexplain.checks.plain.part import Part, PlainMap, parts
from stexplain.checks.subject import Check, Subject
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.expected_gradients import ExpectedGradients
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.graph_ablated import GraphAblated
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.target import Target
from stexplain.explainers.targets import Class
from stexplain.wording import counted

# Below this share of its summands a value is their rounding in float32.
_ROUNDING = 1e-3


def target_and_score(subject: Subject) -> Check:
    """The explanation's score and class are those of the model's output, for other classes too."""
    name = "target and score"
    if subject.explainer.model is None:
        return Check.not_applicable(name, "a baseline explainer uses no model")
    if isinstance(subject.explainer, GraphAblated):
        return Check.not_applicable(name, "its score is that of the model without its graph")
    worst, wrong = 0.0, 0
    for target, explanation in _explained(subject):
        with _parts(subject, target, subject.plain) as found:
            each = [part.scores for part in found[0]]
        scores = np.concatenate([one.scores.double().cpu().numpy() for one in each])
        classes = np.concatenate([one.classes.cpu().numpy() for one in each])
        wrong += int((classes != explanation.targets).sum())
        size = np.maximum(np.abs(scores), 1e-3 * max(np.abs(scores).max(), 1e-30))
        # A score that is not a number differs.
        worst = max(worst, float(np.nan_to_num(np.abs(scores - explanation.score) / size, nan=np.inf).max()))
    why = (
        f"{counted(wrong, 'sample has', 'samples have')} another class as their target than the one explained"
        if wrong
        else ""
    )
    return Check.of(name, 1.0 if wrong else worst, subject.limits.tolerance, why)


def equation(subject: Subject) -> Check:
    """The map is that of a plain re-implementation of the method's documented equation, for other classes too."""
    name = "equation"
    explainer = subject.explainer
    kind = equation_of(explainer)
    if kind is None:
        why = f"{type(explainer).__name__} states no equation that is known here"
        return Check.not_applicable(name, why)
    worst, compared = 0.0, False
    caller = plain_caller(explainer, subject.plain)
    for target, explanation in _explained(subject):
        try:
            found = _plain(subject, target, explanation, caller)
        except InputError as error:
            return Check.not_applicable(name, str(error).splitlines()[0])
        if isinstance(found, str):
            return Check.not_applicable(name, found)
        value, nonzero = found
        worst, compared = max(worst, value), compared or nonzero
    if not compared:
        return Check.not_applicable(name, "the map is zero everywhere: there is nothing to compare")
    return Check.of(name, worst, subject.limits.tolerance, f"of {kind.__name__}, re-implemented by plain loops")


def _plain(
    subject: Subject, target: Target, explanation: Explanation, caller: ModelCaller
) -> "tuple[float, bool] | str":
    """How far a map is from its equation, and whether there was anything but zeros."""
    try:
        return _compared(subject, target, explanation, caller)
    except InputError:
        # What was declared of a layer contradicts the model, or is what the explainer got wrong.
        return _compared(subject, target, explanation, plain_caller(subject.explainer, subject.plain, declared=False))


def _compared(
    subject: Subject, target: Target, explanation: Explanation, caller: ModelCaller
) -> "tuple[float, bool] | str":
    explainer = subject.explainer
    worst, start, nonzero = 0.0, 0, False
    with _parts(subject, target, caller) as (each, names):
        for part in each:
            rows = slice(start, start + len(part.x))
            start = rows.stop
            plain = plain_map(explainer, part, explanation.values[rows, : part.x.shape[1]])
            if isinstance(plain, str):
                return plain
            nonzero = nonzero or bool(plain.values.any()) or bool(explanation.values[rows].any())
            expected = _by_stream(plain, part, explainer, names)
            if expected is None:
                return "one stream after the other is perturbed"
            worst = max(worst, _difference(expected, explanation.values[rows], plain.magnitude, plain.computed))
            if plain.layer_values is not None and explanation.layer_values is not None:
                own = explanation.layer_values[rows]
                # A map at another resolution is of another layer.
                same = own.shape == plain.layer_values.shape
                worst = max(worst, _difference(plain.layer_values, own, plain.magnitude, None) if same else 1.0)
    return worst, nonzero


def _by_stream(plain: PlainMap, part: Part, explainer: object, names: "list[str]") -> NDArray[np.float64] | None:
    """The maps of streams side by side, as the explanation has them; the map itself where there are none."""
    if not names or plain.layer_values is not None:
        return plain.values
    if plain.channels is None:
        return plain.values if len(names) == 1 else None
    streams = part.caller._streams
    assert streams is not None
    reduce = explainer.reduce if isinstance(explainer, InputGradient | ExpectedGradients) else "sum"
    return np.concatenate([reduced(plain.channels[..., streams.channels(name)], reduce) for name in names], 1)


def _difference(
    expected: NDArray[np.float64],
    values: NDArray[np.float32],
    magnitude: NDArray[np.float64],
    computed: NDArray[np.bool_] | None,
) -> float:
    """The largest difference, relative to the sample's largest value, or to what its summands are rounded to."""
    known = np.ones(values.shape, bool) if computed is None else computed
    far = np.where(known, np.abs(expected - values), 0).reshape(len(values), -1).max(1)
    largest = np.maximum(np.abs(expected), np.abs(values)).reshape(len(values), -1).max(1)
    size = np.maximum(largest, _ROUNDING * magnitude)
    return float((far / np.where(size > 0, size, 1)).max())


@contextmanager
def _parts(subject: Subject, target: Target, caller: ModelCaller) -> "Iterator[tuple[Iterator[Part], list[str]]]":
    """The samples, in parts, by a caller whose model is frozen; and the names of streams."""
    with caller._model_frozen():
        found = parts(caller, *subject.given(subject.batch), target, subject.shared, subject.per_sample)
        yield found, [] if subject.streams is None else list(subject.streams.counts)


def _explained(subject: Subject) -> list[tuple[Target, Explanation]]:
    """The targets that are looked at, each with its explanation: computed for the first check that asks for them."""
    if not subject.explained:
        subject.explained.extend(
            (target, subject.original if target is subject.target else subject.explain(target=target))
            for target in _targets(subject)
        )
    return subject.explained


def _targets(subject: Subject) -> list[Target]:
    """The target, and where it names classes, other ones, another for every sample: a method may always take one."""
    target = subject.target
    if not isinstance(target, Class):
        return [target]
    with _parts(subject, target, subject.plain) as (found, _):
        every = [(part.scores.classes.tolist(), part.score_fn.parsed(part.output).tensor.shape) for part in found]
    classes = [one for own, _ in every for one in own]
    shape = every[0][1]
    count = 2 if len(shape) == 1 else max(int(shape[1]), 2)
    if len(shape) > 2:
        return [target]
    others = [(one + 1 + row % (count - 1)) % count for row, one in enumerate(classes)]
    return [target, Class(others)]
