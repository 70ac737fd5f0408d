import networkx as nx
import numpy as np
import pytest

import stexplain as stx
from stexplain.cards import GraphPart, dataset_card, model_card
from stexplain.data.planted.graph import CYCLES, MOTIFS, event, generate, group_and_motif, perform
from stexplain.data.readers.planted_graph import find, read
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, DataError, InputError
from tests.reference import ranked_auroc

CARD = dataset_card("planted")
KINDS = [str(entry.id) for entry in CARD.classes]
GROUPS = {name: [CARD.graph.nodes.index(node) for node in nodes] for name, nodes in CARD.graph.groups.items()}


def oracle(x):
    """Which class signals [T, N, 3] show, or none: no training, no knowledge of how they were made.

    Every window of each group's mean, in its strongest channel, is compared with the three shapes of an event.
    """
    best, found = 0.0, None
    for name in sorted({group_and_motif(CARD, kind)[0] for kind in KINDS}):
        signal = x[:, GROUPS[name]].mean(axis=1)
        signal = signal[:, np.argmax(signal.std(axis=0))]
        for length in range(14, 18):
            for start in range(1, len(signal) - length):
                window = signal[start - 1 : start + length + 1]
                left = {kind: unexplained(window, event(length, kind)) for kind in CYCLES}
                motif = min(left, key=left.get)
                gain = left["swell"] - left[motif]
                if motif != "swell" and left[motif] < 0.5 and gain > best:
                    best, found = gain, f"{name}-{motif}"
    return found


def unexplained(window, shape):
    """The share of a window's variance that a shape between two zeros does not explain; 1 where nothing happens."""
    shape = np.concatenate([[0], shape, [0]])
    shape, window = shape - shape.mean(), window - window.mean()
    power = window @ window
    return 1 - max(window @ shape, 0) ** 2 / (power * (shape @ shape)) if power > 0.25 else 1.0


@pytest.fixture(scope="module")
def made():
    return [(kind, perform(CARD, kind, fold, 1)) for kind in KINDS for fold in (1, 2, 3)]


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
        assert not (planted.x != planted.background)[~planted.truth].any()
        differs = (planted.x != planted.background).any(axis=-1)
        assert differs[planted.truth].mean() > 0.8  # two shapes cross here and there
        assert set(np.flatnonzero(planted.truth.any(0))) == set(GROUPS[group_and_motif(CARD, kind)[0]])
        frames = np.flatnonzero(planted.truth.any(1))
        assert 6 <= len(frames) <= 15
        assert np.ptp(frames) == len(frames) - 1


def test_the_oracle_reads_the_class_from_the_signals(made):
    assert np.mean([oracle(planted.x) == kind for kind, planted in made]) >= 0.9


def test_altering_planted_cells_changes_the_class_and_altering_others_does_not(made):
    other = perform(CARD, "B-double", 5, 9).background
    seen = [(kind, planted) for kind, planted in made if oracle(planted.x) == kind]
    for kind, planted in seen:
        assert oracle(planted.background) != kind
    unchanged = 0
    for kind, planted in seen:
        # All other groups are of another recording, and what the group does before and after is half as high.
        perturbed = np.resize(other, planted.x.shape)
        acting = GROUPS[group_and_motif(CARD, kind)[0]]
        perturbed[:, acting] = planted.x[:, acting] * np.where(planted.truth[:, acting, None], 1, 0.5)
        unchanged += oracle(perturbed) == kind
    assert unchanged / len(seen) >= 0.85


def test_what_moves_does_not_tell_what_matters(made):
    areas, energies = [], []
    for _, planted in made:
        step = np.linalg.norm(np.diff(planted.x, axis=0), axis=-1)
        motion = np.zeros(planted.truth.shape)
        motion[1:] += step
        motion[:-1] += step
        areas.append(ranked_auroc(motion, planted.truth))
        energies.append(ranked_auroc(np.linalg.norm(planted.x - planted.x.mean(0), axis=-1), planted.truth))
    assert 0.4 < np.mean(areas) < 0.6  # what Motion gives
    assert np.mean(energies) < 0.55


@pytest.mark.parametrize("kind", CYCLES)
@pytest.mark.parametrize("length", [14, 15, 16, 17])
def test_every_event_travels_as_far(kind, length):
    values = np.concatenate([[0.0], event(length, kind), [0.0]])
    assert np.abs(np.diff(values)).sum() == pytest.approx(2)
    assert (values >= 0).all()
    peaks = ((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])).sum()
    assert peaks == CYCLES[kind]


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
    assert {part: len(clips) for part, clips in parts.items()} == {"train": 18, "validation": 6, "test": 6}
    clip = parts["test"][0]
    written = np.load(tmp_path / "raw" / f"{clip.id}.npy")
    np.testing.assert_array_equal(clip.x[0], written)
    np.testing.assert_array_equal(clip.truth, np.load(tmp_path / "raw" / f"{clip.id}.truth.npy"))
    batch = parts["test"].with_recipe(recipe).batch(slice(None))
    assert tuple(batch.truth.shape) == (6, 1, recipe.frames, 40)
    assert batch.truth.any((1, 2, 3)).all()


def test_another_graph_and_other_classes_make_another_dataset():
    graph = GraphPart(
        nodes=["a", "b", "c"], edges=[("a", "b"), ("b", "c")], groups={"left": ["a"], "right": ["b", "c"]}
    )
    classes = [CARD.classes[0].model_copy(update={"id": f"right-{motif}", "name": motif}) for motif in MOTIFS]
    card = CARD.model_copy(update={"graph": graph, "classes": classes})
    planted = perform(card, "right-flutter")
    assert planted.x.shape[1:] == (3, 3)
    assert not planted.truth[:, 0].any()
    wrong = CARD.model_copy(update={"classes": [CARD.classes[0].model_copy(update={"id": "Z-double"})]})
    with pytest.raises(CardError, match="'Z-double'.*not GROUP-MOTIF"):
        perform(wrong, "Z-double")


def test_what_does_not_fit(tmp_path):
    with pytest.raises(InputError, match="unknown class 'B-doubel'. Did you mean 'B-double'"):
        perform(CARD, "B-doubel")
    with pytest.raises(InputError, match="repetitions: got 0"):
        generate(CARD, tmp_path / "raw", repetitions=0, progress=False)
    np.save(tmp_path / "f1_r001_B-double.npy", np.zeros((4, 40)))
    with pytest.raises(DataError, match=r"holds float64 \(4, 40\); expected numbers \[T, N, 3\]"):
        read(tmp_path / "f1_r001_B-double.npy")
    np.save(tmp_path / "f1_r001_B-double.npy", np.full((4, 40, 3), np.nan))
    with pytest.raises(DataError, match="frame 0: not finite"):
        read(tmp_path / "f1_r001_B-double.npy")
    np.save(tmp_path / "odd.npy", np.zeros(1))
    np.save(tmp_path / "f2_r001_B-triple.npy", np.zeros(1))
    problems = {source.id: source.problem for source in find(tmp_path, CARD)}
    assert problems["f1_r001_B-double"] == ""
    assert "is not of the form" in problems["odd"]
    assert "class 'B-triple' is not on the card" in problems["f2_r001_B-triple"]
