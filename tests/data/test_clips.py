import numpy as np
import pytest
import torch

from stexplain.cards import Augment, Recipe
from stexplain.data.clips import Clips
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph

LENGTHS = [5, 9, 7, 4, 12]


@pytest.fixture
def graph() -> STGraph:
    return STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], center="b")


@pytest.fixture
def clips(graph) -> Clips:
    random = np.random.default_rng(0)
    x = [random.normal(size=(1 + number % 2, length, 3, 3)) for number, length in enumerate(LENGTHS)]
    return Clips.from_arrays(
        x, [0, 1, 1, 0, 1], graph=graph, classes=["still", "wave"], ids=list("pqrst"), channels=["x", "y", "z"],
        fields={"subject": [1, 2, 3, 4, 5]},
    )  # fmt: skip


def recipe(**changes) -> Recipe:
    values = {"summary": "", "epochs": 1, "batch": 2, "frames": 8, "sampling": "resample", "rate": 0.1}
    return Recipe(**{**values, **changes})


def test_as_recorded(clips):
    assert len(clips) == 5
    assert (clips.frames, clips.instances) == (12, 2)
    sample = clips[1]
    assert sample.x.shape == (2, 9, 3, 3)
    assert (sample.id, sample.label, sample.fields["subject"]) == ("q", 1, 2)
    assert clips[0].valid.tolist() == [[True] * 5, [False] * 5]
    batch = clips.batch([0, 2])
    assert tuple(batch.x.shape) == (2, 2, 7, 3, 3)
    assert batch.valid.sum().item() == 5 + 7
    assert [sample.id for sample in clips] == list("pqrst")


def test_with_a_recipe(clips):
    view = clips.with_recipe(recipe(center="first"))
    assert view.frames == 8
    batch = view.batch([4, 0])
    assert tuple(batch.x.shape) == (2, 2, 8, 3, 3)
    assert batch.x.dtype == torch.float32
    assert batch.label.tolist() == [1, 0]
    assert batch.label.dtype == torch.int64
    assert batch.ids == ("t", "p")
    np.testing.assert_allclose(batch.x[:, 0, 0, 1], 0, atol=1e-6)
    np.testing.assert_array_equal(batch.x[1], view[0].x)
    np.testing.assert_array_equal(view[-1].x, view[4].x)


def test_a_recipe_turns_bodies_to_the_front():
    sides = STGraph.from_edges(["neck", "left hip", "right hip"], [(0, 1), (0, 2)], center="neck")
    x = np.zeros((1, 4, 3, 3), np.float32)
    # The right hip is 2 behind the left one: the person faces the camera's left.
    x[0, :, 2] = [1, -1, 2]
    x[0, :, 1] = [1, -1, 0]
    one = Clips.from_arrays([x], graph=sides, channels=["x", "y", "z"], recipe=recipe(center="first", align="hip"))[0]
    np.testing.assert_allclose(one.x[0, 0, 1:], [[0, -1, -1], [2, -1, -1]], atol=1e-6)
    # Nor is a body taken as it is where the model's clips are turned.
    assert one.sampling.recipe.align == "hip"


