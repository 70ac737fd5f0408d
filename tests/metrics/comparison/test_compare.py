import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from stexplain.cards import Augment, model_card
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.permutation import corrected_p_values
from stexplain.metrics.comparison.scores import (
    AbsoluteAttribution,
    SampleMetric,
    complexity_score,
    deletion_score,
    fidelity_score,
    localisation_score,
    sensitivity_score,
)
from stexplain.metrics.complexity import complexity
from stexplain.metrics.deletion import deletion_curve
from stexplain.metrics.robustness import sensitivity_max
from stexplain.nn.stgcn import STGCN
from stexplain.progress import Progress


def planted(samples=20, seed=0):
    """One node of five moves for a while, and the truth says which and when."""
    random = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(samples, 1, 12, 5, 3, generator=random)
    truth = torch.zeros(samples, 1, 12, 5, dtype=torch.bool)
    for row in range(samples):
        truth[row, 0, 3:8, row % 5] = True
    x = x + truth[..., None] * torch.randn(x.shape, generator=random)
    ids = tuple(f"s{row}" for row in range(samples))
    return Batch(x, torch.ones(samples, 1, 12, dtype=torch.bool), torch.zeros(samples, dtype=torch.int64), ids, truth)


def constant(values, name="given"):
    """An explainer that gives the same importance to every position of a sample: values [n]."""

    def explain(batch, *, target):
        rows = [int(name.removeprefix("s")) for name in batch.ids]
        maps = np.zeros(batch.x.shape[:-1], np.float32) + np.asarray(values)[rows, None, None, None]
        return Explanation(maps, batch.valid.numpy(), method=name, ids=batch.ids)

    return explain


def level(e, batch):
    return e.importance.mean((1, 2, 3))


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
        ([Motion()], {"level": 3}, planted(2), "got a int as 'level'; expected a SampleMetric"),
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


class Peak(nn.Module):
    """Says how high the first channel of node 2 is at frame 4, against nothing."""

    inputs = "b m t n c"

    def forward(self, x):
        score = 5 * x[:, 0, 4, 2, 0]
        return torch.stack([score, 0 * score], dim=1)


def pointed(frame, node):
    def explain(batch, *, target):
        values = np.zeros(batch.x.shape[:-1], np.float32)
        values[:, :, frame, node] = 1
        return Explanation(values, batch.valid.numpy(), method=f"{frame},{node}", ids=batch.ids)

    return explain


def test_every_ready_made_metric_tells_the_true_cell_from_another():
    batch = planted(12)
    batch.x[..., 0] = batch.x[..., 0].abs() + 0.1
    model = Peak()
    metrics = [
        deletion_score(model, steps=4, baseline="zero"),
        deletion_score(model, kind="insertion", steps=4, baseline="zero"),
        fidelity_score(model, share=[0.1], baseline="zero"),
        fidelity_score(model, "minus", share=[0.1], baseline="zero"),
    ]
    comparison = compare({"right": pointed(4, 2), "wrong": pointed(9, 0)}, metrics, batch, progress=False)
    assert [comparison.best(metric) for metric in comparison.metrics] == ["right"] * 4
    assert set(comparison.tests()["better"]) == {"right"}
    curve = deletion_curve(model, batch, pointed(4, 2)(batch, target=None), steps=4, baseline="zero")
    np.testing.assert_allclose(comparison.scores["deletion gain"]["right"], curve.areas("gain"))
    # A target of its own is kept, whatever is explained: class 1 has the score 0 under any masking.
    own = deletion_score(model, target=Class(1), steps=4, baseline="zero")
    other = compare({"right": pointed(4, 2)}, [own], batch, target=Class(0), progress=False)
    assert not other.scores["deletion gain"]["right"].any()


class Sum(nn.Module):
    """x ``[B, N, T]`` to one score: 3 times what node 2 holds, and node 0."""

    def forward(self, x):
        return 3 * x[:, 2].sum(1) + x[:, 0].sum(1)


@pytest.mark.parametrize("models", [1, 2])
def test_a_baseline_explainer_is_scored_by_the_model_as_the_others_call_it(models):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(4, 1, 6, 3, 1, generator=random)
    batch = Batch(x, torch.ones(4, 1, 6, dtype=torch.bool), torch.zeros(4, dtype=torch.int64), tuple("abcd"))
    options = {"steps": 3, "repeats": 1, "over": "nodes", "baseline": "zero"}
    model, motion = Sum(), Motion()
    # Only they know how the model's input is laid out.
    others = {f"gradient {index}": InputGradient(model, inputs="b n t") for index in range(models)}
    compared = compare({"motion": motion, **others}, [deletion_score(model, **options)], batch, progress=False)
    curve = deletion_curve(model, batch, motion(batch), inputs="b n t", **options)
    np.testing.assert_allclose(compared.scores["deletion gain"]["motion"], curve.areas("gain"), rtol=1e-6)
    assert curve.areas("gain").any()


