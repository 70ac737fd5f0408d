"""Expected fall: how far the score is expected to fall when an observation is redrawn, by noisy gradients."""

from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import Baseline, HistoryOr
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.gradient.expected_gradients import collapsed_standard_error
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.gradients import gradient_of
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.random_generator import node_noise

# Of the settings that were measured (docs/decisions/0240), the best on planted data at less than 40 inferences.
_BASELINE, _DRAWS, _SPREAD = HistoryOr("mean"), 16, 1.0


@checked_kept
class ExpectedFall(Explainer):
    """How far the score is expected to fall when an observation is redrawn, to first order: the default method.

    An observation x[c] is redrawn as z, normally distributed about x', its node's mean in the sample, or, in windows
    that know it, what its node usually measures at that time: ``z ~ N(x'[c], s[c]^2)``.
    By the gradient g the score then falls by g[c] (x[c] - z), which is normal too. Only falls count, a rise as none::

        EF[b, m, t, n, c] = mean over k of  E max(0, g_k[c] (x[c] - z))
                          = mean over k of  a Phi(a / w) + w phi(a / w),  a = g_k[c] (x - x')[c],  w = |g_k[c]| s[c]

    with Phi and phi the standard normal distribution and density: the expected improvement of Jones, Schonlau & Welch
    ("Efficient global optimization of expensive black-box functions", J. Global Optimization 1998, Eq. 15). Where an
    observation contributes to the target, ``a > 0`` and the score falls by about a; where it is merely one that
    matters, a near 0, by 0.4 w; where it lowers the score, hardly. Of a score that is of no class, such as a forecast,
    a rise tells as much as a fall, and both count: ``E |g_k[c] (x[c] - z)|``; see `rises`. The gradients are those of
    SmoothGrad (Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017), with noise of rising levels::

        g_k = dy/dx at  x + (k - 1/2) / K * s e_k,   e_k standard normal,  k = 1 ... K

    kept within the lowest and the highest observation that the channel has in the sample.
    s[c] is `spread`, by default 1, times the standard deviation of channel c: of the deviations from x', over all
    observations of the sample. So the map does not depend on a channel's unit. EF, zero or
    positive and in the units of the score, is `Explanation.channels`, and `Explanation.values` its sum over channels.
    Where nothing in a sample changes over time nothing tells how far observations may vary, and its map is zero.

    Noise belongs to a node by its name in the graph (by its number where it has none) and to a frame. It follows from
    the seed, alike for all samples: a sample's map is the same alone and in a batch. `Explanation.standard_error` is
    that of the mean over draws, by collapsing neighbouring levels in pairs; it errs upwards where levels differ. It
    costs 2 * draws + 1 inferences of a sample, 33 by default.

    Args:
        model: see `STGGradCAM`; it must be differentiable in its input.
        baseline: x', which an observation is redrawn about: a name in `stexplain.data.baselines`, a custom function, or
            a tensor; see `IntegratedGradients`. Default: the historical average of windows that know it, else
            ``"mean"``.
        draws: K, how many noisy samples: an even number, since levels are paired.
        spread: of observations that are redrawn, and of the strongest noise, in standard deviations of their channel.
        rises: whether a rise counts as a fall of that size does. None: where the score is of no class, as those of
            `Forecast`, `Output` and functions, which a note says; of a class, what contributes to it is explained.
        seed: of the noise.
        **options: how the model is called; see `ModelCaller`. Channels that are indices stay as they are, and have
            no importance.

    Raises:
        InputError: where `draws` is odd, `spread` is not positive, or the target does not depend on the input in a
            differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0, -2.0]]))
        >>> with ExpectedFall(model) as explain:  # the mean is 0: what is read adds 2, 0 and -2
        ...     e = explain(torch.tensor([1.0, -2.0, 1.0]).view(1, 1, 3, 1, 1), target=Class(1))
        >>> [round(value, 2) for value in e.values.flatten().tolist()]
        [2.4, 0.0, 0.4]
    """

    method = "expected fall"
    # How far, and not which way: of a forecast, rises count as falls do.
    measures = "size of score"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        baseline: "str | Baseline | Tensor" = _BASELINE,
        draws: int = _DRAWS,
        spread: float = _SPREAD,
        rises: bool | None = None,
        seed: int = 0,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_counts(draws=draws)
        if draws % 2:
            raise InputError(f"draws: got {draws}; expected an even number, since standard errors come from pairs.")
        if not 0 < spread < np.inf:
            raise InputError(f"spread: got {spread}; expected a number of standard deviations above 0.")
        self.baseline, self.draws, self.spread, self.seed = baseline, draws, float(spread), seed
        if not (rises is None or isinstance(rises, bool | np.bool_)):
            raise InputError(f"rises: got {rises!r}; expected True, False or None.")
        self.rises = rises
        # Other settings have another name: what was measured of the default must not be taken for theirs.
        counted = [] if rises is None else ["rises counted" if rises else "falls alone"]
        settings = {"baseline": baseline, "draws": draws, "spread": self.spread}
        self.method = named(type(self), self.method, *counted, **settings)

    @property
    def _held_copies(self) -> int:
        # The draws, of one channel each, and what one of them needs.
        return self.draws + 8

    @property
    def _splits_channels(self) -> bool:
        return True

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        x, signals = perturbed.x, signal_mask(self, model_input)
        changed = perturbed.present[..., None] if signals is None else perturbed.present[..., None] & signals
        away, deviation = deviations(x, with_baseline(self, model_input, self.baseline), model_input)
        spread = self.spread * deviation
        lowest, highest = ranges(x, model_input)
        noise = node_noise(self.seed, self._names(x.shape[3]), x.shape[1:], self.draws, perturbed.present.any(0))
        rises = self._counts_rises(perturbed)
        total, falls = torch.zeros_like(full_precision(x)), []
        for k, one in enumerate(noise):
            level = (k + 0.5) / self.draws
            noisy = x + level * spread * torch.as_tensor(one, device="cpu").to(x)
            # Within what the channel has in the sample: a speed is not negative, and a model may look a value up.
            moved = torch.where(changed, noisy.clamp(lowest, highest), x)
            gradient = torch.where(changed, full_precision(self._gradient(perturbed, moved)), 0)
            each = expected_fall(gradient * away, gradient.abs() * spread)
            each = each + rises * expected_fall(-gradient * away, gradient.abs() * spread)
            total += each
            falls.append(each.sum(-1))
        per_channel = total / self.draws
        return Maps(
            per_channel.sum(-1),
            perturbed.scores_of_samples,
            channels=per_channel,
            reduce="the sum over channels",
            standard_error=collapsed_standard_error(torch.stack(falls)),
        )

    def _counts_rises(self, perturbed: PerturbedInputs) -> Tensor:
        """Of which samples a rise counts, ``[B, 1, 1, 1, 1]``."""
        of_none = perturbed.scores_of_samples.classes < 0
        if self.rises is None and bool(of_none.any()):
            self._note("The score is of no class: a rise counts as a fall does (`rises`).")
        counts = of_none if self.rises is None else torch.full_like(of_none, self.rises)
        return counts.to(perturbed.x.device)[:, None, None, None, None]

    def _names(self, nodes: int) -> list[str]:
        """What the noise of each node follows from: renumbered nodes keep theirs."""
        if self.graph is not None and len(self.graph) == nodes:
            return list(self.graph.nodes)
        return [str(index) for index in range(nodes)]

    def _gradient(self, perturbed: PerturbedInputs, x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        # A copy goes in: the model may work in place, which a leaf does not allow.
        return gradient_of(perturbed.differentiable_scores(leaf.clone()).sum(), leaf)


def deviations(x: Tensor, baseline: Tensor, model_input: ModelInput) -> tuple[Tensor, Tensor]:
    """How far each observation is from a baseline, ``[B, M, T, N, C]``, and the spread of all of a channel.

    Of everything that was observed, also where only a part of the nodes can change the score.

    Returns:
        Deviations, zero where nothing was observed, and their root mean square by sample and channel,
        ``[B, 1, 1, 1, C]``; in float32 at least.
    """
    x, observed = full_precision(x), model_input.observed_positions
    away = torch.where(observed[..., None], x - full_precision(baseline), 0)
    count = observed.sum((1, 2, 3)).clamp(min=1).to(x.dtype)
    return away, (away.square().sum((1, 2, 3)) / count[:, None]).sqrt()[:, None, None, None]


def ranges(x: Tensor, model_input: ModelInput) -> tuple[Tensor, Tensor]:
    """The lowest and the highest observation of each channel of each sample, ``[B, 1, 1, 1, C]``."""
    observed = model_input.observed_positions[..., None]
    lowest = torch.where(observed, x, torch.inf).amin((1, 2, 3), keepdim=True)
    highest = torch.where(observed, x, -torch.inf).amax((1, 2, 3), keepdim=True)
    return lowest, highest


def expected_fall(fall: Tensor, spread: Tensor) -> Tensor:
    """The mean of the positive part of a normal variable with mean `fall` and standard deviation `spread`.

    Example:
        >>> expected_fall(torch.tensor([0.0, 3.0, -1.0, 2.0]), torch.tensor([1.0, 1.0, 1.0, 0.0]))
        tensor([0.3989, 3.0004, 0.0833, 2.0000])
    """
    ratio = fall / spread.clamp(min=torch.finfo(spread.dtype).tiny)
    density = torch.exp(-ratio.square() / 2) / np.sqrt(2 * np.pi)
    # Far below zero both summands cancel, and rounding may leave less than nothing.
    mean_of_both = (fall * torch.special.ndtr(ratio) + spread * density).clamp(min=0)
    return torch.where(spread > 0, mean_of_both, fall.clamp(min=0))
