"""The counterfactual of a planted sample: it without its cause, aligned through every transform."""

import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.cards import dataset_card, model_card, series_card
from stexplain.data import check_store
from stexplain.data.load import load_series
from stexplain.data.planted import graph, ntu, roads
from stexplain.data.planted.ntu_oracle import oracle
from stexplain.data.planted.roads_oracle import oracle as roads_oracle
from stexplain.data.store.prepare import prepare
from stexplain.errors import DataError, InputError

BODY, SIGNAL = dataset_card("ntu"), dataset_card("planted")
# Actions that move one limb.
ARMS = ["A007", "A031"]


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    folder = tmp_path_factory.mktemp("body")
    ntu.generate(BODY, folder / "raw", actions=ARMS, subjects=range(1, 19), repetitions=1, workers=1, progress=False)
    prepare(BODY, folder / "raw", folder / "store", workers=1, progress=False)
    check_store(folder / "store")
    return stx.load_dataset("ntu", folder / "store")


@pytest.fixture(scope="module")
def signal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signal")
    graph.generate(SIGNAL, folder / "raw", repetitions=1, progress=False)
    prepare(SIGNAL, folder / "raw", folder / "store", workers=1, progress=False)
    return stx.load_dataset("planted", folder / "store")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEXPLAIN_CACHE", str(folder))
        yield load_series("roads")


def test_clips_and_counterfactuals_are_aligned(body, signal):
    for clips in (body, signal):
        without = clips.counterfactual()
        assert without.ids == clips.ids
        np.testing.assert_array_equal(without.labels, clips.labels)
        for number in (0, len(clips) - 1):
            one, other = clips[number], without[number]
            assert one.x.shape == other.x.shape
            np.testing.assert_array_equal(one.valid, other.valid)
            np.testing.assert_array_equal(one.truth, other.truth)


def test_a_false_detection_is_in_both(body):
    ghosts = np.flatnonzero([sample.valid[1:].any() for sample in body])
    assert len(ghosts)
    without = body.counterfactual()
    for number in ghosts.tolist():
        np.testing.assert_array_equal(body[number].x[1], without[number].x[1])


def others(truth):
    """The joints that are not of the arm that acts, of a ground truth ``[M, T, N]``."""
    arms = [4, 5, 6, 7, 21, 22], [8, 9, 10, 11, 23, 24]
    acting = next(arm for arm in arms if truth[..., arm].any())
    return np.setdiff1d(np.arange(25), acting)


def test_outside_the_truth_nothing_differs_where_no_bone_carries_another(body, signal):
    for clips in (body, signal):
        without = clips.counterfactual()
        for number in range(0, len(clips), 3):
            one, other = clips[number], without[number]
            differs = (one.x != other.x).any(axis=-1)
            assert differs[one.truth].mean() > 0.8
            if clips is signal:
                assert not differs[~one.truth].any()
                continue
            # An arm that acts carries nothing but its own joints: all others are the same to the bit.
            assert not differs[:, :, others(one.truth)].any()
            gap = np.linalg.norm(one.x - other.x, axis=-1)
            assert gap[~one.truth].max() <= ntu.MOVED + 2e-4


def test_both_go_through_the_same_sampling_and_centring(body, signal):
    for clips, model in ((body, "stgcn7"), (signal, "stgcn2")):
        sampled = clips.with_recipe(model_card(model).recipe("quick"))
        batch, without = sampled.batch([0, 5, 7]), sampled.counterfactual().batch([0, 5, 7])
        assert batch.x.shape == without.x.shape
        assert bool((batch.valid == without.valid).all())
        still = ~batch.truth.any(2, keepdim=True).expand_as(batch.truth)
        if clips is body:
            still = torch.zeros_like(batch.truth)
            for number, truth in enumerate(batch.truth.numpy()):
                still[number, :, :, others(truth)] = True
        assert torch.equal(batch.x[still], without.x[still])
        assert bool((batch.x != without.x).any(-1)[batch.truth].float().mean() > 0.8)
        # A model's own recipe is applied to both alike, from the recordings.
        raw = clips.counterfactual().batch([5])
        assert torch.equal(raw.sampling.resample(sampled.recipe).x[0], without.x[1])
        # Augmentation draws by the generator alone.
        pair = [one.batch([0, 5], np.random.default_rng(0)).x for one in (sampled, sampled.counterfactual())]
        assert torch.equal(pair[0][still[:2]], pair[1][still[:2]])


def test_the_oracle_sees_no_action_in_the_counterfactual(body):
    without = body.counterfactual()
    for number in range(0, len(body), 5):
        code = str(body.table["class"][number])
        one, other = (np.where(s.valid[..., None, None], s.x, np.nan) for s in (body[number], without[number]))
        assert oracle(one) == code
        assert oracle(other) is None


