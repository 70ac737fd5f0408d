"""The rules of a training one by one: the best epoch, when it stops, who trains on what, what a checkpoint says."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.data.series import WindowedSeries
from stexplain.training import baselines
from stexplain.training.loop import Job, _batches, _seed, _share
from stexplain.training.state import Epoch, TrainingState, _differences, _load_optimizer, _plain
from tests.training.standin import recipe


def finished(scores, patience):
    """The state after epochs of these scores on validation; and which were the best when they ended."""
    state, better = TrainingState(), []
    for number, score in enumerate(scores, 1):
        state.step, state.loss, state.count, state.correct, state.samples, state.seconds = 3, 2.0, 4, 1, 8, 0.5
        epoch = Epoch(number, 1.0, 0.5, None, score, 0.1, 1.0, 10.0)
        better.append(state.finish_epoch(epoch, patience, lambda one: one.validation_accuracy))
        running = (state.step, state.loss, state.count, state.correct, state.samples, state.seconds)
        assert running == (0, 0.0, 0, None, 0, 0.0)
    return state, better


@pytest.mark.parametrize(
    ("scores", "patience", "best", "better", "stopped"),
    [
        ([0.5], 1, 1, [True], False),
        # Of equal ones the first is the best.
        ([0.5, 0.5], 2, 1, [True, False], False),
        ([0.5, 0.5, 0.4], 2, 1, [True, False, False], True),
        ([0.5, 0.4, 0.6, 0.5], 2, 3, [True, False, True, False], False),
        ([0.5, 0.4, 0.6, 0.5, 0.5], 2, 3, [True, False, True, False, False], True),
        ([0.5, 0.4], 1, 1, [True, False], True),
        ([0.5] + [0.4] * 9, None, 1, [True] + [False] * 9, False),
        ([-0.5, 0.0, 0.0], 9, 2, [True, True, False], False),
        ([None, None], 1, None, [False, False], False),
    ],
)
def test_the_best_epoch_and_the_end_of_patience(scores, patience, best, better, stopped):
    state, found = finished(scores, patience)
    assert (state.best, found, state.stopped) == (best, better, stopped)
    assert [one.validation_accuracy for one in state.epochs] == scores


def test_means_of_a_running_epoch():
    assert (TrainingState().mean_loss, TrainingState().accuracy) == (0.0, None)
    running = TrainingState(loss=6.0, count=4, correct=3, samples=12)
    assert (running.mean_loss, running.accuracy) == (1.5, 0.25)
    assert TrainingState(correct=0).accuracy == 0


def job(count, batch):
    methods = {"__len__": lambda self: count, "batch": lambda self, rows, random: (rows, random.random())}
    task = type("Task", (), methods)()
    return Job(torch.nn.Identity(), task, recipe(batch=batch), None, 5, False, 60.0, {})


@pytest.mark.parametrize(("count", "batch", "steps"), [(12, 4, 3), (13, 4, 4), (3, 8, 1), (8, 1, 8)])
def test_steps_of_nearly_one_size_use_every_sample_once(count, batch, steps):
    """However many processes share them; each augments by numbers of its own, and each epoch has another order."""
    one = job(count, batch)
    assert one.steps == steps
    alone = [rows for rows, _ in _batches(one, 0, 0, 0, 1)]
    sizes = [len(rows) for rows in alone]
    assert (len(sizes), max(sizes) - min(sizes) <= 1, max(sizes) <= batch) == (steps, True, True)
    assert sorted(np.concatenate(alone)) == list(range(count))
    shares = [list(_batches(one, 0, 0, rank, 3)) for rank in range(3)]
    for step, rows in enumerate(alone):
        parts = [share[step][0] for share in shares]
        assert sorted(np.concatenate(parts)) == sorted(rows)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    drawn = [number for share in shares for _, number in share]
    assert len(set(drawn)) == len(drawn) == 3 * steps
    following = [rows for rows, _ in _batches(one, 1, 0, 0, 1)]
    assert count <= 3 or np.concatenate(alone).tolist() != np.concatenate(following).tolist()


@pytest.mark.parametrize("done", [0, 1, 3, 4])
def test_an_epoch_that_is_resumed_goes_on_with_the_steps_that_are_left(done):
    one = job(13, 4)
    whole = [(rows.tolist(), number) for rows, number in _batches(one, 2, 0, 1, 2)]
    left = [(rows.tolist(), number) for rows, number in _batches(one, 2, done, 1, 2)]
    assert left == whole[done:]


def test_seeds_are_what_torch_takes_and_differ_in_every_number():
    numbers = [(2, 0, 0, 0), (3, 0, 0, 0), (2, 1, 0, 0), (2, 0, 1, 0), (2, 0, 0, 1)]
    seeds = [_seed(*one) for one in numbers]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**58
    assert _share(np.arange(5), 1, 2).tolist() == [1, 3]


def test_what_differs_is_named_by_its_key_at_any_depth():
    saved = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": None}
    assert _differences("", saved, dict(saved)) == []
    now = {"a": 2, "b": {"c": [1, 3], "d": "x", "f": 0}, "g": {}}
    assert _differences("", saved, now) == [
        ("a", "1", "2"),
        ("b.c", "[1, 2]", "[1, 3]"),
        ("b.f", "'missing'", "0"),
        ("e", "None", "'missing'"),
        ("g", "'missing'", "{}"),
    ]
    assert _differences("", {"a": {"b": 1}}, {"a": 1}) == [("a", "{'b': 1}", "1")]


def test_the_state_of_an_optimizer_has_the_memory_layout_of_its_parameters():
    """Of another layout sums would have another order; counters of steps have none."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(4, 6, (1, 3)).to(memory_format=torch.channels_last) for _ in range(2)]
    optimizers = [torch.optim.AdamW(each.parameters(), lr=0.1) for each in layers]
    layers[0](torch.randn(2, 4, 1, 8)).square().sum().backward()
    optimizers[0].step()
    state = optimizers[0].state_dict()["state"]
    saved = _plain({f"{index}.{name}": value for index, values in state.items() for name, value in values.items()})
    assert all(value.is_contiguous() for value in saved.values())
    _load_optimizer(optimizers[1], saved)
    for index, values in optimizers[1].state_dict()["state"].items():
        for name, value in values.items():
            assert torch.equal(value, state[index][name])
            assert value.stride() == state[index][name].stride()
    weight = optimizers[1].state_dict()["state"][0]["exp_avg"]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert optimizers[1].param_groups[0]["lr"] == 0.1


