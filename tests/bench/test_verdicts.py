import pytest

from stexplain.bench.stage import RunResults
from stexplain.bench.stages.faithfulness import FaithfulnessStage
from stexplain.bench.stages.localisation import LocalisationStage
from stexplain.bench.verdicts import of_all, outcome, too_few
from tests.bench.page import score


def located(**auroc):
    """Method -> AUROC over nodes and over frames."""
    return {
        method: {"nodes": {"auroc": score(nodes)}, "frames": {"auroc": score(frames)}}
        for method, (nodes, frames) in auroc.items()
    }


def masked(highlighted, random, *, baseline="zero"):
    sets = {"highlighted": highlighted, "random": random}
    return {baseline: {k: {"masking": [0.5, 0.9], "accuracy": [score(0.9), score(v)]} for k, v in sets.items()}}


def judged_localisation(found):
    run = RunResults("run", {"stages": {"localisation": {"localisation": found}}}, {})
    return list(LocalisationStage(LocalisationStage.Options()).verdicts(run))


def judged_masking(found):
    run = RunResults("run", {"stages": {"faithfulness": {"faithfulness": found}}}, {})
    options = FaithfulnessStage.Options(nodes=1, values=[0.5], baselines=["zero"])
    return list(FaithfulnessStage(options).verdicts(run))


@pytest.mark.parametrize(
    ("ours", "motion", "verdict", "says"),
    [
        ((0.90, 0.92), (0.82, 0.80), "supported", "more accurately than the motion-energy baseline"),
        ((0.70, 0.70), (0.82, 0.80), "not supported", "less accurately than the motion-energy baseline"),
        ((0.82, 0.82), (0.82, 0.80), "inconclusive", "not clearly more accurately than the motion-energy baseline"),
        ((0.90, 0.81), (0.82, 0.80), "inconclusive", "more accurately than the motion-energy baseline in part only"),
        ((0.70, 0.81), (0.82, 0.80), "inconclusive", "not clearly more accurately than the motion-energy baseline"),
    ],
)
def test_a_baseline_explainer_is_beaten_only_beyond_the_intervals_on_every_axis(ours, motion, verdict, says):
    ((text, judged),) = judged_localisation(located(STGGradCAM=ours, Motion=motion))
    assert judged == verdict
    assert says in text
    assert (
        f"over nodes {ours[0]:.2f} against {motion[0]:.2f}; over frames {ours[1]:.2f} against {motion[1]:.2f}" in text
    )


@pytest.mark.parametrize(
    ("highlighted", "random", "verdict"),
    [(0.4, 0.7, "supported"), (0.7, 0.4, "not supported"), (0.7, 0.71, "inconclusive")],
)
def test_masking_supports_where_the_highlighted_cost_more(highlighted, random, verdict):
    ((text, judged),) = judged_masking(masked(highlighted, random))
    assert judged == verdict
    assert f"zero: {highlighted:.0%} against {random:.0%} at m = 0.9" in text


def test_baselines_that_disagree_leave_it_inconclusive():
    ((text, judged),) = judged_masking(masked(0.4, 0.7) | masked(0.7, 0.4, baseline="mean"))
    assert judged == "inconclusive"
    assert "for 1 of 2 baselines only" in text


def test_scores_without_intervals_are_not_judged():
    bare = {"STGGradCAM": {"nodes": {"auroc": {"value": 0.9}}}, "Motion": {"nodes": {"auroc": {"value": 0.5}}}}
    assert judged_localisation(bare) == []
    assert judged_localisation(None) == []
    assert judged_masking({"zero": {}}) == []


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [([1, 1], "supported"), ([1, -1], "inconclusive"), ([0], "inconclusive"), ([-1], "not supported")],
)
def test_what_signs_support(signs, verdict):
    assert outcome(signs) == verdict


def test_what_several_methods_support():
    assert of_all(["a"], []) == "supported"
    assert of_all([], ["b"]) == "not supported"
    assert of_all(["a"], ["b"]) == "inconclusive"


def test_of_a_handful_of_events_nothing_is_supported():
    assert too_few("It holds.", "supported", 10) == ("It holds.", "supported")
    text, judged = too_few("It holds.", "supported", 1)
    assert judged == "inconclusive"
    assert text == "It holds. Only 1 event was explained, too few to tell."
