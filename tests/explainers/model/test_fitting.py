"""How many samples go through a model at once: what fits into memory, with the same results."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.model.inputs import fitting
from stexplain.explainers.model.inputs.fitting import PassBytes
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.running import memory
from stexplain.explainers.model.running.memory import at_once, bytes_of_pass
from tests.explainers.small_models import signals

SAMPLES, FRAMES, NODES = 40, 16, 10
X = signals(SAMPLES, FRAMES, NODES)
# 16 copies of a sample's 640 bytes are made of it at most, times 4,096: measured are batches beyond a budget of this.
BUDGET = 40 * 2**10


# Not on the model, on which what a pass sets is undone.
PASSES: list[tuple[int, bool]] = []


@pytest.fixture(autouse=True)
def no_passes():
    PASSES.clear()


class Counted(nn.Module):
    """Notes how many samples each pass has."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.last = nn.Linear(NODES, 8), nn.Linear(8, 3)

    def forward(self, x):
        PASSES.append((len(x), torch.is_grad_enabled()))
        return self.last(self.mixed(self.hidden(x).relu().mean(1)))

    def mixed(self, x):
        return x


class Mixing(Counted):
    def mixed(self, x):
        return x - x.mean(0)


def test_the_bytes_of_a_pass_are_those_of_what_it_makes():
    layer = nn.Linear(4, 6)
    # The product and its ReLU; a view is nothing new.
    assert bytes_of_pass(lambda: layer(torch.zeros(5, 4)).relu().view(-1)) == 4 * (5 * 4 + 2 * 5 * 6)

    def fails():
        raise ValueError

    assert bytes_of_pass(fails) is None


def test_as_many_as_fit():
    assert at_once(np.full(100, 1.0), 100) == 100
    assert at_once(np.full(100, 1.0), 99) == 64
    assert at_once(np.full(100, 1.0), 63) == 32
    assert at_once(np.full(100, 1.0), 0.5) == 1
    # Four that are large and lie together decide.
    assert at_once(np.array([1.0] * 12 + [10.0] * 4), 25) == 2
    assert PassBytes(10, 2).fixed == 10


def most_at_once():
    """The most samples of a pass since the last time that it was asked; of those with gradients, if there are any."""
    most = max(samples for samples, gradients in PASSES if gradients or not any(each for _, each in PASSES))
    PASSES.clear()
    return most


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(memory, "BUDGET", BUDGET)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("InputGradient", {}),
        ("ExpectedFall", {"draws": 2}),
        ("ExpectedGradients", {"steps": 2}),
        ("IntegratedGradients", {"steps": 4, "copies": 2}),
        ("GradientSHAP", {"draws": 4, "copies": 2}),
        ("Occlusion", {}),
        ("LearnedMask", {"steps": 3}),
        ("STGGradCAM", {"layer": "hidden"}),
    ],
)
def test_many_samples_give_what_they_give_at_once(small_memory, monkeypatch, method, options):
    found = stx.explain(Counted(), X, method=method, inputs="b t n", **options)
    limited = most_at_once()
    monkeypatch.setattr(memory, "BUDGET", 2**40)
    whole = stx.explain(Counted(), X, method=method, inputs="b t n", **options)
    assert limited < min(most_at_once(), SAMPLES)
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-4, atol=1e-6)
    assert found.call.options["chunk"] is None


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("Occlusion", {"window": 4}),
        ("ShapleyValueSampling", {"window": 4, "orders": 2}),
        ("OwenValueSampling", {"window": 4, "orders": 2}),
        ("TemporalRescaling", {"window": 2}),
    ],
)
def test_copies_without_gradients_count_too(small_memory, method, options):
    """Of a shallow network a pass holds most of what it makes, without gradients as well."""
    stx.explain(Counted(), X, method=method, inputs="b t n", **options)
    most, model = max(samples for samples, _ in PASSES), Counted()
    one = bytes_of_pass(lambda: model(X[:1]))
    assert one is not None
    # 16 copies of one sample fit, and are run together; one method masks ten nodes at a time.
    assert 16 * one < BUDGET
    assert 10 <= most <= BUDGET / one


def test_what_is_asked_for_is_done(small_memory):
    stx.explain(Counted(), X, method="InputGradient", inputs="b t n", chunk=33)
    assert most_at_once() == 33


def test_small_samples_are_not_measured():
    stx.explain(Counted(), X, method="InputGradient", inputs="b t n")
    by_default = list(PASSES)
    PASSES.clear()
    stx.explain(Counted(), X, method="InputGradient", inputs="b t n", chunk=SAMPLES)
    assert by_default == PASSES