def test_the_last_observed_value_of_each_node_is_found_by_looking_back():
    random = np.random.default_rng(0)
    values = np.where(random.random((40, 3)) < 0.6, np.nan, random.normal(size=(40, 3)))
    windows = WindowedSeries(values, window=4, horizon=2).batch(slice(None))
    found = baselines.last_observed(windows, 0)
    for row, start in enumerate(range(len(found))):
        for node in range(3):
            seen = [value for value in values[start : start + 4, node] if not math.isnan(value)]
            expected = seen[-1] if seen else math.nan
            assert found[row, node].item() == pytest.approx(expected, nan_ok=True)
    assert found.isnan().any()


def test_a_week_on_average_by_loops():
    """Each slot of the week; else that time of day on any day; else the node; else all nodes."""
    time = pd.date_range("2024-01-03 12:00", periods=60, freq="6h")  # a Wednesday
    random = np.random.default_rng(1)
    values = np.where(random.random((60, 4)) < 0.4, np.nan, random.normal(50, 5, (60, 4)))
    # Of one node nothing at noon, of another nothing at all.
    values[time.hour == 12, 2], values[:, 3] = np.nan, np.nan
    series = WindowedSeries(values, window=2, horizon=1, time=time)
    found = baselines._weekly_average(series, np.timedelta64(6, "h"))
    assert found.shape == (28, 4)
    for slot in range(28):
        for node in range(4):
            rows = [row for row in range(60) if not math.isnan(values[row, node])]
            of_week = [row for row in rows if time[row].weekday() * 4 + time[row].hour // 6 == slot]
            of_day = [row for row in rows if time[row].hour // 6 == slot % 4]
            chosen = of_week or of_day or rows
            expected = np.mean(values[chosen, node]) if chosen else np.nanmean(values)
            assert found[slot, node] == pytest.approx(expected, rel=1e-6), (slot, node)
