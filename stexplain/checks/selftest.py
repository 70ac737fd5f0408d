"""The self-test: a check of software, whether an explainer computes what it says, whatever its explanations say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from inspect import signature
from typing import Any, Unpack

import pandas as pd
from torch import nn

from stexplain.checking import checked
from stexplain.checks.agreement import equation, target_and_score
from stexplain.checks.invariances import CHECKS, parameter_randomisation
from stexplain.checks.model_state import input_snapshot, inputs_unchanged, model_restored, snapshot
from stexplain.checks.recovery import known_models_found
from stexplain.checks.subject import Check, Limits, Subject
from stexplain.errors import InputError, StexplainError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.by_name import method_class, of_class
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.model.inspection import unwrapped
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.running.state import ModelWrittenInto
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Predicted
from stexplain.result import Charted
from stexplain.wording import an

_ABOUT = "It checks the software, not whether an explanation is right: that is stexplain.trust's question."
_WORDS = {True: "passed", False: "failed", None: "not applicable"}


class SelfTestError(StexplainError):
    """An explainer failed a check of the self-test.

    Args:
        message: what failed, in words.

    Example:
        >>> found = SelfTest("Mine on STGCN", (Check("deterministic", False, 0.3, 1e-4),), None)
        >>> found.raise_for_failure()
        Traceback (most recent call last):
        ...
        stexplain.checks.selftest.SelfTestError: self-test of Mine on STGCN: 0 of 1 checks passed, 1 failed
          failed          deterministic             0.3 (at most 0.0001)
        ...
    """


@dataclass(frozen=True, repr=False)
class SelfTest(Charted):
    """The result of `selftest`.

    Attributes:
        subject: the explainer, model and samples, in words.
        checks: the checks with their verdicts.
        curve: of parameter randomisation, a row per stage: columns `stage` (0: trained weights), `layer` (the part
            randomised last), `correlation` (mean over samples and draws of the rank correlation with the original
            map), `low` and `high` (the lowest and highest of them), `random` (the correlation of random attribution
            with it). None if that check was not applicable.

    Example:
        >>> print(SelfTest("CAM on STGCN", (Check("deterministic", True, 0.0, 1e-4),), None))
        self-test of CAM on STGCN: 1 of 1 checks passed
          passed          deterministic             0 (at most 0.0001)
        It checks the software, not whether an explanation is right: that is stexplain.trust's question.
    """

    subject: str
    checks: tuple[Check, ...]
    curve: pd.DataFrame | None

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        # `is False`: None means not applicable, which is no failure.
        return tuple(check.name for check in self.checks if check.passed is False)

    @property
    def summary(self) -> str:
        """How many checks passed, failed, and could not be made, in words."""
        verdicts = [check.passed for check in self.checks]
        parts = [f"{verdicts.count(True)} of {len(verdicts)} checks passed"]
        # What could not be checked is said as loudly as what was.
        parts += [f"{count} {_WORDS[verdict]}" for verdict in (False, None) if (count := verdicts.count(verdict))]
        return ", ".join(parts)

    def __getitem__(self, name: str) -> Check:
        """The check of this name.

        Raises:
            KeyError: if there is none.
        """
        return {check.name: check for check in self.checks}[name]

    def __repr__(self) -> str:
        return f"<SelfTest of {self.subject}: {self.summary}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: how many checks passed, the table of checks, and what they are about."""
        table = self.to_frame().to_html(index=False, float_format="{:.2g}".format, na_rep="")
        head = f"<p><strong>self-test of {escape(self.subject)}: {escape(self.summary)}</strong></p>"
        return f"{head}{table}<p>{_ABOUT}</p>"

    def __str__(self) -> str:
        lines = [f"self-test of {self.subject}: {self.summary}"]
        for check in self.checks:
            number = "" if check.value is None else f"{check.value:.2g} (at most {check.limit:.2g})"
            detail = "; ".join(part for part in (number, check.why) if part)
            lines.append(f"  {_WORDS[check.passed]:15} {check.name:25} {detail}")
        lines.append(_ABOUT)
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """A row per check: columns `check`, `verdict`, `value`, `limit`, `why`."""
        return pd.DataFrame(self.to_dict()["checks"])

    _CHART = "randomisation"

    def _drawn_of(self) -> pd.DataFrame:
        if self.curve is None:
            raise InputError("the self-test has no curve to draw: parameter randomisation was not applicable.")
        return self.curve

    def to_dict(self) -> dict[str, Any]:
        """The result in JSON's own types."""
        checks = [
            {
                "check": check.name,
                "verdict": _WORDS[check.passed],
                "value": check.value,
                "limit": check.limit,
                "why": check.why,
            }
            for check in self.checks
        ]
        curve = None if self.curve is None else self.curve.to_dict("records")
        return {"subject": self.subject, "passed": self.passed, "checks": checks, "curve": curve}

    def raise_for_failure(self) -> None:
        """Raises an error if a check failed.

        Raises:
            SelfTestError: with the whole report, if a check failed.
        """
        if self.failed:
            raise SelfTestError(str(self))