def test_a_tensor_is_laid_out_as_the_explainers_say():
    model, x = Sum(), torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    explain = {name: InputGradient(model, inputs="b n t") for name in ("one", "two")}
    compared = compare(explain, [level], x, progress=False)
    # Of the sum, node 2 has the gradient 3 and node 0 the gradient 1, at each of 5 frames of 4 nodes.
    assert compared.scores["level"]["one"].tolist() == compared.scores["level"]["two"].tolist() == [1.0] * 3
    other = {**explain, "other": InputGradient(model, inputs="b t n")}
    with pytest.raises(InputError, match="laid out as 'b n t' and 'b t n'; expected one layout"):
        compare(other, [level], x, progress=False)


def test_a_misspelt_name_is_refused():
    with pytest.raises(InputError, match="unknown over 'node'. Did you mean 'nodes'"):
        localisation_score("node")


def test_complexity_and_sensitivity_are_those_of_their_functions():
    batch = planted(5)
    comparison = compare([Motion()], [complexity_score("entropy"), sensitivity_score(draws=2)], batch, progress=False)
    e = Motion()(batch)
    np.testing.assert_allclose(
        comparison.scores["entropy"]["motion energy"], complexity(e.importance, e.valid).scores["entropy"]
    )
    expected = sensitivity_max(Motion(), batch, draws=2).maximum
    np.testing.assert_allclose(comparison.scores["sensitivity"]["motion energy"], expected)
    assert not any(comparison.higher_is_better.values())
    with pytest.raises(InputError, match="expected an Explainer"):
        compare({"f": pointed(1, 1)}, [sensitivity_score()], batch, progress=False)
    with pytest.raises(InputError, match="unknown side 'pluss'. Did you mean 'plus'"):
        fidelity_score(Peak(), "pluss")


def test_samples_as_recorded_are_scored_as_the_model_sees_them():
    random = np.random.default_rng(0)
    graph = STGraph.from_edges(list("abcde"), [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], center="c")
    clips = Clips.from_arrays([random.normal(size=(1, frames, 5, 3)) for frames in (11, 14, 9)], graph=graph)
    recipe = model_card("stgcn7").recipe("quick").model_copy(update={"frames": 8, "align": None, "augment": Augment()})
    torch.manual_seed(0)
    model = STGCN(graph, classes=3, channels=(4, 6), strides=(1, 2))
    object.__setattr__(model, "recipe", recipe)

    def frames(e, batch):
        assert e.values.shape == batch.x.shape[:-1]
        return np.full(len(batch), batch.x.shape[2])

    explainers = [STGGradCAM(model), Motion(model), AbsoluteAttribution(InputGradient(model))]
    comparison = compare(dict(zip("abc", explainers, strict=True)), [frames], clips, progress=False)
    assert comparison.to_frame()["value"].tolist() == [8.0, 8.0, 8.0]
    same = compare([STGGradCAM(model)], [frames], clips.with_recipe(recipe), progress=False)
    assert same.to_frame()["value"].tolist() == [8.0]


def test_intervals_keep_to_what_a_score_can_be():
    scores = ["auroc", "average_precision", "pointing", "information", "entropy"]
    metrics = [localisation_score("positions", score) for score in scores]
    table = compare([Motion(), Random()], metrics, planted(5), progress=False).to_frame()
    bounded = table[table["metric"].str.contains("auroc|precision|pointing")]
    assert ((bounded["low"] >= 0) & (bounded["high"] <= 1)).all()
    # These have no largest value, and are not cut.
    assert table[table["metric"].str.contains("information")]["high"].max() > 1


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


def test_a_baseline_explainer_of_another_layout_takes_what_the_models_take():
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    explain = {"motion": Motion(), "gradient": InputGradient(Sum(), inputs="b n t")}
    compared = compare(explain, [level], x, progress=False)
    assert compared.scores["level"]["gradient"].tolist() == [1.0] * 3
    laid_out = Batch(x.mT[:, None, :, :, None], torch.ones(3, 1, 5, dtype=torch.bool), torch.zeros(3), tuple("abc"))
    np.testing.assert_allclose(compared.scores["level"]["motion"], level(Motion()(laid_out), laid_out))