def test_samples_that_influence_each_other_stay_together(small_memory):
    with pytest.raises(stx.errors.InputError, match=r"influence|depends on others"):
        stx.explain(Mixing(), X, method="InputGradient", inputs="b t n")
    e = stx.explain(Mixing(), X, method="InputGradient", inputs="b t n", chunk=1)
    assert len(e) == SAMPLES


def test_a_function_that_knows_all_samples_gets_all(small_memory):
    model, classes = Counted(), torch.arange(SAMPLES) % 3
    picked = stx.Custom(lambda output: output[torch.arange(SAMPLES), classes])
    found = stx.explain(model, X, target=picked, method="InputGradient", inputs="b t n")
    assert most_at_once() == SAMPLES
    expected = stx.explain(model, X, target=classes, method="InputGradient", inputs="b t n")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)


def test_short_samples_count_less_where_padding_is_left_out(small_memory):
    graph = stx.STGraph.from_edges([str(node) for node in range(5)], [("0", "1"), ("1", "2"), ("2", "3"), ("3", "4")])
    torch.manual_seed(0)
    model = stx.nn.STGCN(graph, classes=3, channels_in=1, channels=[4], strides=[1], relations="uniform").eval()
    valid = torch.zeros(6, 1, 64, dtype=torch.bool)
    for row, frames in enumerate([64, 8, 8, 8, 8, 8]):
        valid[row, :, :frames] = True
    x = signals(6, 1, 64, 5, 1) * valid[..., None, None]
    explain = stx.InputGradient(model)
    with explain:
        explain(x, target=1, valid=valid)
    (taken,) = [each for each in explain._bytes_by_kind.values() if each is not None]
    assert taken.per_frame > 0
    assert taken.fixed < taken.per_frame * 64


VALID = torch.arange(8)[None, None] < torch.tensor([3, 8, 5, 2])[:, None, None]
FOUR = ModelInput(signals(4, 1, 8, 5, 1), VALID, {"b": 4, "m": 1, "t": 8, "n": 5, "c": 1}, ("",) * 4)


