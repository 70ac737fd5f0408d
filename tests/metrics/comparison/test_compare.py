"""`compare`: methods on the same samples, in batches, with tests and what it is shown as; calls that do not fit."""

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from stexplain.cards import Recipe
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch, Sampling
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion, Random
from stexplain.graph import STGraph
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.permutation import corrected_p_values
from stexplain.metrics.comparison.scores import (
    AbsoluteAttribution,
    SampleMetric,
    localisation_score,
)
from stexplain.progress import Progress
from tests.explainers.our_models import batch as batch_of
from tests.explainers.our_models import small_model
from tests.metrics.comparison.planted_batches import constant, level, planted


def test_a_planted_difference_is_found_and_the_controls_are_told_apart():
    comparison = compare({"motion": Motion(), "random": Random()}, [localisation_score()], planted(), progress=False)
    table = comparison.to_frame().set_index("method")
    assert comparison.best("auroc, positions") == "motion"
    assert table.loc["motion", "low"] > table.loc["random", "high"]
    assert table.loc["random", "low"] < 0.5 < table.loc["random", "high"]
    (test,) = comparison.tests().to_dict("records")
    assert test["better"] == "motion"
    assert test["p_corrected"] < 0.01
    assert test["difference"] == pytest.approx(table.loc["motion", "value"] - table.loc["random", "value"])
    assert test["low"] > 0


def test_batches_one_by_one_give_what_one_batch_gives():
    batch = planted(23)
    parts = [batch[start : start + 5] for start in range(0, 23, 5)]
    options = {"metrics": [localisation_score("nodes")], "progress": False}
    whole = compare([Motion(), Random()], data=batch, **options)
    streamed = compare([Motion(), Random()], data=(part for part in parts), **options)
    assert streamed.ids == whole.ids
    for method in whole.methods:
        np.testing.assert_allclose(
            streamed.scores["auroc, nodes"][method], whole.scores["auroc, nodes"][method], rtol=1e-12
        )
    assert streamed.tests().equals(whole.tests())


def test_raw_samples_have_the_mask_of_what_the_recipe_makes_of_them():
    """One that is given is of the raw ones, which are of another length."""
    model, sampled = small_model(), batch_of(frames=13)
    model.recipe = Recipe(summary="short", epochs=1, batch=4, rate=0.1, frames=13, sampling="pad")
    raw = replace(batch_of(), sampling=Sampling(None, lambda _: sampled))
    found = compare([Motion(model)], [level], raw, valid=raw.valid, progress=False).scores["level"]["motion energy"]
    np.testing.assert_array_equal(found, level(Motion()(sampled), sampled))


def test_seconds_are_those_of_explaining_per_sample(monkeypatch):
    clock = iter(range(100))
    # Each look at it is a second later: a call takes one second.
    monkeypatch.setattr(
        "stexplain.metrics.comparison.compare.time", SimpleNamespace(perf_counter=lambda: float(next(clock)))
    )
    batch = planted(8)
    compared = compare([Motion(), Random()], [level], [batch[:2], batch[2:4], batch[4:]], progress=False)
    assert compared.seconds == {"motion energy": 3 / 8, "random": 3 / 8}


def test_clips_are_gone_through_in_batches():
    graph = STGraph.from_edges(list("abcde"), list(pairwise("abcde")))
    clips = Clips.from_arrays(planted(9).x.numpy(), np.zeros(9, int), graph=graph)
    sizes = []

    def size(e, batch):
        sizes.append(len(batch))
        return e.values.sum((1, 2, 3))

    comparison = compare([Motion(graph=graph)], [size], clips, batch=4, progress=False)
    assert sizes == [4, 4, 1]
    assert comparison.ids == tuple(clips.ids)
    assert comparison.metrics == ("size",)