def test_windows_of_roads_without_the_incident_that_slows_the_target(series):
    batch, without = series.events_batch(), series.events_batch(counterfactual=True)
    assert torch.equal(batch.truth, without.truth)
    assert batch.ids == without.ids
    assert torch.equal(batch.y, without.y)
    world, events = roads.simulate(0), series.events
    differs = (batch.x != without.x).any(-1)
    assert not differs[~batch.observed].any()
    assert bool(differs[batch.truth].float().mean() > 0.95)
    # Where the incident thins traffic out it is slower without it, and in the queue it is faster.
    assert bool((without.x < batch.x)[..., 0][batch.truth & differs].all())
    names = list(world.roads.sensors)
    for number in range(0, len(events), 10):
        row = events.iloc[number]
        at = names.index(row.target)
        free = world.free[row.frame + 12 + row.horizon - 1, at]
        shown = [np.where(one.observed[number, 0], one.x[number, 0, :, :, 0], np.nan) for one in (batch, without)]
        slower = [free - roads_oracle(world, speeds, row.frame, 12)[row.horizon - 1, at] for speeds in shown]
        assert slower[0] == pytest.approx(row.slowdown, rel=0.3)
        assert slower[1] < 0.1 * row.slowdown
    with_calendar = series.with_calendar()
    pair = [with_calendar.events_batch([3], counterfactual=on).x for on in (False, True)]
    assert torch.equal(pair[1][..., 0], without.x[3:4, ..., 0])
    assert torch.equal(pair[0][..., 1:], pair[1][..., 1:])


def test_what_else_happens_on_the_roads_is_the_same_with_and_without():
    world = roads.simulate(1, days=14)
    events, _ = roads.planted_events(world, 12, 12, 1)
    windows = roads.counterfactuals(world, events, 12)
    reach = world.roads.upstream(5)
    for row, window in zip(events.itertuples(), windows, strict=True):
        origin = world.roads.sensors.index(row.origin)
        touched = [origin, *(sensor for sensor, _ in reach[origin])]
        others = np.setdiff1d(np.arange(40), touched)
        np.testing.assert_array_equal(window[:, others], world.speed[row.frame : row.frame + 12, others])


def test_data_without_a_counterfactual_says_so(tmp_path, signal):
    ones = [np.ones((1, 5, 2, 3))]
    pair = stx.STGraph.from_edges(["a", "b"], [("a", "b")])
    with pytest.raises(InputError, match="no counterfactual: nobody knows"):
        stx.data.Clips.from_arrays(ones, [0], graph=pair).counterfactual()
    with pytest.raises(InputError, match="no counterfactual"):
        signal.counterfactual().counterfactual()
    graph.generate(SIGNAL, tmp_path / "raw", repetitions=1, progress=False)
    first = min((tmp_path / "raw").glob("*.counterfactual.npy"))
    np.save(first, np.zeros((1, 3, 40, 3), np.float32))
    with pytest.raises(DataError, match=r"float32 \(1, 3, 40, 3\); expected float32 \(1, "):
        prepare_strictly(tmp_path)
    first.unlink()
    with pytest.raises(DataError, match="a counterfactual beside some recordings and not beside others"):
        prepare(SIGNAL, tmp_path / "raw", tmp_path / "store", workers=1, progress=False)


def prepare_strictly(folder):
    """Prepares, and raises what excluded a recording."""
    prepare(SIGNAL, folder / "raw", folder / "strict", workers=1, progress=False)
    raise DataError((folder / "strict" / "excluded.csv").read_text())


def test_events_without_a_counterfactual_say_so(series, tmp_path):
    table, truth = series.events[["target", "frame", "horizon"]].head(1), np.zeros((1, 12, 40), bool)
    given = {"window": 12, "horizon": 12, "graph": series.graph, "events": table, "truth": truth}
    bare = stx.WindowedSeries(np.full((12000, 40), 60.0), **given)
    with pytest.raises(InputError, match="no counterfactual"):
        bare.events_batch(counterfactual=True)
    with pytest.raises(InputError, match=r"counterfactual: got shape \(1, 12, 39\); expected \(1, 12, 40\)"):
        stx.WindowedSeries(np.full((12000, 40), 60.0), **given, counterfactual=np.zeros((1, 12, 39)))
    with pytest.raises(InputError, match="got counterfactual without events"):
        stx.WindowedSeries(np.full((50, 2), 60.0), counterfactual=np.zeros((1, 12, 2)))
    assert series_card("roads").planted