@checked
def selftest(
    model: nn.Module,
    explainer: "Explainer | Callable[..., Explainer] | str | None",
    x: Signals | Streams,
    *,
    target: TargetLike | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    permuted: "Callable[[Sequence[int]], nn.Module] | None" = None,
    tolerance: float = 1e-4,
    threshold: float = 0.5,
    draws: int = 3,
    seed: int = 0,
    **options: Unpack[CallOptions],
) -> SelfTest:
    """Tests the software: whether an explainer computes on a model what it says that it computes.

    Whether to trust a map of one's own model is another question, which `stexplain.trust` answers.

    - target and score: the explanation's score and class are those of a plain call of the model.
    - equation: where a method's equation is documented (of `STGGradCAM`, `GradCAMPlusPlus`, `HiResCAM`, `LayerCAM`,
      `CAM`, `InputGradient`, `IntegratedGradients`, `ExpectedGradients`, `ExpectedFall`, `GradientSHAP`, `Occlusion`,
      `ShapleyValueSampling`, and of classes derived from them), the map is that of a plain re-implementation by loops
      in float64. Methods that mask are compared where their map is largest, and at places drawn at random. Both checks
      are made for the target, and where that names classes, for others too. A derived class with an equation of its own
      says so by an attribute `equation`, any text.
    - deterministic: two calls give the same map.
    - batch independence: every sample by itself gets the map that it gets in the batch.
    - chunk independence: samples that are explained in chunks of one get the same map as in one chunk.
    - node permutation: a model over the permuted graph gives the permuted map.
    - padding invariance: appended frames and instances without an observation do not change the map.
    - CAM identity: under global average pooling and a linear head, STG-Grad-CAM and HiResCAM are CAM / (M T' N).
    - completeness: there they sum to y - b. Integrated gradients and Shapley values sum to y(x) - y(baseline).
    - known models: an explainer of the same class finds what `known_models` depend on: one node at one time, beside a
      decoy that is computed and not used, of one of two persons.
    - inputs unchanged: the samples and further arguments of the call are as they were.
    - parameter randomisation: as the weights are randomised, part by part from the last to the first, edge importance
      and statistics of batch normalisation included, the map must lose its rank correlation with the original
      (Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018). The explained class stays the original one.
      It uses copies of the model. Where a map equals its equation, or its method finds known models, what is left of
      the correlation is the model's own structure, no fault of the software: the check is then not applicable, and says
      the number.
    - model restored: modes, hooks, gradients, `requires_grad`, values, and what a forward pass sets on the model
      itself, also after an error.

    Maps are compared by their largest difference, relative to the largest absolute value of the sample. A check that
    fails in float32 is made again on a copy of the model in float64, as the steps of an optimisation can enlarge
    rounding errors. A check that does not apply is reported as not applicable, with the reason. If the model's own
    score changes (as when padding counts as data), this is not the explainer's fault, and the check is not applicable.

    Args:
        model: any module.
        explainer: of that model; or the class or the name of one; none: the default of `explain`, `ExpectedFall`. Or a
            callable that makes one of a model: it is called for copies of the model, too. An explainer is copied with
            its options.
        x: a few samples, as an explainer takes them; a dict of streams too.
        target: as an explainer takes it; default: `Predicted()`.
        valid: as an explainer takes it.
        observed: of a tensor, as an explainer takes it: its missing-value mask.
        shared: as an explainer takes it.
        per_sample: as an explainer takes it.
        permuted: from an order to the same model with node ``order[i]`` in position i. Not needed for `STGCN`.
        tolerance: the largest difference of equal maps.
        threshold: the largest rank correlation with all parts randomised, as the mean over samples and draws. It need
            not be zero: the ends of a clip leave a trace in any network, and so does the forecast node in a forecast
            of one node, for which 0.5 may be strict.
        draws: how many times the model is randomised. Each draw costs one explanation per part of the model.
        seed: of the randomisation and the permutation of nodes.
        **options: how the model is called, for a callable; see `ModelCaller`. An explainer has its own.

    Returns:
        A verdict per check: passed, failed or not applicable.

    Raises:
        InputError: if the explainer is of another model, or an argument does not fit.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods.gradient.input_gradient import InputGradient
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 4))
        >>> result = selftest(model, InputGradient, torch.randn(3, 1, 10, 3, 2))
        >>> result.passed, result["padding invariance"].why
        (True, 'the model takes no `valid`: padding counts as data')
    """
    check_counts(draws=draws)
    if isinstance(explainer, Explainer) and options:
        raise InputError(
            f"{sorted(options)[0]}: got an option for an explainer that exists already; expected none. Give it to the "
            "explainer itself, or give the explainer's class."
        )
    if explainer is None or isinstance(explainer, str):
        explainer = method_class(explainer or "ExpectedFall")
    make = None if isinstance(explainer, Explainer) else _maker(explainer, options)
    # Explainers work on the module inside of torch.compile or DataParallel, so that one is watched.
    inside = unwrapped(model)
    # Before the explainer is made: its constructor must leave the model unchanged too.
    before, given = snapshot(inside), input_snapshot(x, valid, shared, per_sample, observed)
    own = explainer if make is None else make(model)
    if not isinstance(own, Explainer):
        raise InputError(
            f"explainer: got {an(type(own).__name__)}; expected an Explainer, its class or name, or a callable that "
            "makes one."
        )
    # A baseline explainer may have no model; it fits any.
    if own._recipe_model is not None and own._recipe_model is not inside:
        raise InputError(
            "explainer: got one of another model; expected one of `model`. Give the explainer's own model, or the "
            "explainer's class."
        )
    where = f" at {own.layer_name}" if own.layer_name else ""
    named = f"{own.method or type(own).__name__}{where} on {type(inside).__name__}"
    try:
        subject = Subject.from_arguments(
            inside,
            own,
            # A callable makes the explainers of copies of the model; an explainer is itself copied with its options.
            make,
            x,
            Predicted() if target is None else target,
            valid,
            shared or {},
            per_sample or {},
            permuted,
            Limits(tolerance, threshold, draws, seed),
            observed,
        )
        checks = [_settled(check, subject) for check in (target_and_score, equation, *CHECKS)]
        checks.append(known_models_found(own, explainer))
        checks.append(inputs_unchanged(given, input_snapshot(x, valid, shared, per_sample, observed)))
        # Not one of CHECKS, because it returns its curve too.
        follows = any(check.name in ("equation", "known models") and check.passed for check in checks)
        randomisation, curve = parameter_randomisation(subject, depends_on_model=follows)
        # Last, so that it sees what all other checks have done to the model.
        checks += [randomisation, model_restored(subject, before)]
    except ModelWrittenInto as error:
        # Of a model that an explainer changes, nothing else can be said.
        reason = str(error).partition(" while")[0]
        return SelfTest(named, (Check("model restored", False, why=f"{reason} while it was explained"),), None)
    count = len(subject.batch)
    return SelfTest(f"{named}, {count} sample{'' if count == 1 else 's'}", tuple(checks), curve)


def _settled(check: Callable[[Subject], Check], subject: Subject) -> Check:
    """The verdict; a failure in float32 is one only where it is one in float64 too.

    Methods that optimise take many steps, which can enlarge rounding errors beyond any fixed tolerance.
    """
    found = check(subject)
    if found.passed is not False or (exact := subject.in_float64) is None:
        return found
    settled = check(exact)
    if not settled.passed:
        return found
    remark = f"in float64; rounding in float32 makes {found.value:.2g} of it"
    return replace(settled, why="; ".join(part for part in (settled.why, remark) if part))


def _maker(explainer: "Callable[..., Explainer]", options: CallOptions) -> "Callable[..., Explainer]":
    """What makes an explainer of a model, called with these options."""
    inner = explainer.func if isinstance(explainer, partial) else explainer
    own = explainer.keywords if isinstance(explainer, partial) else {}
    if isinstance(inner, type) and options and "explainer" in signature(inner).parameters:
        # A class that wraps another explainer: the options are the other's.
        return partial(of_class, inner, **{**own, **options})
    return partial(explainer, **options)
