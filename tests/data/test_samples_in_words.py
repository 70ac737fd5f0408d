import numpy as np

from stexplain.data.samples import Batch, Sample
from stexplain.data.series import WindowedSeries


def sample(**options):
    return Sample(np.zeros((1, 4, 3, 2), np.float32), np.ones((1, 4), bool), **options)


def test_a_sample_and_a_batch_say_what_they_hold():
    assert repr(sample()) == "<Sample: 1 instance x 4 frames x 3 nodes x 2 channels>"
    named = sample(id="walk", channels=("x", "y"))
    assert repr(named) == "<Sample 'walk': 1 instance x 4 frames x 3 nodes x 2 channels (x, y)>"
    batch = Batch.of(named, *[sample(id=str(number), channels=("x", "y")) for number in range(3)])
    assert repr(batch) == "<Batch of 4: 1 instance x 4 frames x 3 nodes x 2 channels (x, y); walk, 0, 1, ...>"


def test_a_series_and_its_windows_say_their_unit():
    series = WindowedSeries(np.ones((30, 4), np.float32), window=12, horizon=6, unit="kWh")
    assert repr(series) == "WindowedSeries(13 windows of 12 + 6 frames, 4 nodes, value; in kWh)"
    assert series.batch([0]).measured.units == ("kWh",)
    # Of several channels it is the unit of one.
    both = WindowedSeries(np.ones((30, 4, 2), np.float32), window=12, horizon=6, channels=["a", "b"], unit="kWh")
    assert both.batch([0]).measured.units == ()


def test_windows_say_what_they_hold_and_no_numbers():
    series = WindowedSeries(np.ones((30, 4), np.float32), window=12, horizon=6)
    said = repr(series.batch(range(10)))
    assert said.startswith("<WindowBatch of 10: 1 instance x 12 frames x 4 nodes x 1 channel")
    assert "tensor" not in said
    assert "array" not in said
