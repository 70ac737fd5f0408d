"""A sample has the same scores alone as among others; and what a model is called with reaches it from every metric."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.methods import InputGradient, Motion
from stexplain.explainers.targets import Class
from stexplain.metrics import complexity, deletion_curve, effect, fidelity, localisation, masking_curve, sensitivity_max
from tests.metrics.small_batches import batch, linear

MODEL, BATCH = linear(), batch()
PSI = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4], [2, 4, 1, 3]])
MAPS = MODEL.contributions(BATCH.x).numpy()


class Squared(nn.Module):
    """The squares of the scores: their gradient is not the same everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = MODEL

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) ** 2


def only(row: int) -> Batch:
    """One sample of the batch."""
    pick = slice(row, row + 1)
    return Batch(BATCH.x[pick], BATCH.valid[pick], BATCH.label[pick], BATCH.ids[pick])


SCORES = {
    "fidelity": lambda of, maps: fidelity(MODEL, of, maps).scores["plus"]["probability"],
    "fidelity, baseline of nodes": lambda of, maps: fidelity(
        MODEL, of, maps, over="nodes", share=[0.5], baseline="zero"
    ).scores["minus"]["probability"],
    "deletion": lambda of, maps: deletion_curve(MODEL, of, maps, steps=3, repeats=2).score,
    "deletion, random orders": lambda of, maps: deletion_curve(MODEL, of, maps, steps=3, repeats=2).random,
    "masking": lambda of, maps: masking_curve(MODEL, of, PSI, nodes=2).correct["least"],
    "masking, random nodes": lambda of, maps: masking_curve(MODEL, of, PSI, nodes=2, baseline="mean").correct["random"],
    "sensitivity": lambda of, maps: sensitivity_max(InputGradient(Squared()), of, draws=3, target=Class(1)).changes,
    "sensitivity without a model": lambda of, maps: sensitivity_max(Motion(), of, draws=3).changes,
    "localisation": lambda of, maps: localisation(np.roll(maps, 1, 2), maps > 0.5, of.valid.numpy()).scores[
        "positions"
    ]["auroc"],
    "complexity": lambda of, maps: complexity(np.abs(maps), of.valid.numpy()).scores["gini"],
    "effect": lambda of, maps: np.moveaxis(
        effect(
            MODEL, of.x, torch.zeros_like(of.x), valid=of.valid, target=Class(0), windows=3, inputs="b m t n c"
        ).values,
        0,
        -1,
    ),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_sample_alone_has_the_scores_that_it_has_among_others(name):
    together = np.asarray(SCORES[name](BATCH, MAPS), np.float64)
    assert len({str(together[..., row]) for row in range(len(BATCH))}) > 1
    for row in (0, len(BATCH) - 1):
        alone = np.asarray(SCORES[name](only(row), MAPS[row : row + 1]), np.float64)
        np.testing.assert_allclose(alone[..., 0], together[..., row], rtol=1e-6, atol=1e-9)


class Mixed(nn.Module):
    """x ``[B, M, T, N, C]``, and how nodes are mixed ``[N, N]``; without it there is no score."""

    def forward(self, x: Tensor, mixing: Tensor) -> Tensor:
        scores = torch.einsum("bmtnc,nk->bmtkc", x, mixing).sum((1, 2, 4))
        return scores**2


@pytest.mark.parametrize("name", ["sensitivity", "fidelity", "deletion", "masking"])
def test_what_the_model_is_called_with_comes_to_it(name):
    """By an identity in its place nothing is mixed: the scores are others."""
    other = torch.tensor([[1.0, 2, 0, 0], [0, 1, 0, 3], [0, 0, 1, 0], [1, 0, 0, 1]]).double()
    model, of = Mixed(), BATCH
    explain = InputGradient(model)
    call = {
        "sensitivity": lambda shared: sensitivity_max(explain, of, draws=2, target=Class(1), shared=shared).changes,
        "fidelity": lambda shared: fidelity(model, of, MAPS, shared=shared, share=[0.3]).scores["plus"]["probability"],
        "deletion": lambda shared: deletion_curve(model, of, MAPS, shared=shared, steps=2, target=Class(1)).score,
        "masking": lambda shared: masking_curve(model, of, PSI[[0, 1, 2, 0]], nodes=1, shared=shared).correct["least"],
    }[name]
    mixed, plain = call({"mixing": other}), call({"mixing": torch.eye(4).double()})
    assert mixed.shape == plain.shape
    assert not np.array_equal(mixed, plain)
    with pytest.raises(InputError, match="mixing"):
        call({})
