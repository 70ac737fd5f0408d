"""Models that are no function of their input, or not of one sample alone: refused, whatever the method."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods import ExpectedFall, InputGradient, Occlusion, STGGradCAM
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

KINDS = [InputGradient, ExpectedFall, Occlusion, STGGradCAM]


class Net(nn.Module):
    """x ``[B, T, N, C]``; changes it by a function first."""

    calls = 0.0  # of the class

    def __init__(self, changed=torch.clone):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head, self.changed = nn.Linear(3, 6), nn.Linear(6, 2), changed

    def forward(self, x):
        return self.head(self.layer(self.changed(x)).tanh().mean((1, 2)))


def explained(kind, model, x=None, **options):
    layer = {"layer": "layer", "layout": "b t n c", "stride": 1, "offset": 0} if kind is STGGradCAM else {}
    x = signals(3, 4, 5, 3) if x is None else x
    return kind(model, inputs="b t n c", **layer, **options)(x, target=Class(1))


class Counts:
    """Carries a number from call to call, in an object of which the model holds a method alone."""

    __slots__ = ("calls",)  # no attribute that could be put back

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * (1 + self.calls)


def of_the_class(x):
    Net.calls += 1
    return x * (1 + Net.calls)


def drawn_by_torch():
    generator = torch.Generator().manual_seed(0)
    return lambda x: x * torch.rand(x.shape[1:], generator=generator)


def drawn_by_numpy():
    generator = np.random.default_rng(0)
    return lambda x: x * float(generator.random())


def drawn_by_python():
    generator = random.Random(0)
    return lambda x: x * generator.random()


def seeded_anew(x):
    generator = torch.Generator()
    generator.seed()
    return x * torch.rand(x.shape[1:], generator=generator)


def twice_with_gradients(x):
    return 2 * x if torch.is_grad_enabled() else x


UNSTEADY = [Counts, lambda: of_the_class, drawn_by_torch, drawn_by_numpy, drawn_by_python, lambda: seeded_anew,
            lambda: twice_with_gradients]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("made", UNSTEADY)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_model_that_gives_something_else_when_it_is_called_again(kind, made, samples):
    said = r"class 1: two passes over the same samples.*differ by up to.*its own, carries"
    with pytest.raises(InputError, match=said):
        explained(kind, Net(made()), signals(samples, 4, 5, 3))


def test_a_part_that_no_target_reads_may_differ():
    count = Counts()

    class Beside(Net):
        def forward(self, x):
            return {"logits": super().forward(x), "calls": count(torch.ones(len(x)))}

    expected = explained(InputGradient, Net()).values
    np.testing.assert_array_equal(explained(InputGradient, Beside()).values, expected)
    assert count.calls > 2


def test_a_path_that_is_dropped_now_and_then_is_seen():
    """Of three samples two passes drop the same ones in one of eight times."""
    model = Net(lambda x: x * (torch.rand(len(x), 1, 1, 1) > 0.5))
    for seed in range(20):
        torch.manual_seed(seed)
        with pytest.raises(InputError, match="draws random numbers in its forward pass"):
            explained(Occlusion, model)


def encoder(**options):
    class Encoder(nn.Module):
        """x ``[B, T, N, C]``, whose last frame is padding; takes the mean over all positions."""

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.first, self.layers, self.head = (
                nn.Linear(3, 8),
                nn.TransformerEncoder(layer, 2, **options),
                nn.Linear(8, 2),
            )

        def forward(self, x):
            padding = torch.zeros(x.shape[:3], dtype=torch.bool)
            padding[:, -1] = True
            hidden = self.layers(self.first(x).flatten(1, 2), src_key_padding_mask=padding.flatten(1))
            return self.head(hidden.mean(1))

    return Encoder().eval()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", [InputGradient, Occlusion])
def test_an_encoder_that_sets_padding_to_zero_where_it_is_fast(kind):
    before = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(InputError, match=r"make the encoder with enable_nested_tensor=False"):
        explained(kind, encoder())
    assert torch.backends.mha.get_fastpath_enabled() is before


def test_layers_of_an_encoder_are_heard():
    model, x = encoder(enable_nested_tensor=False), signals(3, 4, 5, 3)
    with torch.no_grad():
        expected = model(x)[:, 1]
    e = STGGradCAM(model, inputs="b t n c", layer="layers.layers.0", layout="b (t n) c")(x, target=Class(1))
    np.testing.assert_allclose(e.score, expected, atol=1e-6)
    assert np.abs(e.values).max() > 1e-6


class ByLargest(Net):
    def forward(self, x):
        return super().forward(x / x.abs().max())


class ByMean(Net):
    def forward(self, x):
        return super().forward((x - x.mean()) / x.std())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("model", [ByLargest(), ByMean()], ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("largest", [0, 1, 2])
def test_samples_that_influence_each_other_by_what_one_of_them_holds(kind, model, largest):
    x = signals(3, 4, 5, 3)
    x[largest, 1, 2, 0] = 20
    with pytest.raises(InputError, match="Samples influence each other"):
        explained(kind, model, x)
    alone = explained(kind, model, x, chunk=1).values
    for sample in range(3):
        np.testing.assert_allclose(alone[sample], explained(kind, model, x[sample : sample + 1]).values[0], atol=1e-6)


@pytest.mark.parametrize("model", [ByLargest(), ByMean()], ids=lambda model: type(model).__name__)
def test_copies_of_a_single_sample_do_not_influence_each_other(model):
    x = signals(1, 4, 5, 3)
    with torch.no_grad():
        by_hand = torch.zeros(1, 4, 5)
        for frame in range(4):
            for node in range(5):
                masked = x.clone()
                masked[:, frame, node] = 0
                by_hand[:, frame, node] = (model(x) - model(masked))[:, 1]
    e = explained(Occlusion, model, x, window=1, baseline="zero")
    np.testing.assert_allclose(e.values[:, 0], by_hand, atol=1e-6)
    assert "one copy ran at a time" in " ".join(e.notes)
