import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stexplain.data.scaler import Scaler
from stexplain.data.series import WindowedSeries
from stexplain.errors import DataError, InputError
from stexplain.intervals.bootstrap import Interval
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.nn.traffic import STGCNForecaster
from stexplain.training import GraphAblation, History, evaluate_forecast, fit, graph_ablation
from stexplain.training.fit import CHECKPOINT
from stexplain.training.tasks import Forecasting, Validation
from tests.training.roads import NODES, forecaster, network, recipe, series, speeds
from tests.training.standin import Probe, StandInClips, assert_same
from tests.training.standin import recipe as clip_recipe

TRAIN, VALIDATION, TEST = series(speeds(260)).split()


def trained(
    requested: Any = None, train: Any = None, model: Any = None, **options: Any
) -> tuple[STGCNForecaster, History]:
    model = model or forecaster()
    options = {"progress": False, "accelerator": "cpu", "validation": VALIDATION, **options}
    return model, fit(model, TRAIN if train is None else train, recipe=requested or recipe(), **options)


def test_a_step_is_that_of_plain_torch() -> None:
    requested = recipe(epochs=4, batch=1000, optimizer="sgd", momentum=0.0, rate=0.01)
    model, history = trained(requested)
    peer = forecaster(scaler=Scaler.fit(TRAIN))
    optimizer = torch.optim.SGD(peer.parameters(), lr=0.01)
    whole = TRAIN.batch(slice(None))
    for epoch in history.epochs:
        error = (peer(whole.x, observed=whole.observed) - whole.y).abs()
        loss = error[whole.y_observed].mean()
        assert epoch.loss == pytest.approx(loss.item(), rel=1e-5)
        assert epoch.accuracy is None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for (name, a), (_, b) in zip(model.state_dict().items(), peer.state_dict().items(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)


def test_training_lowers_the_error_below_that_of_no_forecast() -> None:
    model, history = trained(recipe(epochs=8, rate=0.02, schedule="one-cycle", select="best"))
    frame = history.to_frame()
    assert frame["loss"].iloc[-1] < frame["loss"].iloc[0]
    assert frame["validation_loss"].iloc[history.selected_epoch - 1] == frame["validation_loss"].min()
    assert frame["accuracy"].isna().all()
    spread = float(np.nanstd(speeds(260)))
    assert evaluate_forecast(model, TEST).score().value < spread / 2
    assert not model.training
    assert not hasattr(model, "class_names")


def test_validation_is_the_error_over_the_whole_part() -> None:
    model, history = trained()
    evaluation = evaluate_forecast(model, VALIDATION, batch=5)
    assert history.epochs[-1].validation_loss == pytest.approx(evaluation.score().value, rel=1e-6)


def test_the_scaler_is_of_the_training_part_and_one_that_is_set_stays() -> None:
    model, _ = trained(recipe(epochs=1))
    wanted = Scaler.fit(TRAIN)
    assert model.scaler is not None
    np.testing.assert_allclose([*model.scaler.mean, *model.scaler.std], [*wanted.mean, *wanted.std], rtol=1e-6)
    given, _ = trained(recipe(epochs=1), model=forecaster(scaler=Scaler([1.0], [2.0])))
    assert given.scaler == Scaler([1.0], [2.0])


def test_what_a_missing_reading_holds_is_no_matter_to_training() -> None:
    values = speeds(120, missing=0.0)
    observed = np.random.default_rng(0).random(values.shape) > 0.2
    options: dict[str, Any] = {"validation": None}
    one, _ = trained(train=series(values, observed=observed), **options)
    other, _ = trained(train=series(np.where(observed, values, -1e6), observed=observed), **options)
    assert_same(one, other)


@pytest.mark.parametrize("failing", [2, 9])
def test_a_training_that_failed_midway_ends_as_one_that_did_not(
    tmp_path: Path, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested = recipe(select="best", schedule="cosine", optimizer="rmsprop", batch=32)
    whole, history = trained(requested, model=forecaster(dropout=0.2))
    original, calls = WindowedSeries.batch, []

    def batch(self: WindowedSeries, indices: Any) -> Any:
        calls.append(len(indices) if not isinstance(indices, slice) else 0)
        if calls.count(32) + calls.count(31) + calls.count(30) + calls.count(29) == failing:
            raise KeyboardInterrupt
        return original(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(WindowedSeries, "batch", batch)
        with pytest.raises(KeyboardInterrupt):
            trained(requested, model=forecaster(dropout=0.2), out=tmp_path, save_every=0.0)
    # Other weights at the start: those of the checkpoint count, where one was written.
    seed = 9 if (tmp_path / CHECKPOINT).is_file() else 0
    model, resumed = trained(requested, model=forecaster(seed, dropout=0.2), out=tmp_path)
    assert_same(model, whole)
    columns = ["epoch", "loss", "validation_loss", "rate"]
    assert resumed.to_frame()[columns].equals(history.to_frame()[columns])
    again, read = trained(requested, model=forecaster(5, dropout=0.2), out=tmp_path)
    assert_same(again, whole)
    assert read.selected_epoch == history.selected_epoch


def test_another_training_s_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(recipe(epochs=1), out=tmp_path)
    with pytest.raises(InputError, match=r"train.starts is .* there"):
        trained(recipe(epochs=1), TRAIN.subset(slice(10, None)), out=tmp_path)


def test_patience_ends_a_training_that_gets_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([5.0, 4.0, 4.5, 4.0, 1.0])
    monkeypatch.setattr(Forecasting, "validate", lambda self, model: Validation(next(losses), None))
    _, history = trained(recipe(epochs=5, batch=1000, patience=2, select="best"))
    assert [epoch.validation_loss for epoch in history.epochs] == [5.0, 4.0, 4.5, 4.0]
    assert history.stopped_early
    assert history.selected_epoch == 2


def test_each_epoch_is_a_line_with_the_error_in_its_unit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="stexplain.training"):
        trained(recipe(epochs=2))
    lines = [record.getMessage() for record in caplog.records if record.name == "stexplain.training"]
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2: MAE ")
    assert lines[1].count(" mph, ") == 2
    assert "accuracy" not in lines[1]


def test_a_trained_forecaster_comes_back_from_its_folder(tmp_path: Path) -> None:
    model, history = trained(recipe(epochs=1))
    save_model(tmp_path, model)
    loaded = load_model(tmp_path, graph=network())
    np.testing.assert_array_equal(evaluate_forecast(loaded, TEST).mae, evaluate_forecast(model, TEST).mae)
    assert loaded.recipe == recipe(epochs=1)
    assert json.loads(json.dumps(history.to_dict()))["epochs"][0]["accuracy"] is None


def test_two_processes_train_what_one_does_however_unequal_their_shares() -> None:
    values = speeds(48)
    values[::2, 1:] = np.nan  # so that much less counts in some windows than in others
    train = series(values)
    requested = recipe(epochs=2, batch=10, optimizer="sgd", rate=0.01)
    one, alone = trained(requested, train, validation=None)
    two, both = trained(requested, train, validation=None, devices=2)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], rtol=1e-4, atol=1e-6, msg=name)
    assert [epoch.loss for epoch in both.epochs] == pytest.approx([epoch.loss for epoch in alone.epochs], rel=1e-5)


