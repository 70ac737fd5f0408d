"""Streams of a skeleton: bones and motion in closed form, on what was read alone."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.cards import Recipe
from stexplain.data import Clips
from stexplain.data.transforms.streams import parents_of, stream_of
from stexplain.errors import InputError
from stexplain.graph import STGraph

TREE = STGraph(["hand", "elbow", "hip", "foot"], [(0, 1), (1, 2), (3, 2)], center="hip")
X = np.random.default_rng(0).normal(size=(2, 2, 6, 4, 3)).astype(np.float32)
VALID = np.ones((2, 2, 6), bool)
VALID[1, 1, 4:] = False
NAMES = ("x", "y", "score")
PARENT = [1, 2, 2, 2]


def slow(x, valid, stream, seen):
    """Bones and motion, position by position."""
    out = np.zeros_like(x)
    for b, m, t, n in np.ndindex(x.shape[:4]):

        def at(frame, node, b=b, m=m):
            return x[b, m, frame, node] - x[b, m, frame, PARENT[node]] if "bone" in stream else x[b, m, frame, node]

        def read(frame, node, b=b, m=m):
            here = valid[b, m, frame] and seen[b, m, frame, node]
            return here and ("bone" not in stream or seen[b, m, frame, PARENT[node]])

        if not read(t, n):
            continue
        if "motion" not in stream:
            out[b, m, t, n] = at(t, n)
        elif t + 1 < x.shape[2] and read(t + 1, n):
            out[b, m, t, n] = at(t + 1, n) - at(t, n)
    return out


@pytest.mark.parametrize("stream", ["joint", "bone", "joint motion", "bone motion"])
@pytest.mark.parametrize("partial", [False, True])
def test_streams_are_as_written_down(stream, partial):
    seen = np.broadcast_to(VALID[..., None], X.shape[:4]).copy()
    if partial:
        seen[0, 0, 2, 1] = seen[0, 1, 3, 3] = False
    x = np.where(seen[..., None], X, 0)
    got, observed = stream_of(x, VALID, stream, graph=TREE, channels="abc", observed=seen if partial else None)
    np.testing.assert_allclose(got, slow(x, VALID, stream, seen), rtol=1e-6)
    if partial and stream.startswith("bone"):
        assert not observed[0, 0, 2, 0], "the bone of a hand ends at an elbow that was not read"
    assert (observed is None) == (not partial)


def test_a_score_is_no_coordinate():
    got, _ = stream_of(X, VALID, "bone", graph=TREE, channels=NAMES)
    np.testing.assert_array_equal(got[..., 2], X[..., 2])
    np.testing.assert_allclose(got[..., 0, :2][VALID], (X[..., 0, :2] - X[..., 1, :2])[VALID], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["coco-17", "kinect-v2", "h36m-17", "mediapipe-33", "openpose-25", "smpl-24", "hand-21"]
)
def test_every_named_skeleton_has_bones(name):
    graph = STGraph.skeleton(name)
    parents = parents_of(graph)
    roots = [node for node, parent in enumerate(parents) if node == parent]
    assert roots == [graph.index(graph.center)]
    joined = {frozenset((node, int(parent))) for node, parent in enumerate(parents) if node != parent}
    assert joined == {frozenset(edge) for edge in graph.edges.tolist()}


def test_a_circle_has_no_bones():
    ring = STGraph.from_edges("abc", [("a", "b"), ("b", "c"), ("c", "a")])
    with pytest.raises(InputError, match="a stream of bones needs a skeleton without cycles"):
        parents_of(ring)


def test_a_recipe_names_its_stream():
    clips = Clips.from_arrays(list(X), [0, 1], graph=TREE, valid=list(VALID))
    recipe = {"summary": "", "epochs": 1, "batch": 2, "rate": 0.1, "frames": 6, "sampling": "pad"}
    joint, bone = (clips.with_recipe(Recipe(**recipe, stream=stream)).batch([0, 1]) for stream in ("joint", "bone"))
    assert clips.with_recipe(Recipe(**recipe)).recipe.stream == "joint"
    np.testing.assert_allclose(
        bone.x.numpy(), slow(joint.x.numpy(), VALID, "bone", np.ones(X.shape[:4], bool)), rtol=1e-5
    )
    with pytest.raises(ValueError, match="stream"):
        Recipe(**recipe, stream="bones")


# ---- fusion ----


def trained(seed, stream):
    import torch

    torch.manual_seed(seed)
    model = stx.load_model("stgcn2", graph=TREE, classes=["sit", "stand"]).eval()
    recipe = Recipe(summary="", epochs=1, batch=2, rate=0.1, frames=6, sampling="pad", stream=stream)
    object.__setattr__(model, "recipe", recipe)
    return model


@pytest.fixture(scope="module")
def fusion():
    return stx.nn.Fusion({"joint": trained(0, "joint"), "bone": trained(1, "bone")}, {"joint": 1.0, "bone": 0.5}).eval()


@pytest.fixture(scope="module")
def streams(fusion):
    clips = Clips.from_arrays(list(X), [0, 1], graph=TREE, valid=list(VALID), channels=["x", "y", "z"])
    return fusion.batch(clips, [0, 1])


def test_logits_are_added(fusion, streams):
    import torch

    x, valid = streams
    expected = fusion.models["joint"](x["joint"], valid=valid) + 0.5 * fusion.models["bone"](x["bone"], valid=valid)
    torch.testing.assert_close(fusion(x, valid=valid), expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(stx.InputGradient, {"reduce": "sum"}), (stx.IntegratedGradients, {"baseline": "mean", "steps": 8})],
)
def test_a_map_per_stream_is_that_of_its_own_model_with_its_weight(fusion, streams, kind, options):
    x, valid = streams
    together = kind(fusion, inputs="b m t n c", graph=TREE, **options)(x, target=1, valid=valid)
    for name, weight in fusion.weights.items():
        alone = kind(fusion.models[name], **options)(x[name], target=1, valid=valid)
        np.testing.assert_allclose(together[name].values, weight * alone.values, rtol=1e-4, atol=1e-6)
    whole = stx.explainers.summed(together)
    np.testing.assert_allclose(whole.values, together["joint"].values + together["bone"].values, rtol=1e-6)
    assert "The sum of the maps of the streams joint, bone." in whole.notes


def test_what_cannot_be_fused(fusion, streams):
    with pytest.raises(InputError, match="weights: got"):
        stx.nn.Fusion({"joint": trained(0, "joint")}, {"bone": 1.0})
    with pytest.raises(InputError, match="models: got none"):
        stx.nn.Fusion({})
    with pytest.raises(InputError, match="expected 'bone' too"):
        fusion({"joint": streams[0]["joint"]})
