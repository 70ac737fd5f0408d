import numpy as np
import pytest
import torch

from stexplain.data.samples import Batch, Sample
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.methods import (
    Acceleration,
    Deviation,
    Displacement,
    Motion,
    Random,
    RelativeCurvature,
    Slowness,
    SlownessNearTarget,
    TimePrior,
    TrainingMap,
    Variance,
)
from stexplain.explainers.methods.baselines.prior import PHASES, mean_truth
from stexplain.explainers.targets import Forecast, PerSample, Predicted
from stexplain.graph import STGraph
from tests.explainers.small_models import PlainSTGCN, signals


def batch(x, valid, ids):
    return Batch(x * valid[..., None, None], valid, torch.zeros(len(x), dtype=torch.int64), ids)


def test_motion_by_loops():
    x = signals(2, 2, 7, 3, 3)
    valid = torch.ones(2, 2, 7, dtype=torch.bool)
    valid[0, 0, 3] = False
    valid[1, 1, 1:] = False
    with Motion() as motion:
        values = motion(x, target=Predicted(), valid=valid).values
    for b, m, t, n in np.ndindex(2, 2, 7, 3):
        steps = [
            float((x[b, m, t, n] - x[b, m, other, n]).norm())
            for other in (t - 1, t + 1)
            if 0 <= other < 7 and valid[b, m, t] and valid[b, m, other]
        ]
        assert np.isclose(values[b, m, t, n], np.mean(steps) if steps else 0.0, atol=1e-6)


def test_a_still_node_does_not_move_wherever_it_is():
    assert (Motion()(torch.full((1, 1, 5, 2, 3), 7.0)).values == 0).all()


def test_random_is_a_samples_own():
    x, valid = signals(3, 1, 6, 4, 2), torch.ones(3, 1, 6, dtype=torch.bool)
    valid[1, 0, 4:] = False
    whole = Random(seed=3)(batch(x, valid, ("a", "b", "c"))).values
    turned = Random(seed=3)(batch(x[[2, 1]], valid[[2, 1]], ("c", "b"))).values
    assert np.array_equal(turned, whole[[2, 1]])
    longer = torch.cat([x, torch.zeros(3, 1, 5, 4, 2)], 2)
    longer_valid = torch.cat([valid, torch.zeros(3, 1, 5, dtype=torch.bool)], 2)
    assert np.array_equal(Random(seed=3)(batch(longer, longer_valid, ("a", "b", "c"))).values[:, :, :6], whole)
    assert not np.array_equal(Random(seed=4)(batch(x, valid, ("a", "b", "c"))).values, whole)
    assert not np.array_equal(whole[0], whole[2])
    assert (whole[1, 0, 4:] == 0).all()


def test_random_is_uniform():
    values = Random(seed=0)(signals(4, 1, 100, 25, 3)).values
    # The mean of 10,000 uniform numbers has a standard deviation of 0.0029.
    assert abs(values.mean() - 0.5) < 0.015
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1


def test_a_sample_of_a_read_only_file():
    x = np.ones((1, 4, 3, 2), np.float32)
    x.flags.writeable = False
    valid = np.ones((1, 4), bool)
    valid.flags.writeable = False
    e = Motion()(Sample(x, valid, id="one"))
    assert e.ids == ("one",)
    assert e.values.shape == (1, 1, 4, 3)


def test_the_model_only_tells_the_layout():
    model = PlainSTGCN()
    model.inputs = "b c t n m"
    assert Motion(model)(signals(2, 3, 9, 5, 2)).values.shape == (2, 2, 9, 5)
    with pytest.raises(InputError, match="NaN"):
        Motion(model)(torch.full((2, 3, 9, 5, 2), torch.nan))


def positions(x, valid, change):
    """A map by a function of each node's valid observations ``[t, C]``, position by position."""
    values = np.zeros(x.shape[:-1])
    for b, m, n in np.ndindex(x.shape[0], x.shape[1], x.shape[3]):
        frames = np.flatnonzero(valid[b, m].numpy())
        if len(frames):
            values[b, m, frames, n] = change(x[b, m, frames, n].double().numpy(), frames)
    return values


def acceleration(x, frames):
    inner = [
        np.linalg.norm(x[i + 1] - 2 * x[i] + x[i - 1])
        if 0 < i < len(x) - 1 and frames[i + 1] - frames[i - 1] == 2
        else 0.0
        for i in range(len(x))
    ]
    return np.array(inner)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Displacement, lambda x, _: np.linalg.norm(x - x[0], axis=-1)),
        (Deviation, lambda x, _: np.linalg.norm(x - x.mean(0), axis=-1)),
        (Variance, lambda x, _: np.full(len(x), ((x - x.mean(0)) ** 2).sum(-1).mean())),
        (Acceleration, acceleration),
        (TimePrior, lambda x, _: 1 - (2 * np.linspace(0, 1, len(x)) - 1) ** 2),
    ],
)
def test_controls_by_loops(kind, change):
    x, valid = signals(2, 2, 9, 3, 3), torch.ones(2, 2, 9, dtype=torch.bool)
    valid[0, 0, 4] = False
    valid[1, 0, 6:] = False
    valid[1, 1] = False
    values = kind()(x, valid=valid).values
    np.testing.assert_allclose(values, positions(x, valid, change), atol=1e-6)