def measured(bytes_of, model_input=FOUR, forward=lambda one: one):
    """What is measured of passes that take so many bytes, by the valid frames of a sample; and of which they were."""
    asked = []

    def taken(run):
        asked.append(int(run().known_valid.sum()))
        return bytes_of(asked[-1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "bytes_of_pass", taken)
        found = fitting.measured_bytes(model_input, lambda rows: model_input.rows(rows, Layout("b m t n c")), forward)
    return found, asked


@pytest.mark.parametrize(("fixed", "per_frame"), [(100, 7), (0, 7), (100, 0)])
def test_what_a_pass_takes_follows_from_the_longest_and_the_shortest(fixed, per_frame):
    found, asked = measured(lambda frames: fixed + per_frame * frames)
    assert asked == [8, 2]
    assert found == PassBytes(fixed, per_frame)
    assert found.of(FOUR).tolist() == [fixed + per_frame * frames for frames in (3, 8, 5, 2)]


def test_a_shorter_sample_that_takes_more_counts_as_the_longest():
    assert measured(lambda frames: 100 - frames)[0] == PassBytes(92, 0)


def test_of_samples_of_one_length_one_is_measured():
    alike = replace(FOUR, valid=None)
    found, asked = measured(lambda frames: 64, alike)
    assert (found, asked) == (PassBytes(64, 0), [8])


def test_a_pass_that_cannot_be_measured_takes_the_most_that_a_pass_may():
    found, asked = measured(lambda frames: None)
    assert found == PassBytes(memory.LARGEST * FOUR.x.nbytes / 4, 0)
    assert asked == [8, 2]


def test_a_model_that_does_not_run_on_one_sample_is_not_measured():
    def fails(one):
        raise InputError("no")

    for bytes_of in (lambda frames: None, lambda frames: 1):
        assert measured(bytes_of, forward=fails)[0] is None


def test_frames_of_all_instances_count():
    two = replace(FOUR, valid=VALID.expand(4, 2, 8), sizes={**FOUR.sizes, "m": 2})
    assert fitting.frames_of(two).tolist() == [6, 16, 10, 4]
    assert fitting.input_bytes(FOUR) == 8 * 5 * 4


@pytest.mark.parametrize(
    ("known", "frames", "expected"),
    [
        ({8: PassBytes(10, 2)}, 8, [PassBytes(10, 2)]),
        ({8: None}, 8, [None]),
        ({8: None}, 9, []),
        ({}, 8, []),
        # Longer ones take more, and up to twice as long at most four times as much.
        ({8: PassBytes(10, 2)}, 16, [PassBytes(40, 8)]),
        ({8: PassBytes(10, 2)}, 17, []),
        ({8: PassBytes(10, 2)}, 12, [PassBytes(22.5, 4.5)]),
        # A shorter one takes no more than one of up to four times its length.
        ({8: PassBytes(10, 2)}, 2, [PassBytes(10, 2)]),
        ({8: PassBytes(10, 2)}, 1, []),
        # The nearest that is as long or longer; else the nearest.
        ({8: PassBytes(1, 0), 12: PassBytes(2, 0), 16: PassBytes(3, 0)}, 10, [PassBytes(2, 0)]),
        ({8: PassBytes(16, 0), 9: PassBytes(81, 0)}, 10, [PassBytes(100, 0)]),
        ({("other", 8): PassBytes(10, 2)}, 8, []),
    ],
)
def test_what_is_known_of_another_length(known, frames, expected):
    found = {(key if isinstance(key, tuple) else ("kind", key)): value for key, value in known.items()}
    assert [one and pytest.approx(one) for one in fitting._known_at(found, "kind", frames)] == expected


BYTES = 4 * 160
"""Of the four samples, whose passes make 1,000 bytes each below."""


def at_once_of(monkeypatch, budget, *, bytes_of=lambda run: 1000, cut=True, **changes):
    """How many samples go at a time, and what was measured; a call keeps three copies and runs two at once."""
    asked = []
    monkeypatch.setattr(fitting, "budget_on", lambda device: budget)
    monkeypatch.setattr(fitting, "bytes_of_pass", lambda run: asked.append(run) or bytes_of(run))
    monkeypatch.setattr(fitting, "may_be_cut", lambda caller, given, step, targets: cut)
    caller = {
        "chunk": None, "model": nn.Identity(), "_copies_at_once": 2, "_held_copies": 3, "_locality": None,
        "_bytes_by_kind": {}, "_rows": lambda given, rows: given.rows(rows, Layout("b m t n c")),
        "_kind_of": lambda given: (tuple(given.sizes.items()), given.x.dtype), "_forward": lambda given: given.x,
    } | changes  # fmt: skip
    return fitting.samples_at_once(SimpleNamespace(**caller), changes.get("given", FOUR)), len(asked)


@pytest.mark.parametrize(("more", "expected"), [(0, (4, 0)), (-1, (4, 2))])
def test_passes_are_measured_where_the_most_that_they_may_take_does_not_fit(monkeypatch, more, expected):
    """Two copies of all samples at once, each 4,096 times as large, and three that are held."""
    assert at_once_of(monkeypatch, BYTES * (2 * memory.LARGEST + 3) + more) == expected


@pytest.mark.parametrize(("budget", "expected"), [(9920, 4), (9919, 2), (4960, 2), (4959, 1), (1, 1)])
def test_as_many_go_at_a_time_as_their_passes_and_what_is_held_fit(monkeypatch, budget, expected):
    """Each takes two passes of 1,000 bytes, and three copies of its own 160."""
    assert at_once_of(monkeypatch, budget) == (expected, 2)
    assert at_once_of(monkeypatch, budget, cut=False)[0] == 4


def test_samples_stay_together_where_the_model_runs_on_all_alone(monkeypatch):
    def fails(run):
        raise InputError("no")

    known = {}
    assert at_once_of(monkeypatch, 1, bytes_of=fails, _bytes_by_kind=known) == (4, 1)
    # That is known from then on.
    assert at_once_of(monkeypatch, 1, bytes_of=fails, _bytes_by_kind=known) == (4, 0)


def test_what_was_measured_counts_for_samples_of_that_kind(monkeypatch):
    """Other lengths are of a kind; another type, or a part of the model, is not."""
    known = {}
    longer = replace(FOUR, x=signals(4, 1, 9, 5, 1), valid=None, sizes={**FOUR.sizes, "t": 9})
    double = replace(FOUR, x=FOUR.x.double())
    changes = [({}, 2), ({}, 0), ({"given": longer}, 0), ({"_locality": 1}, 2), ({"given": double}, 2)]
    for change, measured_anew in changes:
        assert at_once_of(monkeypatch, 5000, _bytes_by_kind=known, **change)[1] == measured_anew


@pytest.mark.parametrize(("chunk", "expected"), [(3, 3), (4, 4), (5, 4)])
def test_a_chunk_that_is_given_is_no_more_than_all(monkeypatch, chunk, expected):
    assert at_once_of(monkeypatch, 1, chunk=chunk) == (expected, 0)
    assert at_once_of(monkeypatch, 1, model=None) == (4, 0)
    one = FOUR.rows(slice(0, 1), Layout("b m t n c"))
    assert at_once_of(monkeypatch, 1, given=one) == (1, 0)
