import numpy as np
import pytest
import torch

from stexplain.bench.shared.events import GRADIENT_CHANGE, Events, explanations
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from tests.training.roads import NODES, forecaster, series, speeds


@pytest.mark.parametrize("calendar", [False, True])
def test_the_gradient_times_the_change_is_taken_channel_by_channel(calendar):
    flow = 3 * speeds(480, seed=1)
    values = speeds(480)[..., None] if calendar else np.stack([speeds(480), flow], axis=-1)
    names = ("speed",) if calendar else ("speed", "flow")
    train, _, test = series(values, every="h", channels=names).split()
    if calendar:
        train, test = train.with_calendar(), test.with_calendar()
    channels = len(test.channels)
    model = forecaster(channels_in=channels)
    average = HistoricalAverage.fit(train, weekdays=False)
    batch = test.batch([0, 5, 9])
    nodes = ("s1", "s3", "s0")
    events = Events(batch, np.array([1, 3, 0]), nodes, (1, 2, 3))
    e = explanations(model, events, average, training=train, seed=0, steps=16)[GRADIENT_CHANGE]
    gradient = InputGradient(model)(batch, target=events.target).channels
    change = (batch.x - average.in_window(batch)).numpy() * batch.observed.numpy()[..., None]
    np.testing.assert_allclose(e.values, (gradient * change).sum(-1), rtol=1e-5, atol=1e-6)
    # By sums of channels it is another map.
    assert not np.allclose(e.values, gradient.sum(-1) * change.sum(-1), rtol=0.01)
    assert e.values.shape == (3, 1, 6, NODES)
    assert torch.isfinite(torch.from_numpy(e.values)).all()