def test_curvature_does_not_depend_on_the_scale_and_tells_turns_from_sweeps():
    time = torch.arange(60.0)
    slow, quick = torch.sin(time / 6), torch.sin(time)
    x = torch.stack([slow, 5 * slow, quick, 0.1 * quick, 0 * time], -1).view(1, 1, 60, 5, 1)
    curvature = RelativeCurvature()(x).values[0, 0, 10:50].mean(0)
    assert curvature[0] == pytest.approx(curvature[1], rel=1e-4)
    assert curvature[2] == pytest.approx(curvature[3], rel=1e-4)
    assert curvature[2] > 4 * curvature[0]
    assert curvature[4] == 0
    # Of a sine of rate w, |second difference| / |slope| is 2 tan(w / 2) on average over whole periods.
    assert curvature[2] == pytest.approx(2 * np.tan(0.5), rel=0.05)


def planted(truth, lengths):
    """A batch whose truth ``[B, 1, T, N]`` is given, of which so many frames are valid."""
    truth = torch.as_tensor(truth)
    valid = torch.arange(truth.shape[2]) < torch.tensor(lengths)[:, None, None]
    x = torch.zeros(*truth.shape, 3)
    return Batch(x, valid, torch.zeros(len(x)), tuple(map(str, range(len(x)))), truth & valid[..., None])


def test_the_training_map_is_the_mean_truth_over_relative_time():
    truth = np.zeros((2, 1, 9, 2), bool)
    truth[0, 0, :5, 0] = True  # the first half of nine frames
    truth[1, 0, :3, 0] = True  # the first half of five frames
    truth[1, 0, :5, 1] = True
    found = TrainingMap(training=planted(truth, [9, 5]))(torch.zeros(1, 1, 17, 2, 3)).values[0, 0]
    np.testing.assert_allclose(found[:8, 0], 1)
    np.testing.assert_allclose(found[13:, 0], 0)
    np.testing.assert_allclose(found[:, 1], 0.5)
    prior = TimePrior(training=planted(truth, [9, 5]))(torch.zeros(1, 1, 17, 2, 3)).values[0, 0]
    np.testing.assert_allclose(prior, np.repeat(found.mean(1, keepdims=True), 2, axis=1), atol=1e-6)


def test_priors_know_no_more_than_they_were_given():
    given = planted(np.ones((1, 1, 4, 2), bool), [4])
    assert TrainingMap(training=given)(torch.ones(1, 2, 4, 2, 3)).values[0, 1].max() == 0  # nobody had a second person
    with pytest.raises(InputError, match="training: got samples of 2 nodes; expected 5"):
        TrainingMap(training=given)(torch.zeros(1, 1, 4, 5, 3))
    bare = Batch(given.x, given.valid, given.label, given.ids)
    for kind in (TrainingMap, TimePrior):
        with pytest.raises(InputError, match="without ground truth"):
            kind(training=bare)
        with pytest.raises(InputError, match="training: got list; expected a Batch"):
            kind(training=[1])


ROADS = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("c", "d")], directed=True)


def speeds():
    """Readings ``[1, 1, 4, 4, 1]``; the second sensor is silent at first, and all slow down in turn."""
    rows = [[60, 0, 50, 40], [60, 30, 20, 40], [10, 60, 50, 5], [60, 60, 50, 40]]
    observed = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    observed[0, 0, 0, 1] = False
    x = torch.tensor(rows, dtype=torch.float32).view(1, 1, 4, 4, 1)
    return Batch(x, torch.ones(1, 1, 4, dtype=torch.bool), torch.tensor([-1]), ("w",), observed=observed)


def test_slowness_is_below_the_usual_speed():
    expected = [[0, 0, 0, 0], [0, 30, 30, 0], [50, 0, 0, 35], [0, 0, 0, 0]]
    np.testing.assert_allclose(Slowness()(speeds()).values[0, 0], expected)
    frames = np.full((30, 4), 45.0)
    frames[::2, 0] = np.nan
    usual = WindowedSeries(frames, window=4, horizon=1, graph=ROADS)
    found = Slowness(training=usual)(speeds()).values[0, 0]
    np.testing.assert_allclose(found, [[0, 0, 0, 5], [0, 15, 25, 5], [35, 0, 0, 40], [0, 0, 0, 5]])
    with pytest.raises(InputError, match="training: got 2 nodes; expected 4"):
        Slowness(training=WindowedSeries(frames[:, :2], window=4, horizon=1))(speeds())


