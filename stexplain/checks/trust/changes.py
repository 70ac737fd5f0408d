"""How a map changes: little under small changes of the input, and much as the weights are shuffled."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stexplain.checks.randomisation import cascade, rank_correlation
from stexplain.checks.trust.result import TrustCheck
from stexplain.checks.trust.subject import TrustSubject, mean_known
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.targets import Target
from stexplain.metrics.masked_model import frozen_masked_model
from stexplain.metrics.robustness import perturbed_signals

_STABILITY = "stability"
_RANDOMISATION = "parameter randomisation"


def check_stability(
    subject: TrustSubject, predictor: Target | None, *, radius: float, draws: int, threshold: float
) -> TrustCheck:
    """Rank correlation of the map with itself under noise, where the prediction stays.

    Noise is uniform, up to `radius` standard deviations of each channel of the sample. A sample whose prediction
    changes may well have another map: it is left out of the draw.
    """
    before = _classes(subject, subject.batch, predictor)
    found = np.full((draws, len(subject.batch)), np.nan)
    signals = perturbed_signals(subject.batch, _signal_channels(subject), radius=radius, draws=draws, seed=subject.seed)
    for draw, x in enumerate(signals):
        batch = replace(subject.batch, x=x)
        alike = rank_correlation(subject.explanation, subject.explain(subject.model, batch), signed=True)
        found[draw] = np.where(_classes(subject, batch, predictor) == before, alike, np.nan)
    values = mean_known(found)
    if few := subject.few(subject.units(values)):
        return TrustCheck.not_checked(_STABILITY, f"{few} The others' prediction changes under noise of {radius:.0%}.")
    sentence = (
        f"Rank correlation of the map with itself under noise of {radius:.0%} that leaves the prediction as it is"
    )
    return TrustCheck.of(_STABILITY, subject.interval(values), threshold, f"{sentence}.")


def check_randomised(subject: TrustSubject, *, draws: int, threshold: float) -> TrustCheck:
    """The map loses its rank correlation with itself as all weights are shuffled; see `checks.randomisation`."""
    if not subject.uses_model:
        return TrustCheck(_RANDOMISATION, False, "The map uses no model: it is the same whatever the weights are.")
    found = np.full((draws, len(subject.batch)), np.nan)
    try:
        for draw in range(draws):
            # One copy, which every stage randomises further: at the end, all of it is.
            stages = list(cascade(subject.model, subject.seed + draw))
            if not stages:
                return TrustCheck.not_checked(_RANDOMISATION, "The model has no weights to shuffle.")
            found[draw] = rank_correlation(subject.explanation, subject.explain(stages[-1][1]))
    except InputError as error:
        return TrustCheck.not_checked(_RANDOMISATION, str(error).splitlines()[0])
    sentence = "Rank correlation of the map's size with that of a copy of the model whose weights are shuffled."
    estimate = subject.interval(found.mean(0))
    return TrustCheck.of(_RANDOMISATION, estimate, threshold, sentence, above=False)


def _classes(subject: TrustSubject, batch: Batch, predictor: Target | None) -> NDArray[np.int64]:
    """The class that is predicted for each sample, ``[B]``; -1 of a model that predicts values."""
    if predictor is None:
        return np.full(len(batch), -1)
    with frozen_masked_model(subject.model, batch, **subject.arguments, **subject.options) as masked:
        return masked.fix_target(predictor)[1]


def _signal_channels(subject: TrustSubject) -> NDArray[np.float64]:
    """One for each channel that is a signal, zero for one that is an index, ``[C]``."""
    with subject.caller._model_frozen():
        signals = signal_mask(subject.caller, subject.caller._prepare(subject.batch, None, **subject.arguments))
    return np.ones(subject.batch.x.shape[-1]) if signals is None else signals.cpu().numpy().astype(np.float64)
