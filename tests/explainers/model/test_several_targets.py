import warnings

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.targets import Class, Margin, Predicted
from tests.explainers.our_models import named
from tests.explainers.small_models import signals

TARGETS = [Class(0), Predicted(), Margin(2, 1), lambda output: output.square().sum(1)]


class Counted:
    """Counts how often a model runs."""

    def __init__(self, model):
        self.runs = 0
        model.register_forward_hook(self)

    def __call__(self, *_):
        self.runs += 1


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize(
    ("kind", "options"),
    [(STGGradCAM, {}), (STGGradCAM, {"layer": "blocks.0"}), (InputGradient, {}), (CAM, {})],
    ids=["last", "first", "input", "CAM"],
)
def test_several_targets_share_a_forward_pass_and_give_what_each_gives_alone(kind, options, chunk):
    model, x = named(), signals(3, 1, 10, 5, 3)
    targets = TARGETS[:3] if kind is CAM else TARGETS
    counted = Counted(model)
    together = kind(model, chunk=chunk, **options)(x, target=targets)
    # Four more passes show, once, which axis of the output follows the samples, and that it gives the same twice.
    assert counted.runs == 4 + (1 if chunk is None else 2)
    for target, e in zip(targets, together, strict=True):
        alone = kind(model, **options)(x, target=target)
        np.testing.assert_allclose(e.values, alone.values, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(e.score, alone.score, rtol=1e-6)
        assert e.target == alone.target


def test_one_target_in_a_list_gives_a_list():
    (e,) = STGGradCAM(named())(signals(1, 1, 10, 5, 3), target=[Class(0)])
    assert e.target == "class 0"


def test_no_target():
    with pytest.raises(InputError, match="target: got an empty list"):
        STGGradCAM(named())(signals(1, 1, 10, 5, 3), target=[])


class Doubled(torch.autograd.Function):
    """An operator that cannot be batched."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@pytest.mark.parametrize("through", [lambda x: 2 * x, Doubled.apply], ids=["batched", "one by one"])
def test_gradients_of_several_scores(through):
    x = signals(4, 3).requires_grad_()
    y = through(x)
    result = [gradient for (gradient,) in gradients([y.sum(1), y.square().sum(1), x.detach().sum(1), y[:, 0]], [x])]
    torch.testing.assert_close(result[0], torch.full((4, 3), 2.0))
    torch.testing.assert_close(result[1], 8 * x.detach())
    assert result[2] is None
    torch.testing.assert_close(result[3], torch.tensor([2.0, 0.0, 0.0]).expand(4, 3))


def written(x):
    """Writes into a copy, entry by entry and by index."""
    out = x.clone()
    out[:, 0] = x[:, 1] * x[:, 2]
    out.index_add_(1, torch.tensor([1, 1]), x[:, :2] ** 2)
    return out.relu_()


torch.manual_seed(0)
MATRIX = torch.rand(5, 5, dtype=torch.float64).relu()
with warnings.catch_warnings():
    # Torch says that this layout is in beta.
    warnings.simplefilter("ignore")
    COMPRESSED = MATRIX.to_sparse_csr()
LSTM, GRU = nn.LSTM(5, 4, batch_first=True).double(), nn.GRU(5, 4, bidirectional=True).double()
# From x [4, 5] to any [4, K]; some can be batched, some cannot, and some only by a loop that warns.
OPERATORS = {
    "sparse": lambda x: torch.sparse.mm(MATRIX.to_sparse(), x.T).T,
    "sparse CSR": lambda x: (COMPRESSED @ x.T).T,
    "in place": written,
    "LSTM": lambda x: LSTM(x[:, None] * torch.ones(4, 3, 5, dtype=x.dtype))[0].flatten(1),
    "GRU": lambda x: GRU(x[None])[0][0],
    "distance": lambda x: torch.cdist(x, x.detach() + 1),
    "pairs": lambda x: torch.pdist(x).expand(4, -1),
    "fold": lambda x: nn.functional.fold(x[:, :4, None], (2, 2), (2, 2)).flatten(1),
    "pooling": lambda x: nn.functional.adaptive_max_pool1d(x[:, None], 2).flatten(1),
    "cumulative product": lambda x: x.cumprod(1),
    "sorted": lambda x: x.sort(1).values ** 2,
    "renormalised": lambda x: x.renorm(2, 0, 0.1),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(*[x[:, :, None]] * 3)[..., 0],
}


@pytest.mark.parametrize("name", OPERATORS)
def test_several_scores_behind_any_operator(name):
    """Warnings are errors here: of torch's that it loops over what it cannot batch none may be left."""
    x = signals(4, 5).double().requires_grad_()
    y = OPERATORS[name](x)
    scores = [y[:, 0], y.square().sum(1), y[:, -1] * y[:, 0]]
    together = [gradient for (gradient,) in gradients(scores, [x])]
    alone = []
    for read in (lambda y: y[:, 0], lambda y: y.square().sum(1), lambda y: y[:, -1] * y[:, 0]):
        alone += torch.autograd.grad(read(OPERATORS[name](x)).sum(), x)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other)
        assert other.abs().max() > 0