def test_slowness_near_the_target():
    slow = Slowness()(speeds()).values[0, 0]

    def near(target="a", **options):
        explain = SlownessNearTarget(graph=ROADS, **options)
        return explain(speeds(), target=PerSample([Forecast(target, 3)])).values[0, 0]

    np.testing.assert_allclose(near(hops=2), slow * [1, 1, 1, 0])
    np.testing.assert_allclose(near("c", hops=1), slow * [0, 0, 1, 1])
    np.testing.assert_allclose(near("c", hops=1, direction="upstream"), slow * [0, 1, 1, 0])
    np.testing.assert_allclose(near("c", hops=1, direction="both"), slow * [0, 1, 1, 1])
    # Frame 1 lies two frames before the last one and five before the forecast; three frames a link, one link.
    paced = near(hops=1, pace=3.0)
    assert paced[1, 1] == pytest.approx(30 * np.exp(-(((5 - 3) / 1.5) ** 2) / 2), rel=1e-5)
    assert paced[2, 0] == pytest.approx(50 * np.exp(-((4 / 1.5) ** 2) / 2), rel=1e-5)


def test_slowness_near_nothing_says_so():
    e = SlownessNearTarget(graph=ROADS)(speeds(), target=Predicted())
    np.testing.assert_array_equal(e.values, Slowness()(speeds()).values)
    assert any("names no node" in note for note in e.notes)
    with pytest.raises(InputError, match="graph: got none"):
        SlownessNearTarget()(speeds(), target=Forecast("a", 1))
    for options, message in (({"hops": -1}, "hops"), ({"direction": "down"}, "direction"), ({"pace": 0}, "pace")):
        with pytest.raises(InputError, match=message):
            SlownessNearTarget(**options)


def test_missing_values_are_no_motion():
    batch = speeds()
    for kind in (Displacement, Deviation, Variance, Acceleration, RelativeCurvature, Slowness):
        assert kind()(batch).values[0, 0, 0, 1] == 0
    # The first observation of the second sensor is its second frame.
    np.testing.assert_allclose(Displacement()(batch).values[0, 0, 1:, 1], [0, 30, 30])


def test_a_gap_is_no_step_of_the_sensor_beside_it():
    x = torch.tensor([60.0, 60.0, 0.0, 60.0, 63.0]).view(1, 5, 1)
    observed = np.array([True, True, False, True, True]).reshape(1, 5, 1)
    motion = Motion(inputs="b t n")(x, observed=observed)
    # To and from the gap nothing is known; the last two frames are 3 apart.
    assert motion.values.flatten().tolist() == [0.0, 0.0, 0.0, 3.0, 3.0]
    assert motion.channels.flatten().tolist() == [0.0, 0.0, 0.0, 3.0, 3.0]


def test_two_frames_of_truth_become_a_ramp_from_end_to_end():
    """The first frame is the first point of relative time, and the last frame the last."""
    truth = torch.tensor([[False, True], [True, True]]).view(1, 1, 2, 2)
    seen = Batch(torch.zeros(1, 1, 2, 2, 3), torch.ones(1, 1, 2).bool(), torch.zeros(1), ("a",), truth)
    mean = mean_truth(seen)
    torch.testing.assert_close(mean[0, :, 0], torch.linspace(0, 1, PHASES))
    assert (mean[0, :, 1] == 1).all()


@pytest.mark.parametrize("kind", [Slowness, SlownessNearTarget])
def test_a_channel_that_is_not_there_is_named_as_it_was_given(kind):
    x = torch.rand(1, 1, 3, 2, 2)
    graph = STGraph.from_edges("ab", [("a", "b")])
    with pytest.raises(InputError, match="^channel: got 5; expected channels from 0 to 1"):
        kind(channel=5, graph=graph)(x, target=Forecast("a", 1))
    with pytest.raises(InputError, match="unknown channel in `channel` 'speed'"):
        kind(channel="speed", graph=graph)(x, target=Forecast("a", 1))


@pytest.mark.parametrize("kind", [Motion, Displacement, Variance])
def test_a_channel_that_is_no_signal_moves_nothing(kind):
    x = signals(2, 1, 7, 3, 3)
    x[..., 2] = torch.arange(7.0)[:, None]
    alone = kind()(torch.cat([x[..., :2], torch.zeros_like(x[..., 2:])], -1)).values
    np.testing.assert_allclose(kind(signals=[0, 1])(x).values, alone, rtol=1e-6)
    assert not np.allclose(kind()(x).values, alone, rtol=0.1)
