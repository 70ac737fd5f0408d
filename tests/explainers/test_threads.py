"""Threads that explain models of their own leave what belongs to the process as it was, and give what one gives."""

import os
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.explainers.model.running.frozen import frozen_eval
from stexplain.explainers.model.running.state import kept_state
from tests.explainers.test_faults import in_threads


class Makes(nn.Module):
    """Makes tensors of the default type in its forward pass."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.last = nn.Conv2d(2, 6, (3, 1), padding=(1, 0)), nn.Linear(6, 3)

    def forward(self, x):
        return self.last((self.first(x + torch.zeros(5)).relu() * torch.ones(5)).mean((2, 3)))


def explained(model):
    x = torch.randn(3, 2, 12, 5, generator=torch.Generator().manual_seed(0))
    with stx.STGGradCAM(model, layer="first", inputs="b c t n") as explain:
        return explain(x, target=1).values


@pytest.fixture
def often():
    """Threads take turns at nearly every operation."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_threads_with_a_model_each(often):
    models = [Makes(seed) for seed in range(4)]
    alone = [explained(model) for model in models]
    torch.manual_seed(7)
    before = torch.get_rng_state(), torch.get_default_dtype(), list(warnings.filters), torch.get_num_threads()
    for _ in range(6):
        works = [lambda model=model: explained(model) for model in models]
        for found, expected in zip(in_threads(*works), alone, strict=True):
            assert not isinstance(found, Exception), found
            np.testing.assert_array_equal(found, expected)
        after = torch.get_rng_state(), torch.get_default_dtype(), list(warnings.filters), torch.get_num_threads()
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]


def test_another_thread_makes_tensors_of_its_own_type():
    kinds = set()

    class Beside(Makes):
        def forward(self, x):
            seen = []
            thread = threading.Thread(target=lambda: seen.append((torch.zeros(1).dtype, (torch.arange(2) / 2).dtype)))
            thread.start()
            thread.join()
            kinds.add((x.dtype, *seen[0]))
            return super().forward(x)

    np.testing.assert_array_equal(explained(Beside(0)), explained(Makes(0)))
    # A layer's frames are measured in float64.
    assert kinds == {(kind, torch.float32, torch.float32) for kind in (torch.float32, torch.float64)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("held", [kept_state, frozen_eval])
def test_a_process_that_was_forked_while_another_thread_explains_does_not_wait_for_it(held):
    model, other = Makes(0), Makes(1)
    begun, ended = threading.Event(), threading.Event()

    def explaining():
        with held(other):
            begun.set()
            ended.wait(60)

    thread = threading.Thread(target=explaining)
    thread.start()
    begun.wait(60)
    child = os.fork()
    if not child:
        # Ends by a signal where it waits for ever.
        import signal

        signal.alarm(20)
        with held(model):
            os._exit(0)
    ended.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
