import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.cards import model_card
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class
from tests.explainers.our_models import PATH, named
from tests.explainers.small_models import signals


class Gated(nn.Module):
    """x ``[B, T, N, C]``; takes an adjacency that all samples share, and a gate per sample."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.mix = nn.Linear(2, 3)

    def forward(self, x, adjacency, gate=None, observed=None):
        if observed is not None:
            x = x * observed[:, 0, :, :, None]
        features = torch.einsum("wn,btnc->btwc", adjacency, self.mix(x))
        return features.mean((1, 2)) * (1 if gate is None else gate)


ADJACENCY = torch.eye(4) + 0.5 * torch.ones(4, 4)
GATE = torch.tensor([[1.0], [2.0], [-1.0]])


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_further_inputs_reach_the_model_and_are_cut_with_the_samples(chunk):
    x = signals(3, 6, 4, 2)
    explain = InputGradient(Gated(), inputs="b t n c", reduce="sum", chunk=chunk)
    plain = explain(x, target=Class(1), shared={"adjacency": ADJACENCY})
    gated = explain(x, target=Class(1), shared={"adjacency": ADJACENCY}, per_sample={"gate": GATE})
    np.testing.assert_allclose(gated.values, plain.values * GATE.numpy()[:, :, None, None], rtol=1e-6)


def test_further_inputs_that_do_not_fit_are_named():
    explain, x = InputGradient(Gated(), inputs="b t n c"), signals(3, 6, 4, 2)
    with pytest.raises(InputError, match=r"per_sample\['gate'\] has shape \(2, 1\); expected 3 entries.*`shared`"):
        explain(x, target=Class(0), shared={"adjacency": ADJACENCY}, per_sample={"gate": GATE[:2]})
    with pytest.raises(InputError, match="argument of Gated.forward 'adjacencies'. Did you mean 'adjacency'"):
        explain(x, target=Class(0), shared={"adjacencies": ADJACENCY})


def test_single_readings_that_are_not_there_reach_the_model_and_are_no_evidence():
    x = signals(2, 1, 6, 4, 2)
    observed = torch.rand(2, 1, 6, 4, generator=torch.Generator().manual_seed(0)) < 0.7
    batch = Batch(x, torch.ones(2, 1, 6, dtype=torch.bool), torch.zeros(2).long(), ("a", "b"), observed=observed)
    explain = InputGradient(Gated(), inputs="(b m) t n c", reduce="sum")
    e = explain(batch, target=Class(0), shared={"adjacency": ADJACENCY})
    assert not e.values[~observed.numpy()].any()
    assert (e.values[observed.numpy()] != 0).all()
    # Values at missing observations change nothing.
    other = replace(batch, x=torch.where(observed[..., None], x, 99.0))
    np.testing.assert_array_equal(explain(other, target=Class(0), shared={"adjacency": ADJACENCY}).values, e.values)


RECIPE = model_card("stgcn7").recipe("quick").model_copy(update={"frames": 8, "align": None})


def recorded():
    random = np.random.default_rng(0)
    return Clips.from_arrays(
        [random.normal(size=(1, frames, 5, 3)) for frames in (11, 14, 9)], graph=PATH, channels="xyz"
    )


def trained():
    model = named()
    object.__setattr__(model, "recipe", RECIPE)
    return model


@pytest.mark.parametrize("kind", [STGGradCAM, Motion])
def test_samples_as_recorded_are_sampled_as_the_model_was_trained(kind):
    model, clips = trained(), recorded()
    expected = kind(model)(clips.with_recipe(RECIPE).batch([0, 1, 2]), target=Class(0))
    assert expected.values.shape == (3, 1, 8, 5)
    np.testing.assert_array_equal(kind(model)(clips.batch([0, 1, 2]), target=Class(0)).values, expected.values)
    np.testing.assert_array_equal(kind(model)(clips.batch([0, 1, 2])[1:], target=Class(0)).values, expected.values[1:])
    alone = kind(model)(clips[1], target=Class(0))
    np.testing.assert_allclose(alone.values[0], expected.values[1], rtol=1e-5, atol=1e-8)
    assert alone.ids == ("1",)


def test_samples_of_another_recipe_are_refused():
    other = RECIPE.model_copy(update={"frames": 9, "center": "none"})
    with pytest.raises(InputError, match="frames 9 instead of 8, center 'none' instead of 'first'.*with_recipe"):
        STGGradCAM(trained())(recorded().with_recipe(other)[0], target=Class(0))
    augmented = RECIPE.model_copy(update={"rate": 0.5})
    assert len(STGGradCAM(trained())(recorded().with_recipe(augmented)[0], target=Class(0))) == 1


def test_samples_that_crossed_processes_leave_their_dataset_behind():
    sample = pickle.loads(pickle.dumps(recorded()[0]))
    with pytest.raises(InputError, match="raw.*recipe=model.recipe"):
        STGGradCAM(trained())(sample, target=Class(0))
    assert len(STGGradCAM(named())(sample, target=Class(0))) == 1


def test_ones_own_samples_go_in_untouched():
    batch = recorded().batch([0])
    mine = replace(batch, sampling=None)
    assert STGGradCAM(trained())(mine, target=Class(0)).values.shape == (1, 1, 11, 5)


def test_a_data_loader_gives_what_the_dataset_gives():
    clips = recorded()
    loader = torch.utils.data.DataLoader(clips, batch_size=2, collate_fn=lambda samples: Batch.of(*samples))
    for model in (named(), trained()):
        expected = STGGradCAM(model)(clips.batch([0, 1, 2]), target=Class(0))
        values = [STGGradCAM(model)(batch, target=Class(0)).values for batch in loader]
        assert [len(part) for part in values] == [2, 1]
        for part, rows in zip(values, (slice(0, 2), slice(2, 3)), strict=True):
            frames = part.shape[2]
            np.testing.assert_allclose(part, expected.values[rows, :, :frames], rtol=1e-5, atol=1e-7)


def test_samples_that_are_no_batch():
    one, other = recorded()[0], Clips.from_arrays([np.ones((1, 5, 5, 2))], graph=PATH)[0]
    with pytest.raises(InputError, match="differ in nodes and channels"):
        Batch.of(one, other)
    with pytest.raises(InputError, match="got no samples"):
        Batch.of()


class Unpacks(nn.Module):
    """Takes several inputs as one argument, or the axes of a shape that it was not given."""

    def __init__(self, what):
        super().__init__()
        self.what, self.head = what, nn.Linear(2, 3)

    def forward(self, inputs):
        if self.what == "shape":
            samples, _ = inputs.shape  # as of one axis of signals
            return self.head(inputs.reshape(samples, -1))
        x, scale = inputs
        return self.head(x.mean((1, 2))) * scale


class Around(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, other):
        return self.model((x, other))


def test_who_unpacks_several_inputs_is_told_how_they_are_given():
    x = torch.randn(4, 6, 3, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"values to unpack.*self\.model\(\(x, other\)\).*shared=\{'other': \.\.\.\}"):
        InputGradient(Unpacks("inputs"), inputs="b t n c")(x, target=0)
    explain = InputGradient(Around(Unpacks("inputs")), inputs="b t n c")
    e = explain(x, target=0, shared={"other": torch.tensor(2.0)})
    assert e.values.any()
    with pytest.raises(InputError, match="values to unpack") as caught:
        InputGradient(Unpacks("shape"), inputs="b t n c")(x, target=0)
    assert "several inputs" not in str(caught.value)
