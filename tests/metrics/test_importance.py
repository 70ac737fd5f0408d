import pickle
from dataclasses import replace

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.metrics import ClassImportance, contrastivity

CLASSES, NODES = ["throw", "kick", "clap"], ["hip", "knee", "hand", "head"]


def explanations(samples=30, seed=0):
    random = np.random.default_rng(seed)
    valid = random.random((samples, 2, 6)) > 0.3
    values = random.normal(size=(samples, 2, 6, 4)) * valid[..., None]
    labels = random.integers(0, 2, samples)
    targets = np.where(random.random(samples) < 0.8, labels, 2)
    ids = tuple(f"clip {seed} {row}" for row in range(samples))
    positions = random.normal(size=(samples, 2, 3, 4))
    return Explanation(values, valid, tuple(NODES), targets=targets, ids=ids, layer_values=positions, stride=2), labels


def filled(*parts, **options):
    importance = ClassImportance(CLASSES, NODES, **options)
    for e, labels in parts:
        importance.update(e, labels)
    return importance


def test_eq_6_by_loops():
    e, labels = explanations()
    importance = filled((e, labels))
    for number in (0, 1):
        rows = [row for row in range(30) if labels[row] == number == e.targets[row]]
        means = []
        for row in rows:
            positions = [np.maximum(e.values[row, m, t], 0) for m in range(2) for t in range(6) if e.valid[row, m, t]]
            means.append(np.mean(positions, axis=0))
        assert np.allclose(importance.psi[number], np.mean(means, axis=0))
        assert importance.counts[number] == len(rows)
    assert np.isnan(importance.psi[2]).all()
    assert list(importance.to_frame().index) == CLASSES


def test_parts_merge_to_the_whole_in_any_order():
    (one, first), (two, second) = explanations(seed=0), explanations(seed=1)
    whole = filled((joined([one, two]), np.concatenate([first, second])))
    merged = filled((two[10:], second[10:]))
    merged.merge(pickle.loads(pickle.dumps(filled((one, first), (two[:10], second[:10])))))
    assert np.array_equal(merged.counts, whole.counts)
    assert np.allclose(merged.psi, whole.psi, rtol=1e-12, equal_nan=True)
    assert np.allclose(merged.draws, whole.draws, rtol=1e-12, equal_nan=True)
    assert np.allclose(merged.interval(), whole.interval(), rtol=1e-12, equal_nan=True)
    kept = ClassImportance(CLASSES, NODES)
    kept.add_arrays(filled((two, second)).arrays())
    kept.add_arrays(filled((one, first)).arrays())
    assert np.allclose(kept.interval(), whole.interval(), rtol=1e-12, equal_nan=True)
    assert kept.interval(contrastivity) == pytest.approx(whole.interval(contrastivity), rel=1e-12)


def test_intervals_are_as_wide_as_theory_says():
    random = np.random.default_rng(0)
    values = np.abs(random.normal(size=(400, 1, 1, 1)))
    e = Explanation(values, np.ones((400, 1, 1), bool), ids=tuple(f"{row}" for row in range(400)))
    importance = ClassImportance(["all"], ["0"], resamples=2000)
    importance.update(e, np.zeros(400, int), np.ones(400, bool))
    low, high = importance.interval()[:, 0, 0]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert low < values.mean() < high


def test_interval_of_a_number_made_of_psi():
    importance = filled(explanations(200))
    estimate = importance.interval(contrastivity)
    assert estimate.value == contrastivity(importance.psi)
    assert estimate.low < estimate.high
    with pytest.raises(InputError, match="resamples"):
        filled(explanations(), resamples=0).interval()


def test_seeded():
    e = explanations()
    assert np.array_equal(filled(e, seed=3).draws, filled(e, seed=3).draws, equal_nan=True)
    assert not np.array_equal(filled(e, seed=3).draws, filled(e, seed=4).draws, equal_nan=True)


def test_display_is_a_view_of_its_own():
    importance = filled(explanations())
    shown = importance.display()
    assert shown.loc["throw"].min() == 0
    assert shown.loc["throw"].max() == 1
    assert shown.loc["clap"].isna().all()
    assert importance.to_frame().loc["throw"].min() > 0