def test_tests_are_those_of_scipy_corrected_by_hand():
    random = np.random.default_rng(0)
    scores = {name: random.normal(mean, 1, 9) for name, mean in (("a", 0.0), ("b", 1.0), ("c", 0.2))}
    explainers = {name: constant(values) for name, values in scores.items()}
    signed = SampleMetric("level", lambda _, e, batch: e.values.mean((1, 2, 3)))
    tests = compare(explainers, [signed], planted(9), progress=False).tests()
    assert list(zip(tests["method"], tests["against"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    expected = [
        stats.permutation_test(
            (scores[a], scores[b]), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        ).pvalue
        for a, b in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    np.testing.assert_allclose(tests["p"], expected)
    np.testing.assert_allclose(tests["p_corrected"], corrected_p_values(expected))


def test_absolute_attribution_drops_the_sign():
    values = np.array([-3.0, 2.0, -1.0])
    comparison = compare(
        {"signed": constant(values), "absolute": AbsoluteAttribution(constant(values))},
        {"level": level},
        planted(3),
        progress=False,
    )
    np.testing.assert_allclose(comparison.scores["level"]["signed"], [0, 2, 0])
    np.testing.assert_allclose(comparison.scores["level"]["absolute"], [3, 2, 1])


def test_it_is_shown_as_text_html_and_json():
    comparison = compare([Motion(), Random()], [localisation_score(), level], planted(6), progress=False)
    text = str(comparison)
    assert "2 methods on 6 samples" in text
    assert all(word in text for word in ("motion energy", "random", "auroc, positions ↑", "s / sample", "*"))
    assert "<table" in comparison._repr_html_()
    summary = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert summary["samples"] == 6
    assert [row["method"] for row in summary["table"]] == ["motion energy", "random"] * 2
    assert all(seconds > 0 for seconds in summary["seconds"].values())
    assert len(summary["tests"]) == 2


class Steps(Progress):
    """Keeps how many steps were announced, and how many were made."""

    made: list["Steps"] = []  # noqa: RUF012

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.made.append(self)


def test_as_many_steps_are_made_as_are_announced(monkeypatch):
    monkeypatch.setattr("stexplain.metrics.comparison.compare.Progress", Steps)
    graph = STGraph.from_edges(list("abcde"), list(pairwise("abcde")))
    clips = Clips.from_arrays(planted(9).x.numpy(), np.zeros(9, int), graph=graph)
    batch = planted(9)
    kinds = [clips, batch, [batch[:4], batch[4:]], (part for part in (batch[:4], batch[4:]))]
    for data in kinds:
        compare([Motion(graph=graph), Random(graph=graph)], [level], data, batch=4, progress=False)
    # Two methods, on 3 batches, 1, 2, and 2 of which the number is not known before.
    assert [(one.total, one.completed) for one in Steps.made] == [(6, 6), (2, 2), (4, 4), (None, 4)]


def test_the_same_seed_gives_the_same_numbers():
    options = {"metrics": [localisation_score()], "data": planted(30), "progress": False, "permutations": 500}
    first, again = (compare([Motion(), Random()], seed=3, **options).to_dict() for _ in range(2))
    del first["seconds"], again["seconds"]
    for summary in (first, again):
        for row in summary["table"]:
            del row["seconds"]
    assert first == again


@pytest.mark.parametrize(
    ("explainers", "metrics", "data", "message"),
    [
        ([], [level], planted(2), "explainers: got none"),
        ([Motion()], [], planted(2), "metrics: got none"),
        ([Motion(), Motion()], [level], planted(2), "got two named 'motion energy'"),
        ([Motion()], [level, level], planted(2), "got two named 'level'"),
        ([Motion()], {"level": 3}, planted(2), "got an int as 'level'; expected a SampleMetric"),
        ([Motion()], [level], [], "got no samples"),
        ([Motion()], [level], ["clips"], "got a str; expected a Batch"),
        ([Motion()], {"mean": lambda e, batch: e.values.mean()}, planted(2), "metric 'mean' has shape"),
        ([Motion()], [localisation_score()], Batch(*[getattr(planted(2), n) for n in ("x", "valid", "label", "ids")]),
         "expected ground truth"),
    ],
)  # fmt: skip
def test_what_does_not_fit(explainers, metrics, data, message):
    with pytest.raises(InputError, match=message):
        compare(explainers, metrics, data, progress=False)


def test_no_samples_at_a_time():
    with pytest.raises(InputError, match="batch: got 0; expected at least 1"):
        compare([Motion()], [level], planted(2), batch=0, progress=False)


def test_a_misspelt_name_is_refused():
    with pytest.raises(InputError, match="unknown over 'node'. Did you mean 'nodes'"):
        localisation_score("node")


def test_groups_of_the_data_are_taken_by_default():
    batch = replace(planted(), groups=tuple(f"subject {row % 4}" for row in range(20)))
    methods = [Motion(), Random()]
    by_data = compare(methods, [localisation_score()], batch, progress=False)
    assert by_data.groups == batch.groups
    # Four persons: no p is below 2 / 2^4, however many clips there are.
    assert by_data.tests()["p"].tolist() == [0.125]
    assert "4 groups of samples" in str(by_data)
    single = compare(methods, [localisation_score()], replace(batch, groups=()), progress=False)
    assert single.tests()["p"][0] < 0.01
    given = compare(methods, [localisation_score()], batch, groups=list(range(20)), progress=False)
    assert given.tests()["p"][0] == single.tests()["p"][0]
    with pytest.raises(InputError, match="groups"):
        compare(methods, [localisation_score()], batch, groups=[1, 2], progress=False)


def test_groups_of_some_of_the_samples_are_none():
    batch = planted()
    parts = [replace(batch[:8], groups=tuple("aabbccdd")), batch[8:]]
    comparison = compare([Motion(), Random()], [localisation_score()], parts, progress=False)
    assert comparison.groups == ()


def test_names_in_the_place_of_explainers_are_refused():
    for given in (["ExpectedFall", "Random"], {"ours": "ExpectedFall"}):
        with pytest.raises(InputError, match=r"got the text 'ExpectedFall'.* stexplain\.ExpectedFall\(model\)"):
            compare(given, [], planted())