def test_batches_are_all_clips_in_order(clips):
    view = clips.with_recipe(recipe())
    batches = list(view.batches(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [name for batch in batches for name in batch.ids] == clips.ids
    whole = view.batch(range(5))
    torch.testing.assert_close(torch.cat([batch.x for batch in batches]), whole.x, rtol=0, atol=0)


def test_subsets(clips):
    assert clips.subset([3, 1]).ids == ["s", "q"]
    assert clips.subset(clips.labels == 1).ids == ["q", "r", "t"]
    assert clips.subset(slice(1, 3)).subset([1]).ids == ["r"]
    assert clips.subset([3, 1]).labels.tolist() == [0, 1]
    assert clips.subset([3, 1]).table.subject.tolist() == [4, 2]
    assert clips.subset([]).ids == []
    np.testing.assert_array_equal(clips.subset([3, 1])[1].x, clips[1].x)


def test_augmentation_is_repeatable_and_off_without_a_generator(clips):
    view = clips.with_recipe(recipe(center="first", augment=Augment(crop=0.5, rotate=30, scale=0.2)))
    plain = view.batch(range(5)).x
    torch.testing.assert_close(plain, clips.with_recipe(recipe(center="first")).batch(range(5)).x, rtol=0, atol=0)
    once, again, other = (view.batch(range(5), np.random.default_rng(seed)).x for seed in (0, 0, 1))
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    assert not torch.allclose(once, other)
    assert not torch.allclose(once, plain)


def test_what_does_not_fit(clips, graph):
    x = [np.ones((1, 4, 3, 3))]
    for call, message in (
        (lambda: clips.batch([5]), "There are 5 clips"),
        (lambda: clips.batch([0.5]), "expected integers"),
        (lambda: clips.batches(0), "expected at least 1"),
        (lambda: Clips.from_arrays([], graph=graph), "got no clips"),
        (lambda: Clips.from_arrays([np.ones((1, 4, 2, 3))], graph=graph), "got 2 nodes"),
        (lambda: Clips.from_arrays([*x, np.ones((1, 4, 3, 2))], graph=graph), "got 2 channels"),
        (lambda: Clips.from_arrays(x, [0, 1], graph=graph), "labels: got 2 for 1 clip;"),
        (lambda: Clips.from_arrays(x, [2], graph=graph, classes=["a", "b"]), "expected 0 to 1"),
        (lambda: Clips.from_arrays([x[0] * np.nan], graph=graph), "NaN or infinite"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    turning = Clips.from_arrays(x, graph=graph, recipe=recipe(augment=Augment(rotate=5)))
    with pytest.raises(InputError, match="got channels channel 0, channel 1, channel 2"):
        turning.batch([0], np.random.default_rng(0))
    for joint, asked in (("hip", clips), ("hip", Clips.from_arrays(x, graph=graph))):
        with pytest.raises(InputError, match="align is 'hip', which needs the nodes 'left hip' and 'right hip' and"):
            asked.with_recipe(recipe(align=joint))[0]
    with pytest.raises(IndexError):
        clips[5]


def test_missing_frames_may_hold_anything(graph):
    x = np.ones((1, 4, 3, 3))
    x[0, 2] = np.nan
    clips = Clips.from_arrays([x], graph=graph, valid=[np.array([[True, True, False, True]])])
    assert not clips[0].x[0, 2].any()
    assert clips.with_recipe(recipe(frames=3)).batch([0]).valid.all()
    assert clips[0].label == -1


def test_arrays_of_trials_are_told_which_axes_to_add():
    trials = np.ones((6, 3, 50), np.float32)  # trials, electrodes, samples
    graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    with pytest.raises(InputError, match=r"got 2 dimensions.*x.transpose\(0, 2, 1\)\[:, None, :, :, None\]"):
        Clips.from_arrays(trials, graph=graph)
    assert Clips.from_arrays(trials.transpose(0, 2, 1)[:, None, :, :, None], graph=graph)[0].x.shape == (1, 50, 3, 1)


def test_what_a_clip_masks_was_not_observed():
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    x = np.arange(2 * 4 * 2 * 3, dtype=float).reshape(2, 1, 4, 2, 3) + 1
    mask = np.zeros(x.shape, bool)
    mask[0, 0, 1, 1, 2] = True
    masked = np.ma.array(x, mask=mask)
    for given in (masked, list(masked), [masked[0], x[1]]):
        batch = Clips.from_arrays(given, graph=graph).batch([0, 1])
        assert batch.observed[0, 0].tolist() == [[True, True], [True, False], [True, True], [True, True]]
        assert batch.observed[1].all()
        assert batch.x[0, 0, 1, 1].tolist() == [0, 0, 0]
    seen = [np.ones((1, 4, 2), bool), np.ones((1, 4, 2), bool)]
    seen[0][0, 0, 0] = False
    batch = Clips.from_arrays(masked, graph=graph, observed=seen).batch([0, 1])
    assert (~batch.observed[0, 0]).nonzero().tolist() == [[0, 0], [1, 1]], "both masks hold"
    with pytest.raises(InputError, match="labels: got a masked array"):
        Clips.from_arrays(x, np.ma.array([0, 1], mask=[True, False]), graph=graph)


def test_clips_of_xarray_have_the_order_of_the_graph():
    xarray = pytest.importorskip("xarray")
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    x = xarray.DataArray(np.ones((1, 4, 2, 3)), dims=("person", "time", "joint", "axis"), coords={"joint": ["b", "a"]})
    with pytest.raises(InputError, match=r"x\[0\]: its nodes are b, a, .*x\.sel\(joint=list\(graph\.nodes\)\)"):
        Clips.from_arrays([x], graph=graph)
    assert len(Clips.from_arrays([x.sel(joint=list(graph.nodes))], graph=graph)) == 1


def test_a_clip_without_a_group_is_named():
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    clips = Clips.from_arrays(np.ones((2, 1, 4, 2, 3)), graph=graph, fields={"group": ["g", None]})
    with pytest.raises(DataError, match="the field 'group' of clip '1' is missing"):
        _ = clips.groups
