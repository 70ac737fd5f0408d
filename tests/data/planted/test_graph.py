import networkx as nx
import numpy as np
import pytest

import stexplain as stx
from stexplain.cards import GraphPart, dataset_card, model_card
from stexplain.data.planted.graph import BACKGROUND, event, generate, motifs, perform
from stexplain.data.readers.planted_graph import find, read
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, DataError, InputError
from tests.reference.scores import ranked_auroc

CARD = dataset_card("planted")
KINDS = [str(entry.id) for entry in CARD.classes]
GROUPS = {name: [CARD.graph.nodes.index(node) for node in nodes] for name, nodes in CARD.graph.groups.items()}


def oracle(x):
    """Which class signals [T, N, 3] show: no training, no knowledge of how they were made.

    Every window of each group's mean is compared with the shape of an event. The cause is where the product over the
    three channels is lowest: an odd number of them falls.
    """
    best, found = 0.0, None
    for nodes in GROUPS.values():
        signal = x[:, nodes].mean(axis=1)
        for length in range(8, 21, 3):
            shape = event(length) / np.square(event(length)).sum()
            heights = np.stack([shape @ signal[at : at + length] for at in range(len(signal) - length + 1)])
            products = heights.prod(axis=1)
            at = int(products.argmin())
            if products[at] < best:
                best, found = products[at], heights[at]
    falls = [name for name, height in zip("abc", found, strict=True) if height < 0]
    return "-".join(["fall", *falls])


@pytest.fixture(scope="module")
def made():
    return [(kind, perform(CARD, kind, fold, 1)) for kind in KINDS for fold in (1, 2, 3, 4, 5)]


def test_the_graph_is_the_one_that_the_card_names():
    graph = nx.connected_watts_strogatz_graph(40, 4, 0.1, seed=7)
    expected = {frozenset((f"s{a:02d}", f"s{b:02d}")) for a, b in graph.edges}
    assert {frozenset(edge) for edge in CARD.graph.edges} == expected
    groups = nx.community.greedy_modularity_communities(graph, cutoff=8, best_n=8)
    assert [sorted(int(node[1:]) for node in nodes) for nodes in CARD.graph.groups.values()] == [
        sorted(group) for group in groups
    ]


def test_recording_and_counterfactual_differ_in_the_planted_cells_alone(made):
    for kind, planted in made:
        differs = planted.x != planted.background
        np.testing.assert_array_equal(differs.any(axis=-1), planted.truth)
        assert tuple(np.flatnonzero(planted.truth.any(0))) in {tuple(sorted(nodes)) for nodes in GROUPS.values()}
        frames = np.flatnonzero(planted.truth.any(1))
        assert 8 <= len(frames) <= 20
        assert np.ptp(frames) == len(frames) - 1
        # One channel changes its direction, or all three do: two would leave the number that fall odd.
        assert differs.any((0, 1)).sum() in (1, 3)
        changed = (planted.x - planted.background)[planted.truth].mean(0)
        for channel in np.flatnonzero(differs.any((0, 1))):
            assert np.sign(changed[channel]) == motifs(CARD)[kind][channel]


def test_no_two_channels_tell_the_cause_from_the_background():
    signs, causes = BACKGROUND, np.array(list(motifs(CARD).values()))
    for kinds in (signs, causes):
        np.testing.assert_array_equal(kinds.mean(0), 0)
        np.testing.assert_array_equal(kinds.T @ kinds / len(kinds), np.eye(3))
    assert set(signs.prod(1)) == {1}
    assert set(causes.prod(1)) == {-1}


def test_the_oracle_reads_the_class_from_the_signals(made):
    assert np.mean([oracle(planted.x) == kind for kind, planted in made]) >= 0.9


def test_altering_planted_cells_changes_the_class_and_altering_others_does_not(made):
    other = perform(CARD, "fall-a", 5, 9).background
    seen = [(kind, planted) for kind, planted in made if oracle(planted.x) == kind]
    # Without a cause the oracle can only guess, one in four.
    assert np.mean([oracle(planted.background) == kind for kind, planted in seen]) < 0.5
    for kind, planted in seen:
        # All but the cause is of another recording.
        perturbed = np.where(planted.truth[..., None], planted.x, np.resize(other, planted.x.shape))
        assert oracle(perturbed) == kind


def test_causes_lie_anywhere():
    truths = [perform(CARD, kind, fold, n).truth for kind in KINDS for fold in range(1, 6) for n in range(1, 21)]
    acting = {int(np.flatnonzero(truth.any(0))[0]) for truth in truths}
    assert len(acting) == len(GROUPS)
    # By tenths of the recording: nowhere twice as often as elsewhere.
    often = np.mean([[part.any() for part in np.array_split(truth, 10)] for truth in truths], axis=0)
    assert often.min() > 0.55 * often.max()


