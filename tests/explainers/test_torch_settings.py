"""Under whatever torch is set to, and of whatever array comes, a map is the same; else it is refused in a sentence."""

import warnings
from contextlib import contextmanager
from inspect import signature

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from stexplain.checks.model_state import changes, snapshot
from stexplain.errors import InputError
from stexplain.explainers.methods import InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM
from stexplain.explainers.targets import Class
from tests.explainers.every_explainer import EXPLAINERS

FEW = {"steps": 4, "samples": 3, "permutations": 2, "draws": 4}
# These need a graph convolution, or another explainer.
OTHERS = ("GraphAblated", "TemporalRescaling")
KINDS = [kind for kind in EXPLAINERS if kind.__name__ not in OTHERS]
SOME = [InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # few steps do not converge, and that is said


class Net(nn.Module):
    """x ``[B, C, T, N]``; with all that has a mode, and an operation in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.act = (
            nn.Conv2d(3, 4, (3, 1), padding=(1, 0)),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
        )
        self.drop, self.second, self.last = nn.Dropout(0.5), nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), nn.ReLU()
        self.head = nn.Linear(4, 3)
        nn.init.uniform_(self.norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0)
        self.register_buffer("mix", torch.eye(5) + torch.eye(5).roll(1, 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.first(x))) @ self.mix
        return self.head(self.last(self.second(self.drop(x))).mean((2, 3)))


def signals() -> torch.Tensor:
    return torch.randn(2, 3, 8, 5, generator=torch.Generator().manual_seed(1))


def values(kind, model, x, **options):
    few = {name: number for name, number in FEW.items() if name in signature(kind).parameters}
    with kind(model, inputs="b c t n", **few, **options) as explain:
        return explain(x, target=Class(1)).values


@contextmanager
def default_dtype(kind):
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_new_tensors_of_another_kind_by_default(kind):
    """As after `torch.set_default_device("cuda")`, and with another type in the place of float32."""
    x, model = signals(), Net().eval()
    expected = values(kind, model, x)
    # On the meta device no tensor has values: whatever an explainer makes and leaves there would be lost.
    with torch.device("meta"), default_dtype(torch.bfloat16):
        found = values(kind, model, x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * float(np.abs(expected).max()))


@pytest.mark.parametrize("kind", SOME, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "around",
    [torch.no_grad, torch.inference_mode, deterministic, lambda: torch.autocast("cpu", torch.bfloat16)],
    ids=["no_grad", "inference_mode", "deterministic", "autocast"],
)
def test_modes_around_a_call(around, kind):
    expected = values(kind, Net().eval(), signals())
    with around():
        found = values(kind, Net().eval(), signals())
    np.testing.assert_array_equal(found, expected)


ARRAYS = {
    "backwards": lambda x: x.numpy()[:, ::-1].copy()[:, ::-1],
    "of another order of bytes": lambda x: x.numpy().astype(">f4"),
    "of more bits": lambda x: x.numpy().astype(np.longdouble),
    "not to be written": lambda x: np.frombuffer(x.numpy().tobytes(), np.float32).reshape(x.shape),
    "not contiguous": lambda x: x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
    "of inference mode": torch.inference_mode()(lambda x: x.clone()),
    "with a gradient": lambda x: x.clone().requires_grad_() * 1,
}


@pytest.mark.parametrize("how", ARRAYS)
def test_the_same_numbers_in_another_array(how):
    x = ARRAYS[how](signals())
    before = np.array(x.detach().numpy() if isinstance(x, torch.Tensor) else x)
    for kind in (InputGradient, Occlusion):
        np.testing.assert_array_equal(values(kind, Net().eval(), x), values(kind, Net().eval(), signals()))
    np.testing.assert_array_equal(x.detach().numpy() if isinstance(x, torch.Tensor) else x, before)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", np.longdouble])
def test_masks_and_baselines_in_another_array(dtype):
    x, model = signals(), Net().eval()
    baseline = np.linspace(-1, 1, 3)
    expected = values(Occlusion, model, x, baseline=baseline)
    found = values(Occlusion, model, x, baseline=baseline.astype(dtype)[::-1].copy()[::-1])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.nested.nested_tensor([torch.ones(3, 8, 5)] * 2, layout=torch.jagged), "^x: got a nested tensor"),
        (torch.ones(0, 3, 8, 5), r"^x has shape \(0, 3, 8, 5\): there is nothing to explain"),
        (torch.ones(2, 3, 0, 5), r"^x has shape \(2, 3, 0, 5\): there is nothing to explain"),
        (np.ones((2, 3, 8, 0), np.float32), r"^x has shape \(2, 3, 8, 0\): there is nothing to explain"),
        (torch.ones(2, 3, 8, 5, device="meta"), "^x: got a tensor on the meta device"),
    ],
)
def test_what_holds_no_signals(x, message):
    for kind in (InputGradient, Occlusion, STGGradCAM):
        with pytest.raises(InputError, match=message):
            values(kind, Net().eval(), x)
        with pytest.raises(InputError, match=message):
            kind(Net().eval())(x, target=Class(1))


def frozen(model):
    return model.requires_grad_(False)


def normed(model):
    model.second = parametrizations.weight_norm(model.second)
    return model


def pruned(model):
    prune.l1_unstructured(model.second, "weight", 1e-9)
    return model


def averaged(model):
    model.norm.momentum = None
    return model


@pytest.mark.parametrize("kind", SOME, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("made", [frozen, normed, pruned, averaged, nn.DataParallel])
def test_a_model_in_train_mode_made_otherwise(made, kind):
    expected = values(kind, Net().eval(), signals())
    model = made(Net()).train()
    before = snapshot(model)
    np.testing.assert_allclose(values(kind, model, signals()), expected, rtol=1e-4, atol=1e-6)
    assert not changes(before, snapshot(model))


def test_a_frozen_script_has_no_mode():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = torch.jit.freeze(torch.jit.script(Net().eval()))
    assert not hasattr(model, "training")
    expected = values(Occlusion, Net().eval(), signals())
    np.testing.assert_allclose(values(Occlusion, model, signals()), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="no layer of the model was found"):
        values(STGGradCAM, model, signals())


@pytest.mark.parametrize("part", ["second.weight", "norm.running_mean"])
def test_a_model_without_values_is_refused(part):
    model = Net().eval()
    name = part.partition(".")[0]
    getattr(model, name).to("meta")
    with pytest.raises(InputError, match=f"^'{name}.*' of the model is on the meta device"):
        values(Occlusion, model, signals())


@pytest.mark.parametrize("kind", [InputGradient, IntegratedGradients, LearnedMask])
def test_no_gradient_through_a_layer_in_integers(kind):
    with pytest.warns(DeprecationWarning, match="quantization"):
        model = torch.ao.quantization.quantize_dynamic(Net().eval(), {nn.Linear})
    with pytest.raises(InputError, match="the target does not depend on the input"):
        values(kind, model, signals())


class Counts(Net):
    """Writes into a buffer when all of its layers have run."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = super().forward(x)
        self.calls += 1
        return scores


@pytest.mark.parametrize("kind", SOME, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("options", [{}, {"inputs": "b c t n"}])
def test_a_buffer_written_at_the_end_of_a_pass(kind, options):
    """Without `inputs`, the first passes end at the first layers: they are not what a pass writes."""
    model = Counts().eval()
    kind(model, **options)(signals(), target=Class(1))
    assert model.calls == 0


def test_a_buffer_written_after_a_first_pass_that_failed():
    model = Counts().eval()
    handle = model.norm.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(InputError, match="ZeroDivisionError"):
        values(Occlusion, model, signals())
    handle.remove()
    values(Occlusion, model, signals())
    assert model.calls == 0


class ByVmap(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.vmap(lambda one: super(ByVmap, self).forward(one[None])[0])(x)


def test_layers_under_vmap_have_no_outputs_of_their_own():
    model = ByVmap().eval()
    np.testing.assert_allclose(
        values(InputGradient, model, signals()), values(InputGradient, Net().eval(), signals()), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(InputError, match="no layer of the model was found"):
        values(STGGradCAM, model, signals())
    with pytest.raises(InputError, match="layer 'second' did not run in .* or returned no floating tensor"):
        values(STGGradCAM, model, signals(), layer="second", layout="b c t n")
