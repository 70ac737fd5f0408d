"""A model that raises, gives NaN or is interrupted at any call is left exactly as it was; threads share it."""

import threading
from contextlib import suppress

import numpy as np
import pytest
import torch

from stexplain.checks.model_state import changes, snapshot
from stexplain.errors import InputError
from stexplain.explainers.methods import Occlusion, STGGradCAM
from stexplain.explainers.targets import Class
from tests.explainers.our_models import batch, small_model


class Faults:
    """A hook of a model that counts its calls, and at one of them raises, or gives NaN."""

    def __init__(self, model, at=None, error=None):
        self.calls, self.at, self.error = 0, at, error
        model.blocks[1].register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.calls += 1
        if self.calls != self.at:
            return output
        if self.error is None:
            return output * float("nan")
        raise self.error


def explained(kind, model, **options):
    with kind(model, **options) as explain:
        return explain(batch(), target=Class(1))


@pytest.fixture(params=[STGGradCAM, Occlusion], ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def some_calls(kind):
    """The first call of a model under this explainer, one in the middle, and the last."""
    model = small_model()
    faults = Faults(model)
    explained(kind, model)
    return sorted({min(1, faults.calls), faults.calls // 2, faults.calls} - {0})


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), None], ids=["raises", "stopped", "nan"])
def test_the_model_is_left_as_it_was(kind, error):
    for at in some_calls(kind):
        model = small_model().train()
        model.blocks[0].eval()
        next(model.parameters()).requires_grad_(False)
        faults = Faults(model)
        before, grad = snapshot(model), torch.is_grad_enabled()
        faults.at, faults.error = at, error
        # Not every method looks at all that its model gives.
        with suppress(InputError, RuntimeError, KeyboardInterrupt):
            explained(kind, model)
        assert not changes(before, snapshot(model)), f"at call {at}"
        assert torch.is_grad_enabled() is grad
    # And it can be explained as if nothing had been.
    faults.at = None
    np.testing.assert_array_equal(explained(kind, model).values, explained(kind, small_model()).values)


def in_threads(*works):
    """Runs functions at once; gives what each returned or raised."""
    ready, found = threading.Barrier(len(works)), [None] * len(works)

    def run(place, work):
        ready.wait()
        try:
            found[place] = work()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return found


def test_several_threads_on_one_model_give_what_one_gives():
    model = small_model().train()
    kinds = [(STGGradCAM, {"layer": "blocks.1"}), (STGGradCAM, {"layer": "blocks.2"}), (Occlusion, {})]
    alone = [explained(kind, small_model(), **options).values for kind, options in kinds]
    before = snapshot(model)
    for _ in range(4):
        works = [lambda kind=kind, options=options: explained(kind, model, **options) for kind, options in kinds]
        for found, expected in zip(in_threads(*works), alone, strict=True):
            assert not isinstance(found, Exception), found
            np.testing.assert_array_equal(found.values, expected)
    assert not changes(before, snapshot(model))


def test_several_threads_on_one_explainer_give_what_one_gives():
    model = small_model()
    expected = {number: explained_class(STGGradCAM, model, number) for number in range(4)}
    with STGGradCAM(model) as explain:
        for _ in range(4):
            works = [lambda number=number: explain(batch(), target=Class(number)).values for number in range(4)]
            for number, found in enumerate(in_threads(*works)):
                assert not isinstance(found, Exception), found
                np.testing.assert_array_equal(found, expected[number])


def explained_class(kind, model, number):
    with kind(model) as explain:
        return explain(batch(), target=Class(number)).values


def test_two_explainers_left_in_the_order_in_which_they_were_entered():
    model = small_model().train()
    model.blocks[0].eval()
    before = snapshot(model)
    first, second = STGGradCAM(model), Occlusion(model)
    first.__enter__()
    second.__enter__()
    first(batch(), target=Class(0))
    first.__exit__(None, None, None)
    assert not model.training
    second(batch(), target=Class(0))
    second.__exit__(None, None, None)
    assert not changes(before, snapshot(model))
