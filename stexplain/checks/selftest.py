"""Self-test: whether an explainer does on a model what it must, whatever the truth is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import nn

from stexplain.checks.invariances import CHECKS, randomised
from stexplain.checks.model_state import left_as_it_was, snapshot
from stexplain.checks.subject import Check, Limits, Subject
from stexplain.errors import InputError, StexplainError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.model.inspection import unwrapped
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.rebind import MakeExplainer
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Predicted

_WORDS = {True: "passed", False: "failed", None: "not applicable"}


class SelfTestError(StexplainError):
    """An explainer does on a model what it must not."""


@dataclass(frozen=True)
class SelfTest:
    """What `selftest` found.

    Attributes:
        subject: what was tested on what, in words.
        checks: one per test, with its verdict.
        curve: of the randomisation test, a row per stage: columns `stage` (0: untouched), `layer` (what was randomised
            last), `correlation` (mean over samples and draws of the rank correlation with the original map), `low` and
            `high` (the lowest and highest of them), `random` (the correlation of random numbers with it). None where
            that test was not applicable.

    Example:
        >>> print(SelfTest("CAM on STGCN", (Check("the same twice", True, 0.0, 1e-4),), None))
        self-test of CAM on STGCN: passed
          passed          the same twice            0 (at most 0.0001)
    """

    subject: str
    checks: tuple[Check, ...]
    curve: pd.DataFrame | None

    @property
    def passed(self) -> bool:
        """Whether no test failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the tests that failed."""
        return tuple(check.name for check in self.checks if check.passed is False)

    def __getitem__(self, name: str) -> Check:
        """The test of this name.

        Raises:
            KeyError: where there is none.
        """
        return {check.name: check for check in self.checks}[name]

    def __str__(self) -> str:
        lines = [f"self-test of {self.subject}: {_WORDS[self.passed]}"]
        for check in self.checks:
            number = "" if check.value is None else f"{check.value:.2g} (at most {check.limit:.2g})"
            says = "; ".join(part for part in (number, check.why) if part)
            lines.append(f"  {_WORDS[check.passed]:15} {check.name:25} {says}")
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """A row per test: columns `test`, `verdict`, `value`, `limit`, `why`."""
        return pd.DataFrame(self.to_dict()["tests"])

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        tests = [
            {
                "test": check.name,
                "verdict": _WORDS[check.passed],
                "value": check.value,
                "limit": check.limit,
                "why": check.why,
            }
            for check in self.checks
        ]
        curve = None if self.curve is None else self.curve.to_dict("records")
        return {"subject": self.subject, "passed": self.passed, "tests": tests, "curve": curve}

    def raise_for_failure(self) -> None:
        """Does nothing where all passed.

        Raises:
            SelfTestError: with the whole report, where a test failed.
        """
        if self.failed:
            raise SelfTestError(str(self))


def selftest(
    model: nn.Module,
    explainer: "Explainer | MakeExplainer",
    x: Signals,
    *,
    target: TargetLike | None = None,
    valid: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    permuted: "Callable[[Sequence[int]], nn.Module] | None" = None,
    tolerance: float = 1e-4,
    threshold: float = 0.5,
    draws: int = 3,
    seed: int = 0,
) -> SelfTest:
    """Tests an explainer on a model with some samples.

    - the same twice: two calls give one map.
    - alone as in the batch: every sample by itself gets the map that it gets among the others.
    - in chunks: so do samples that are worked on one at a time.
    - renumbered nodes: a model over the renumbered graph gives the renumbered map.
    - appended padding: frames and instances without a reading, put behind the sample, change nothing.
    - CAM identity: under global average pooling and a linear head, STG-Grad-CAM and HiResCAM are CAM / (M T' N).
    - conservation: there they sum to y - b. Integrated gradients and Shapley values sum to y(x) - y(baseline).
    - model left as it was: modes, hooks, gradients, `requires_grad` and values, also after an error.
    - randomised model: as the model forgets what it learned, part by part from the last to the first, edge importance
      and statistics of batch normalisation included, the map must lose its rank correlation with the original
      (Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018). The class explained stays the original one.
      Works on copies of the model.

    Maps are compared by their largest difference as a share of the largest value of the sample. What a test cannot be
    asked of is not applicable, and says why. Where the model's own score changes (as under padding it counts), the
    explainer is not to blame, and the test is not applicable.

    Args:
        model: any module.
        explainer: of that model; or what makes one of a model, such as `STGGradCAM`. A maker is called for copies of
            the model; of an explainer a copy is made, with its options.
        x: a few samples, as an explainer takes them.
        target: as an explainer takes it; default: `Predicted()`.
        valid: as an explainer takes it.
        shared: as an explainer takes it.
        per_sample: as an explainer takes it.
        permuted: from an order to the same model with node i in the place of its node ``order[i]``. Not needed for our
            `STGCN`.
        tolerance: up to which maps are the same.
        threshold: up to which the correlation may be when all is randomised, as the mean over samples and draws. It
            need not be zero: the ends of the clip leave their trace in any network, and so does the place of the node
            in the forecast of one node, for which 0.5 may be strict.
        draws: how many times the model is randomised, each another way. One costs an explanation per part of the model.
        seed: of the shuffling and the order of nodes.

    Raises:
        InputError: where the explainer is of another model, or what came does not fit.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods.gradient.input_gradient import InputGradient
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 4))
        >>> result = selftest(model, InputGradient, torch.randn(3, 1, 10, 3, 2))
        >>> result.passed, result["appended padding"].why
        (True, 'the model takes no `valid`: all that it is given counts')
    """
    check_counts(draws=draws)
    inside = unwrapped(model)
    before = snapshot(inside)
    own = explainer if isinstance(explainer, Explainer) else explainer(model)
    if not isinstance(own, Explainer):
        raise InputError(f"the explainer is a {type(own).__name__}; wanted an Explainer, or what makes one of a model.")
    if own._recipe_model is not None and own._recipe_model is not inside:
        raise InputError("the explainer is of another model. Give the explainer's own, or the class of the explainer.")
    subject = Subject.read(
        inside,
        own,
        None if isinstance(explainer, Explainer) else explainer,
        x,
        Predicted() if target is None else target,
        valid,
        shared or {},
        per_sample or {},
        permuted,
        Limits(tolerance, threshold, draws, seed),
    )
    checks = [check(subject) for check in CHECKS]
    last, curve = randomised(subject)
    checks += [last, left_as_it_was(subject, before)]
    count = len(subject.batch)
    where = f" at {own.layer_name}" if own.layer_name else ""
    named = f"{own.method or type(own).__name__}{where} on {type(inside).__name__}"
    return SelfTest(f"{named}, {count} sample{'' if count == 1 else 's'}", tuple(checks), curve)
