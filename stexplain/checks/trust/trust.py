"""`trust`: whether to trust an explainer's maps of a model, as one verdict with its reasons."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked
from stexplain.checks.trust.accuracy import Accuracy, check_accuracy, predictor_of
from stexplain.checks.trust.agreement import check_methods, check_same_structure, check_second
from stexplain.checks.trust.changes import check_randomised, check_stability
from stexplain.checks.trust.deletion import check_deletion
from stexplain.checks.trust.labels import checked_labels
from stexplain.checks.trust.result import Trust, TrustCheck
from stexplain.checks.trust.simple_forecasts import targets_of
from stexplain.checks.trust.subject import TrustSubject, checked_groups, inside_of, read_samples
from stexplain.data.baselines import Baseline
from stexplain.data.windows import WindowBatch
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Output, Predicted, as_target
from stexplain.progress import AFTER, Progress

CHECKS = (
    "accuracy",
    "deletion",
    "agreement between methods",
    "stability",
    "parameter randomisation",
    "second training",
)
"""The checks, in the order in which they are made."""


@checked
def trust(
    model: nn.Module,
    explainer: "Explainer | type[Explainer] | str | None",
    x: Signals,
    *,
    labels: Any = None,
    target: TargetLike | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    groups: "ArrayLike | None" = None,
    second: nn.Module | None = None,
    guess: "ArrayLike | None" = None,
    baseline: "str | Baseline | Tensor | ArrayLike" = "mean",
    radius: float = 0.05,
    stable: float = 0.5,
    randomised: float = 0.5,
    steps: int = 10,
    draws: int = 3,
    copies: int = 99,
    seed: int = 0,
    **options: Any,
) -> Trust:
    """Whether to trust an explainer's maps of a model: one verdict, with its reasons.

    `selftest` checks software; this checks what the software says of your model. Give samples that the model was not
    trained on. Each check is one test, fixed before looking, of an interval over independent units: samples, or the
    `groups` that they come in.

    1. *accuracy*: the balanced accuracy lies above the chance level (the 99% interval), and above that of every one of
       `copies` networks with the same weights in random places. For values and forecasts: the mean absolute error lies
       below that of the mean, of persistence (the last observation), and of the historical average where it is known.
    2. *deletion*: masking what the map ranks first costs more of the score than masking random positions, the least
       important first, and what each baseline explainer ranks first. Paired, by the area between curves.
    3. *agreement between methods*: the rank correlation with a method of another family (gradients, layers,
       perturbations) lies above that with its permuted maps.
    4. *stability*: under noise of a few percent of each channel's deviation, where the prediction stays, the map keeps
       its rank correlation with itself.
    5. *parameter randomisation*: with all weights shuffled, the map loses it.
    6. *second training*: maps of the same samples by another training of the model are more alike than maps of
       different samples. Only where `second` is given.

    A map is trusted where accuracy and deletion pass and no other check fails. What was not checked is counted in the
    first line. An untrained network passes the first check with a probability below 1 in 100, whatever the labels,
    as long as they were not made by itself; with fewer than 10 independent units nothing is shown, so nothing trusted.

    It costs, per sample: `copies` + 1 inferences for accuracy, ``(steps - 1) (7 + b)`` for deletion beside b
    baseline explainers, about 30 for integrated gradients and up to 512 for occlusion (no more than two of three
    methods are taken), 2 for noise, and ``1 + 2 draws`` explanations by the explainer, one more with
    `second`.

    Args:
        model: any module.
        explainer: of that model; or the class or the name of one; none: the default of `explain`.
        x: the samples, as an explainer takes them; not a dict of streams.
        labels: the true class of each sample, ``[B]``, by index or name; or true values as floats: of the output's
            shape, samples first, or ``[B]`` of what the target names. Default: the labels of a batch; of windows of a
            series what followed them, `WindowBatch.y`, where it was observed.
        target: what is explained; default: `Predicted()`, or `Output()` where labels are values.
        valid: as an explainer takes it.
        observed: of a tensor, as an explainer takes it: its missing-value mask.
        shared: as an explainer takes it.
        per_sample: as an explainer takes it.
        groups: of each sample, ``[B]``: samples of one recording, person or day are not independent of each other.
            Default: those of a batch, such as persons of clips and days of windows; else every sample by itself.
        second: another training of the same model.
        guess: the chance level of the accuracy; default: one over the number of classes, as every class counts
            alike. For values: those of a simple forecast, such as persistence; default: see above.
        baseline: what a masked value is replaced by, see `stexplain.metrics.deletion_curve`. The mean of a node over
            time hides what happens, not the level: where the level matters, give another.
        radius: of the noise, a share of each channel's standard deviation in the sample.
        stable: the rank correlation that stability asks for.
        randomised: the rank correlation that may be left with shuffled weights.
        steps: of a deletion curve.
        draws: of noise, and of shuffled weights to explain.
        copies: with shuffled weights, whose accuracy is compared.
        seed: of all draws.
        **options: how the model is called, and of the class, where a class, a name or none is given as explainer.

    Returns:
        The verdict, with a row per check and its reason.

    Raises:
        InputError: if the explainer is of another model, labels are not one for each sample or no class of the model,
            or another argument does not fit.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> x = torch.randn(20, 2, 8, 6, generator=torch.Generator().manual_seed(0))
        >>> verdict = trust(model, "InputGradient", x, labels=[0, 1] * 10, inputs="b c t n", copies=9)
        >>> verdict.trusted, verdict["accuracy"].passed, verdict["second training"].sentence
        (False, False, 'No other training was given: second=.')

        Windows of a series bring what followed them, so that a forecaster needs no labels. Here it repeats the last
        observation, which is no better than persistence:

        >>> from stexplain import Forecast, WindowedSeries
        >>> class Persistence(nn.Module):
        ...     def forward(self, x):  # [B, T, N, C] -> [B, H, N]
        ...         return x[:, -1:, :, 0].repeat(1, 2, 1)
        >>> walk = torch.randn(400, 3, generator=torch.Generator().manual_seed(0)).cumsum(0)
        >>> windows = WindowedSeries(walk, window=6, horizon=2).batch(range(0, 380, 8))
        >>> verdict = trust(Persistence(), "InputGradient", windows, target=Forecast(1, 2), inputs="b t n c")
        >>> verdict.trusted, verdict["accuracy"].sentence.split(", and the")[0]
        (False, 'Mean absolute error 0.955; that of the last observation is 0.955')
    """
    check_counts(steps=steps, draws=draws, copies=copies)
    inside = inside_of(model)
    shared, per_sample = shared or {}, per_sample or {}
    other = None if second is None else inside_of(second)
    if other is not None:
        # At once, not after all other checks.
        check_same_structure(inside, other)
    explainer_for, caller, batch = read_samples(inside, explainer, x, valid, shared, per_sample, options, observed)
    samples = len(batch)
    # What followed windows is known to them; labels that are given may be of something else.
    windows = x if labels is None and isinstance(x, WindowBatch) else None
    followed = labels if windows is None else targets_of(windows)
    true = checked_labels(_given(followed, batch.label), samples, caller.classes)
    group = checked_groups(groups if groups is not None else batch.groups or None, samples)
    values = true.dtype.kind == "f"
    if values and target is None and windows is None and bool(((true == 0) | (true == 1)).all()):
        # Of a single logit both are possible, and the verdicts differ.
        raise InputError(
            "labels: got nothing but 0 and 1 as floats, which may be classes or values. Give classes as whole numbers, "
            "labels.astype(int); of values say so: target=Output()."
        )
    chosen = as_target((Output() if values else Predicted()) if target is None else target)
    explanation = explainer_for(inside)(batch, target=chosen, shared=shared, per_sample=per_sample)
    subject = TrustSubject(
        inside,
        explainer_for,
        caller,
        batch,
        chosen,
        shared,
        per_sample,
        group,
        baseline,
        seed,
        explanation,
    ).fixed()
    named = f"{explanation.method}{f' at {explanation.layer}' if explanation.layer else ''}"
    about = f"{named} on {type(inside).__name__}, {samples} sample{'' if samples == 1 else 's'}"
    if group is not None:
        about += f" in {subject.units()} groups"
    if few := subject.few(subject.units()):
        return Trust(about, tuple(TrustCheck.not_checked(name, few) for name in CHECKS))
    accuracy = Accuracy(true, subject.target if chosen.needs_layout else chosen, guess, windows, followed)
    predictor = None if values else predictor_of(chosen)
    # In the order of CHECKS.
    made: tuple[Callable[[], TrustCheck], ...] = (
        lambda: check_accuracy(subject, accuracy, copies),
        lambda: check_deletion(subject, steps=steps, repeats=5),
        lambda: check_methods(subject),
        lambda: check_stability(subject, predictor, radius=radius, draws=draws, threshold=stable),
        lambda: check_randomised(subject, draws=draws, threshold=randomised),
        lambda: (
            TrustCheck.not_checked(CHECKS[-1], "No other training was given: second=.")
            if other is None
            else check_second(subject, other)
        ),
    )
    checks = []
    with Progress("trust", len(CHECKS), shown=sys.stderr.isatty(), after=AFTER) as progress:
        for number, (name, make) in enumerate(zip(CHECKS, made, strict=True)):
            progress.update(number, what=f"trust: {name}")
            checks.append(make())
    return Trust(about, tuple(checks))


def _given(labels: Any, of_batch: Tensor) -> Any:
    """The labels as given, else those of the batch."""
    if labels is not None:
        return labels
    if bool((of_batch < 0).any()):
        raise InputError("labels: got none; expected the true class of each sample, or true values. Give labels=.")
    return of_batch
