"""What people do around an explanation, and in the middle of it, to the model, to the explainer and by the target."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from stexplain.checks.model_state import changes, snapshot
from stexplain.errors import InputError
from stexplain.explainers.methods import InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM
from stexplain.explainers.targets import Class, Custom
from tests.explainers.test_torch_settings import FEW, Net, signals, values

SOME = [InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # few steps do not converge, and that is said


@pytest.fixture(params=SOME, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def explainer(kind, model):
    few = {"steps": FEW["steps"]} if kind in (IntegratedGradients, LearnedMask) else {}
    return kind(model, inputs="b c t n", **few)


def test_a_model_is_copied_saved_and_explained_while_it_is_explained(kind):
    model, copies = Net().train(), []
    before, expected = snapshot(model), values(kind, Net().eval(), signals())

    def score(output):
        if not copies:
            copies.append(copy.deepcopy(model))
            torch.save(model.state_dict(), io.BytesIO())
            pickle.dumps(model)
            copies.append(values(InputGradient, model, signals()))
        return output[:, 1]

    found = explainer(kind, model)(signals(), target=Custom(score)).values
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(copies[1], values(InputGradient, Net().eval(), signals()))
    # No hook of the explainer is in the copy.
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in copies[0].modules())
    np.testing.assert_array_equal(values(kind, copies[0], signals()), expected)
    assert not changes(before, snapshot(model))
    pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("how", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
def test_an_explainer_is_copied(kind, how):
    one = explainer(kind, Net().train())
    expected = one(signals(), target=Class(1)).values
    np.testing.assert_array_equal(how(one)(signals(), target=Class(1)).values, expected)


def test_an_explainer_is_used_after_its_block_and_a_generator_is_left(kind):
    model = Net().train()
    before = snapshot(model)

    def maps():
        with explainer(kind, model) as explain:
            for number in (1, 0):
                yield explain(signals(), target=Class(number)).values

    running = maps()
    first = next(running)
    running.close()
    assert not changes(before, snapshot(model))
    with explainer(kind, model) as explain:
        pass
    np.testing.assert_array_equal(explain(signals(), target=Class(1)).values, first)
    assert not changes(before, snapshot(model))


def test_an_interrupt_on_the_way_back(kind):
    model = Net().train()
    before, expected = snapshot(model), values(kind, model, signals())

    def stop(gradient):
        raise KeyboardInterrupt

    def watch(module, inputs, output):
        if output.requires_grad:
            output.register_hook(stop)

    handle = model.head.register_forward_hook(watch)
    # Perturbation methods look for channels that are indices by one gradient.
    with pytest.raises(KeyboardInterrupt):
        values(kind, model, signals())
    handle.remove()
    assert torch.is_grad_enabled()
    assert not changes(before, snapshot(model))
    np.testing.assert_array_equal(values(kind, model, signals()), expected)


@pytest.mark.parametrize("kind_of", ["double", "bfloat16", "half"])
def test_a_target_of_another_floating_type(kind, kind_of):
    expected = values(kind, Net().eval(), signals())
    found = explainer(kind, Net().eval())(signals(), target=Custom(lambda y: getattr(y[:, 1], kind_of)())).values
    # What the target rounds is lost: the way of a mask, which goes by signs, is another then.
    if kind_of == "double" or kind is not LearnedMask:
        bound = 1e-5 if kind_of == "double" else 0.05
        np.testing.assert_allclose(found, expected, atol=bound * float(np.abs(expected).max()))
    assert np.isfinite(found).all()
    assert found.dtype == np.float32


@pytest.mark.parametrize("score", [lambda y: (10 * y[:, 1]).long(), lambda y: y[:, 1] > 0], ids=["int", "bool"])
def test_a_target_of_whole_numbers(kind, score):
    explain = explainer(kind, Net().eval())
    if kind is Occlusion:
        assert np.isfinite(explain(signals(), target=Custom(score)).values).all()
    else:
        with pytest.raises(InputError, match="in a differentiable way"):
            explain(signals(), target=Custom(score))


def test_a_target_of_complex_numbers(kind):
    with pytest.raises(InputError, match=r"^target <lambda> returned complex numbers; expected real ones"):
        explainer(kind, Net().eval())(signals(), target=Custom(lambda y: y[:, 1].to(torch.complex64)))