def test_nothing_of_one_or_two_channels_tells_what_matters():
    found = []
    for planted in [perform(CARD, kind, fold, n) for kind in KINDS for fold in (1, 2, 3) for n in range(1, 11)]:
        x, step = planted.x, np.diff(planted.x, axis=0, prepend=planted.x[:1])
        measures = [np.linalg.norm(step, axis=-1), np.linalg.norm(x - x.mean(0), axis=-1), *np.moveaxis(x, -1, 0)]
        measures += [x[..., i] * x[..., j] for i, j in ((0, 1), (0, 2), (1, 2))]
        measures += [np.linalg.norm(np.diff(step, axis=0, append=step[-1:]), axis=-1), -x.prod(-1)]
        found.append([ranked_auroc(values, planted.truth) for values in measures])
    means = np.mean(found, axis=0)
    assert (np.abs(means[:-1] - 0.5) < 0.08).all()
    # All three together tell, at a single position.
    assert means[-1] > 0.8


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        generate(CARD, tmp_path / name, seed=seed, repetitions=1, progress=False)
    one, two, three = (
        {path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("one", "two", "three")
    )
    assert one == two
    assert one.keys() == three.keys()
    assert all(one[name] != three[name] for name in one if not name.endswith(".truth.npy"))


def test_recordings_go_through_the_store_with_their_truth(tmp_path):
    generate(CARD, tmp_path / "raw", repetitions=1, progress=False)
    prepare(CARD, tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    recipe = model_card("stgcn2").recipe("quick")
    parts = {
        part: stx.load_dataset("planted", tmp_path / "store", f"random/{part}")
        for part in ("train", "validation", "test")
    }
    assert {part: len(clips) for part, clips in parts.items()} == {"train": 12, "validation": 4, "test": 4}
    clip = parts["test"][0]
    written = np.load(tmp_path / "raw" / f"{clip.id}.npy")
    np.testing.assert_array_equal(clip.x[0], written)
    np.testing.assert_array_equal(clip.truth, np.load(tmp_path / "raw" / f"{clip.id}.truth.npy"))
    batch = parts["test"].with_recipe(recipe).batch(slice(None))
    assert tuple(batch.truth.shape) == (4, 1, recipe.frames, 40)
    assert batch.truth.any((1, 2, 3)).all()


def test_another_graph_and_other_classes_make_another_dataset():
    graph = GraphPart(
        nodes=["a", "b", "c"], edges=[("a", "b"), ("b", "c")], groups={"left": ["a"], "right": ["b", "c"]}
    )
    card = CARD.model_copy(update={"graph": graph, "classes": CARD.classes[:2]})
    made = [perform(card, "fall-b", fold) for fold in range(1, 6)]
    assert {planted.x.shape[1:] for planted in made} == {(3, 3)}
    assert {tuple(planted.truth.any(0)) for planted in made} == {(True, False, False), (False, True, True)}
    wrong = CARD.model_copy(update={"classes": [CARD.classes[0].model_copy(update={"id": "fall-a-b"})]})
    with pytest.raises(CardError, match="got 'fall-a-b'; expected some of fall-a-b-c, fall-a, fall-b, fall-c"):
        perform(wrong, "fall-a-b")
    with pytest.raises(CardError, match="axes.channels.*got 2; expected 3"):
        motifs(CARD.model_copy(update={"axes": CARD.axes.model_copy(update={"channels": ["a", "b"]})}))
    with pytest.raises(CardError, match="no groups; expected at least one"):
        perform(CARD.model_copy(update={"graph": CARD.graph.model_copy(update={"groups": {}})}), "fall-a")


def test_what_does_not_fit(tmp_path):
    with pytest.raises(InputError, match="unknown class 'fall-d'. Did you mean 'fall-"):
        perform(CARD, "fall-d")
    with pytest.raises(InputError, match="repetitions: got 0"):
        generate(CARD, tmp_path / "raw", repetitions=0, progress=False)
    np.save(tmp_path / "f1_r001_fall-a.npy", np.zeros((4, 40)))
    with pytest.raises(DataError, match=r"holds float64 \(4, 40\); expected numbers \[T, N, 3\]"):
        read(tmp_path / "f1_r001_fall-a.npy")
    np.save(tmp_path / "f1_r001_fall-a.npy", np.full((4, 40, 3), np.nan))
    with pytest.raises(DataError, match="frame 0: not finite"):
        read(tmp_path / "f1_r001_fall-a.npy")
    np.save(tmp_path / "odd.npy", np.zeros(1))
    np.save(tmp_path / "f2_r001_fall-z.npy", np.zeros(1))
    problems = {source.id: source.problem for source in find(tmp_path, CARD)}
    assert problems["f1_r001_fall-a"] == ""
    assert "is not of the form" in problems["odd"]
    assert "class 'fall-z' is not on the card" in problems["f2_r001_fall-z"]