def test_parity_keeps_the_first_instance_and_the_cells_within_the_clip():
    e, labels = explanations()
    valid = np.zeros((30, 2, 6), bool)
    frames = np.random.default_rng(0).integers(1, 7, 30)
    for row, count in enumerate(frames):
        valid[row, 0, :count] = True
    e = Explanation(e.values, valid, e.node_names, targets=e.targets, ids=e.ids, layer_values=e.layer_values, stride=2)
    importance = filled((e, labels), parity="das2022")
    rows = [row for row in range(30) if labels[row] == 0 == e.targets[row]]
    expected = [np.maximum(e.layer_values[row, 0, : -(-3 * frames[row] // 6)], 0).mean(axis=0) for row in rows]
    assert np.allclose(importance.psi[0], np.mean(expected, axis=0))


def test_controls_need_to_be_told_what_is_correct():
    e, labels = explanations()
    baseline_explainer = Explanation(e.values, e.valid, e.node_names, ids=e.ids)
    importance = ClassImportance(CLASSES, NODES)
    with pytest.raises(InputError, match="Give `correct`"):
        importance.update(baseline_explainer, labels)
    importance.update(baseline_explainer, labels, e.targets == labels)
    assert np.allclose(importance.psi, filled((e, labels)).psi, equal_nan=True)


def test_wrong_use():
    e, labels = explanations()
    with pytest.raises(InputError, match="not their label"):
        ClassImportance(CLASSES, NODES).update(e, labels, np.ones(30, bool))
    # The first class counts as a class, too.
    first = replace(e, targets=np.zeros(30, int))
    with pytest.raises(InputError, match="got 30 correct samples explained for a class that is not their label"):
        ClassImportance(CLASSES, NODES).update(first, np.ones(30, int), np.ones(30, bool))
    with pytest.raises(InputError, match="labels: got class 2 at sample .*; expected 0 to 1"):
        ClassImportance(CLASSES[:2], NODES).update(e, labels + 1)
    with pytest.raises(InputError, match="got 4 nodes; expected 3"):
        ClassImportance(CLASSES, NODES[:3]).update(e, labels)
    with pytest.raises(InputError, match="b=30"):
        ClassImportance(CLASSES, NODES).update(e, labels[:3])
    with pytest.raises(InputError, match="got 'das2022' for an explanation without a layer's values"):
        filled((replace(e, layer_values=None), labels), parity="das2022")
    for name, match in (
        ("sums", r"arrays\['sums'\]: got shape \(2, 4\); expected \(3, 4\)"),
        ("units", "units has shape"),
    ):
        arrays = filled((e, labels)).arrays()
        with pytest.raises(InputError, match=match):
            ClassImportance(CLASSES, NODES).add_arrays({**arrays, name: arrays[name][:-1]})
    whole, arrays = filled((e, labels)), filled((e, labels)).arrays()
    before = {name: values.copy() for name, values in whole.arrays().items()}
    for wrong in ({**arrays, "resampled_sums": arrays["sums"]}, {"counts": arrays["counts"]}):
        with pytest.raises(InputError, match="arrays"):
            whole.add_arrays(wrong)
    assert all(np.array_equal(values, before[name]) for name, values in whole.arrays().items()), "nothing was added"
    with pytest.raises(InputError, match="different seed"):
        ClassImportance(CLASSES, NODES).merge(ClassImportance(CLASSES, NODES, seed=1))


def drawn(random, mean, samples, groups=None):
    """Importance of `samples` clips of every class, around the mean of their class ``[classes, N]``."""
    labels = np.repeat(np.arange(len(mean)), samples)
    values = mean[labels] * random.gamma(4, 0.25, (len(labels), mean.shape[1]))
    if groups is not None:
        values = values * random.gamma(8, 0.125, (groups.max() + 1, mean.shape[1]))[groups]
    ids = tuple(f"{random.random()} {row}" for row in range(len(labels)))
    e = Explanation(values[:, None, None], np.ones((len(labels), 1, 1), bool), ids=ids)
    found = ClassImportance([str(k) for k in range(len(mean))], [str(n) for n in range(mean.shape[1])])
    found.update(e, labels, np.ones(len(labels), bool), groups=groups)
    return found


@pytest.mark.parametrize("grouped", [False, True], ids=["single", "grouped"])
def test_intervals_hold_the_truth_as_often_as_promised(grouped):
    random = np.random.default_rng(4)
    mean = 0.3 + np.abs(random.normal(size=(5, 8)))
    # Twelve persons, each once or twice in every class.
    groups = np.tile(np.arange(20) % 12, 5) if grouped else None
    psi, number = [], []
    for _ in range(120):
        found = drawn(random, mean, 20, groups)
        low, high = found.interval()
        psi.append(((low <= mean) & (mean <= high)).mean())
        estimate = found.interval(contrastivity)
        number.append(estimate.low <= contrastivity(mean) <= estimate.high)
    assert 0.925 <= np.mean(psi) <= 0.98
    # Of 120: 0.95 less two and a half standard deviations.
    assert np.mean(number) >= 0.9


def test_what_is_said_of_classes_of_few_samples():
    mean = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])
    found = drawn(np.random.default_rng(0), mean, 4)
    assert np.isnan(found.interval()).all()
    assert found.interval(contrastivity).reason == "a class has too few samples: 4"
    # Many samples of few persons are as few.
    family = drawn(np.random.default_rng(0), mean, 20, np.arange(40) % 3)
    assert np.isnan(family.interval()).all()
    assert family.interval(contrastivity).reason == "a class has too few groups: 3"
    assert np.isfinite(drawn(np.random.default_rng(0), mean, 5).interval()).all()
