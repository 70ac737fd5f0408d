"""What is masked of what a model is given, and how much goes through it at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.baselines import zero
from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.metrics import deletion_curve
from stexplain.metrics.masked_model import baseline_name, class_probabilities, frozen_masked_model
from tests.metrics.small_batches import batch, linear


class TwoStreams(nn.Module):
    """One score: the sum of the joints, and ten times that of the bones; both ``[B, T, N]``."""

    def forward(self, joint, bone):
        return joint.sum((1, 2)) + 10 * bone.sum((1, 2))


def test_of_streams_the_explained_one_is_masked_else_all():
    x = {name: torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(1)) for name in ("joint", "bone")}
    model, inputs = TwoStreams(), {"joint": "b t n", "bone": "b t n"}
    sums = {name: one.sum((1, 2)).numpy() for name, one in x.items()}
    explained = InputGradient(model, inputs=inputs)(x)
    left = {"joint": 10 * sums["bone"], "bone": sums["joint"]}
    for name, e in explained.items():
        curve = deletion_curve(model, x, e, baseline="zero", steps=2)
        np.testing.assert_allclose(curve.unmasked, sums["joint"] + 10 * sums["bone"], rtol=1e-5)
        np.testing.assert_allclose(curve.all_masked, left[name], rtol=1e-5)
    both = deletion_curve(model, x, explained["joint"].values, baseline="zero", steps=2, inputs=inputs)
    np.testing.assert_allclose(both.all_masked, 0, atol=1e-5)
    with pytest.raises(InputError, match=r"got one tensor and the explanation of the stream 'joint'"):
        deletion_curve(model, x["joint"], explained["joint"])
    with pytest.raises(InputError, match=r"got the streams \['bone'\] and the explanation of the stream 'joint'"):
        deletion_curve(model, {"bone": x["bone"]}, explained["joint"])


def test_a_batch_of_no_samples_is_refused():
    with pytest.raises(InputError, match="there is nothing to explain"), frozen_masked_model(linear(), batch()[:0]):
        pass


@pytest.mark.parametrize(("samples", "chunk", "at_once"), [(6, None, 64), (6, 3, 3), (80, None, 80), (6, 100, 100)])
def test_samples_in_a_pass(samples, chunk, at_once):
    with frozen_masked_model(linear(), batch(samples=samples), chunk=chunk) as masked:
        assert masked.samples_per_pass == at_once


@pytest.mark.parametrize("chunk", [1, 4, 6, 7, 13, None])
def test_the_numbers_of_copies_do_not_depend_on_how_they_are_cut(chunk):
    of, model = batch(), linear()
    with frozen_masked_model(model, of, chunk=chunk) as masked:
        found = masked.evaluate(lambda index: masked.batch.x * index, 5, lambda output, rows: output + rows.start)
        expected = torch.stack([model(of.x * index) for index in range(5)])
    assert found.shape == (5, 6, 3)
    # Each part of a batch is told which samples it is.
    size = chunk if chunk and chunk < 6 else 6
    start = np.arange(6) // size * size
    np.testing.assert_allclose(found, expected.numpy() + start[:, None], rtol=1e-12)


def test_labels_are_those_given_or_of_the_batch():
    with frozen_masked_model(linear(), batch()) as masked:
        assert masked.labels(None).tolist() == [0, 1, 2, 0, 1, 2]
        assert masked.labels([2.0, 2, 2, 1, 1, 1]).tolist() == [2, 2, 2, 1, 1, 1]
        with pytest.raises(InputError, match="labels has shape"):
            masked.labels([1, 2])
    with frozen_masked_model(linear(), batch().x, inputs="b m t n c") as masked:
        assert masked.labels(None).tolist() == [-1] * 6


def test_probabilities():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64)
    p = logits.softmax(1)
    # As they are where they are probabilities to four digits, else of logits; those of log-probabilities are theirs.
    for given in (p, logits, p.log(), logits + 7, p + torch.tensor([0.9e-4, 0, 0])):
        torch.testing.assert_close(class_probabilities(given, ""), p, atol=1e-4, rtol=0)
    off = p + torch.tensor([1.1e-4, 0, 0])
    torch.testing.assert_close(class_probabilities(off, ""), off.softmax(1))
    negative = torch.tensor([[-0.5, 1.5]])
    torch.testing.assert_close(class_probabilities(negative, ""), negative.softmax(1))
    single = torch.tensor([0.0, 2.0])
    for given in (single, single[:, None]):
        two = class_probabilities(given, "")
        torch.testing.assert_close(two[:, 1], torch.sigmoid(single))
        torch.testing.assert_close(two.sum(1), torch.ones(2))
    with pytest.raises(InputError, match=r"got shape \(2, 2, 2\); expected \[samples, classes\]. Do it"):
        class_probabilities(torch.zeros(2, 2, 2), "Do it.")


def test_names_of_baselines():
    class Own:
        def __call__(self, x, valid):
            return x

    given = [torch.zeros(1), np.zeros(1), 65.0, [1.0, 2.0]]
    assert [baseline_name(one) for one in ("mean", zero, Own(), *given)] == [
        "mean",
        "zero",
        "Own",
        *["given values"] * 4,
    ]


def test_a_label_that_is_not_known_is_minus_one():
    """Given, as in a batch: none below it, and no class that the model does not have."""
    with frozen_masked_model(linear(), batch()) as masked:
        assert masked.labels([-1, 0, 1, 2, -1, 0]).tolist() == [-1, 0, 1, 2, -1, 0]
        with pytest.raises(InputError, match="labels"):
            masked.labels([-2, 0, 1, 2, 0, 0])
        with pytest.raises(InputError, match="labels has shape"):
            masked.labels([0, 1])
        assert masked.labels(None).tolist() == batch().label.tolist()
