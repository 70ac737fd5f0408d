"""A model that raises, gives NaN or is interrupted at any call is left exactly as it was; threads share it."""

import random
import threading
from contextlib import suppress
from inspect import signature

import numpy as np
import pytest
import torch

from stexplain.checks.model_state import changes, snapshot
from stexplain.errors import InputError
from stexplain.explainers.methods import EdgeImportance, Occlusion, STGGradCAM
from stexplain.explainers.targets import Class, Custom
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.our_models import batch, small_model

KINDS = [*EXPLAINERS, EdgeImportance]
# Few steps: it is not the map that is looked at here.
FEW = {"steps": 4, "samples": 3, "permutations": 2, "draws": 4}


class Faults:
    """A hook of a model that counts its calls, and at one of them raises, or gives NaN."""

    def __init__(self, model):
        self.calls, self.at, self.error = 0, None, None
        # A function: what a pass changes in an object of the model's, such as this count, is undone with the rest.
        model.blocks[1].register_forward_hook(lambda module, inputs, output: self._called(output))

    def _called(self, output):
        self.calls += 1
        if self.calls != self.at:
            return output
        if self.error is None:
            return output * float("nan")
        raise self.error


def explained(kind, model, **options):
    with kind(model, **options) as explain:
        return explain(batch(8, samples=2), target=Class(1))


def few(kind):
    """Options that make a method short."""
    return {name: number for name, number in FEW.items() if name in signature(kind).parameters}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def random_states():
    """Those of all generators that a caller may share with an explainer."""
    return torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002


@pytest.mark.filterwarnings("ignore::UserWarning")  # few steps do not converge, and that is said
def test_the_model_is_left_as_it_was(kind):
    """After an error, an interruption or NaN at the first call of the model, at one in the middle and at the last."""
    options = few(kind)
    model = small_model().train()
    model.blocks[0].eval()
    next(model.parameters()).requires_grad_(False)
    faults = Faults(model)
    before, grad, drawn = snapshot(model), torch.is_grad_enabled(), random_states()
    explained(kind, model, **options)
    # Without what is measured once for a model.
    faults.calls = 0
    expected = explained(kind, model, **options).values
    calls = faults.calls
    if not calls:
        pytest.skip("it calls no model")
    for at in sorted({1, max(1, calls // 2), calls}):
        for error in (RuntimeError("broken"), KeyboardInterrupt(), None):
            faults.calls, faults.at, faults.error = 0, at, error
            # NaN is refused where it is seen, which is not everywhere.
            with suppress(InputError, RuntimeError, KeyboardInterrupt):
                explained(kind, model, **options)
            assert faults.calls >= at
            where = f"after {error!r} at call {at} of {calls}"
            assert not changes(before, snapshot(model)), where
            assert torch.is_grad_enabled() is grad, where
            assert random_states() == drawn, where
    # And it is explained as if nothing had been.
    faults.at = None
    np.testing.assert_array_equal(explained(kind, model, **options).values, expected)


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


def step(model):
    """What an optimizer does, in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (step, r"parameter '.*' of the model was written into"),
        (torch.nn.Module.train, "the model was set to train mode"),
    ],
)
@pytest.mark.parametrize("kind", [STGGradCAM, Occlusion])
def test_a_model_that_is_trained_meanwhile_is_refused(kind, does, said):
    model = small_model()

    def score(output):
        # Between two passes of the explainer, and, of a gradient, between its pass and its way back.
        trainer = threading.Thread(target=does, args=(model,))
        trainer.start()
        trainer.join()
        return output[:, 1]

    with kind(model) as explain:
        with pytest.raises(InputError, match=f"^{said}.* while it was explained.*copy.deepcopy"):
            explain(batch(8, samples=2), target=Custom(score))
        # The next one is of the model as it is now.
        found = explain(batch(8, samples=2), target=Class(1)).values
    np.testing.assert_array_equal(found, explained(kind, model).values)


def test_a_model_may_be_trained_between_explanations():
    model = small_model().train()
    with STGGradCAM(model) as explain:
        explain(batch(8, samples=2), target=Class(1))
        step(model)
        explain(batch(8, samples=2), target=Class(1))
    assert model.training


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
