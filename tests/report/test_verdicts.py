import pytest

from stexplain.report import verdicts
from tests.report.page import score


def located(**auroc):
    """Method -> AUROC over nodes and over frames."""
    return {
        method: {"nodes": {"auroc": score(nodes)}, "frames": {"auroc": score(frames)}}
        for method, (nodes, frames) in auroc.items()
    }


def masked(highlighted, random, *, baseline="zero"):
    sets = {"highlighted": highlighted, "random": random}
    return {baseline: {k: {"masking": [0.5, 0.9], "accuracy": [score(0.9), score(v)]} for k, v in sets.items()}}


@pytest.mark.parametrize(
    ("ours", "motion", "holds", "says"),
    [
        ((0.90, 0.92), (0.82, 0.80), True, "is better than Motion"),
        ((0.70, 0.70), (0.82, 0.80), False, "is worse than Motion"),
        ((0.82, 0.82), (0.82, 0.80), None, "cannot be told from Motion"),
        ((0.90, 0.81), (0.82, 0.80), None, "is only in part better than Motion"),
        ((0.70, 0.81), (0.82, 0.80), None, "cannot be told from Motion"),
    ],
)
def test_a_control_is_beaten_only_beyond_the_intervals_on_every_axis(ours, motion, holds, says):
    (verdict,) = verdicts({"run": {"localisation": located(STGGradCAM=ours, Motion=motion)}})
    assert verdict["holds"] is holds
    assert says in verdict["text"]
    assert (
        f"which nodes {ours[0]:.2f} against {motion[0]:.2f}; when {ours[1]:.2f} against {motion[1]:.2f}"
        in verdict["text"]
    )


@pytest.mark.parametrize(("highlighted", "random", "holds"), [(0.4, 0.7, True), (0.7, 0.4, False), (0.7, 0.71, None)])
def test_masking_confirms_where_the_highlighted_cost_more(highlighted, random, holds):
    (verdict,) = verdicts({"run": {"faithfulness": masked(highlighted, random)}})
    assert verdict["holds"] is holds
    assert f"zero: {highlighted:.0%} against {random:.0%} at masking 0.9" in verdict["text"]


def test_baselines_that_disagree_leave_it_open():
    both = masked(0.4, 0.7) | masked(0.7, 0.4, baseline="mean")
    (verdict,) = verdicts({"run": {"faithfulness": both}})
    assert verdict["holds"] is None
    assert "for 1 of 2 baselines" in verdict["text"]


def test_runs_are_named_and_kept_apart():
    run = {"localisation": located(A=(0.9, 0.9), Motion=(0.5, 0.5), Random=(0.5, 0.5))}
    named = run | {"model_title": "STGCN-10", "protocol_title": "cross-subject"}
    texts = [verdict["text"] for verdict in verdicts({"one": run, "two": named})]
    assert [text.split(":")[0] for text in texts] == ["one", "one", *["STGCN-10, cross-subject"] * 2]


def test_scores_without_intervals_are_not_judged():
    bare = {"A": {"nodes": {"auroc": {"value": 0.9}}}, "Motion": {"nodes": {"auroc": {"value": 0.5}}}}
    assert verdicts({"run": {"localisation": bare, "faithfulness": {"zero": {}}}, "other": {}}) == []