def test_the_ablation_trains_the_same_without_the_graph() -> None:
    # Each sensor is the one before it, two steps earlier: of no use to who hears only itself.
    random = np.random.default_rng(0)
    noise = 50 + 10 * random.normal(size=300)
    values = np.stack([np.roll(noise, shift) for shift in (0, 3, 6, 6)], 1)
    train, validation, test = series(values, horizon=2).split()
    requested = recipe(epochs=10, batch=24, rate=0.03, schedule="one-cycle")
    model = forecaster(horizon=2, blocks=[[8, 8, 8]])
    options: dict[str, Any] = {"recipe": requested, "validation": validation, "progress": False}
    fit(model, train, accelerator="cpu", **options)
    ablation = graph_ablation(model, train, test, **options)
    assert ablation.model.relations.edges == NODES
    assert ablation.uses_graph
    assert 0 < ablation.gain.low < ablation.gain.value < ablation.gain.high
    frame = ablation.to_frame([1, 2])
    assert frame["horizon"].tolist() == [1, 2, "all"]
    np.testing.assert_allclose(frame["mae_without_graph"] - frame["mae"], frame["mae_gain"])
    # Beside itself, nothing is gained.
    again = graph_ablation(ablation.model, train, test, seed=1, **{**options, "recipe": recipe(epochs=1)})
    assert again.with_graph.minus(again.with_graph).value == 0
    with pytest.raises(InputError, match="expected an STGCNForecaster"):
        graph_ablation(torch.nn.Linear(1, 1), train, test, **options)  # type: ignore[arg-type]


def test_wrong_calls_are_named() -> None:
    def call(match: str, what: Any = None, kind: type[Exception] = InputError, **options: Any) -> None:
        with pytest.raises(kind, match=match):
            trained(what, **options)

    call("train: got no windows", train=TRAIN.subset(slice(0, 0)))
    call("validation: got 23 frames of train", validation=TRAIN.subset(slice(15, 30)), train=TRAIN)
    call("expected a split, because the recipe has patience", recipe(patience=2), validation=None)
    call("got one that samples clips of 5 frames", clip_recipe())
    call("train: got window 6; expected the model's 7", model=forecaster(window=7))
    call("no observed value of 'speed'", train=series(np.full((40, NODES), np.nan)), kind=DataError, validation=None)
    call("validation: got a StandInClips; expected a series", validation=StandInClips())
    with pytest.raises(InputError, match="validation: got a series; expected a StandInClips"):
        fit(Probe(3), StandInClips(), recipe=clip_recipe(), validation=VALIDATION)  # type: ignore[arg-type]
    gone = speeds(60)
    gone[6:] = np.nan
    empty = series(gone).subset([0])
    call("train: got no observed target", train=empty, kind=DataError, validation=None)
    call("validation: got no observed target", kind=DataError, validation=empty)


def test_a_validation_that_is_no_number_ends_the_training() -> None:
    """An epoch of NaN was the best for good: no later one is better than NaN."""
    model = forecaster()
    model.register_forward_hook(lambda module, _, output: output if module.training else output * torch.nan)
    with pytest.raises(DataError, match="validation: got forecasts that are NaN or infinite"):
        trained(recipe(select="best"), model=model)


def test_an_ablation_of_few_windows_says_why_it_has_no_interval() -> None:
    class Evaluated(list[int]):
        unit = "mph"

        def minus(self, other: object) -> Interval:
            return Interval(0.25, np.nan, np.nan, "too few groups: 2")

    few = Evaluated([0, 1])
    ablation = GraphAblation.__new__(GraphAblation)
    for name in ("with_graph", "without_graph"):
        object.__setattr__(ablation, name, few)
    assert "2 windows: the graph lowers the MAE by 0.25 mph (no interval: too few groups: 2)" in repr(ablation)
