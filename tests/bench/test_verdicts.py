from dataclasses import replace

import pytest

from stexplain.bench.claims import briefs, judge, of_all
from stexplain.bench.shared.baseline_tests import too_few
from stexplain.bench.stage import RunResults
from stexplain.bench.stages.comparison import ComparisonStage
from stexplain.bench.stages.faithfulness import FaithfulnessStage
from stexplain.bench.stages.localisation import LocalisationStage
from tests.bench.page import score

AXES = ("nodes", "frames")


def paired(against, difference, p=0.0001):
    return {"against": against, "difference": difference, "p": p}


def located(differences, *, p=0.0001, classes=None, ours=0.8):
    """A result of the stage: by how much STG-Grad-CAM is better than each other explainer, alike on both axes."""
    methods = {"STGGradCAM": ours, **{name: ours - difference for name, difference in differences.items()}}
    return {
        "localisation": {name: {axis: {"auroc": score(value)} for axis in AXES} for name, value in methods.items()},
        "tests": {axis: [paired(name, value, p) for name, value in differences.items()] for axis in AXES},
        "by_class": {"STGGradCAM": classes or {}},
        "samples": 50,
    }


def run_of(stage, *results):
    """A run with a training per result."""
    trainings = [
        RunResults(f"run{seed}", {"stages": {stage: result}}, {}, "joint") for seed, result in enumerate(results)
    ]
    return replace(trainings[0], others=tuple(trainings[1:]))


def localisation_claims(*results):
    return list(LocalisationStage(LocalisationStage.Options()).claims(run_of("localisation", *results)))


BETTER = {"InputGradient": 0.1, "Motion": 0.2, "Displacement": 0.05, "Random": 0.3}


@pytest.mark.parametrize(
    ("changes", "verdict", "says"),
    [
        (
            {},
            "supported",
            "attribution over nodes, the strongest baseline explainer over nodes (displacement)",
        ),
        ({"InputGradient": -0.1}, "not supported", "worse than the plain gradient over nodes and the plain gradient"),
        (
            {"Displacement": -0.05},
            "not supported",
            "worse than the strongest baseline explainer over nodes (displac",
        ),
    ],
)
def test_localisation_is_supported_only_against_chance_controls_and_the_gradient(changes, verdict, says):
    ((text, judged),) = judge(localisation_claims(located(BETTER | changes)))
    assert judged == verdict
    assert says in text
    assert text.startswith("For this training, STG-Grad-CAM localises the ground truth")
    best = max(("Motion", "Displacement"), key=lambda name: 0.8 - (BETTER | changes)[name])
    gradient, baseline_explainer = (0.8 - (BETTER | changes)[name] for name in ("InputGradient", best))
    axis = f"STG-Grad-CAM 0.80, random 0.50, {best.lower()} {baseline_explainer:.2f}, input gradient {gradient:.2f}"
    assert f"(AUROC over nodes {axis}; over frames {axis}; 50 test samples)" in text


def test_localisation_that_is_no_more_than_chance_is_undecided():
    ((text, judged),) = judge(localisation_claims(located(BETTER, p=0.2)))
    assert judged == "inconclusive"
    assert "is not shown to localise the ground truth better than random attribution over nodes" in text
    assert "; worse" not in text


def test_a_claim_over_trainings_needs_them_to_agree():
    better = [located(dict.fromkeys(BETTER, 0.1 + 0.001 * seed)) for seed in range(5)]
    ((text, judged),) = judge(localisation_claims(*better))
    assert judged == "supported"
    assert text.startswith("Over 5 trainings, ")
    # Each training is sure, but they contradict each other.
    mixed = [located(dict.fromkeys(BETTER, difference)) for difference in (0.1, -0.08, 0.12, -0.1, 0.05)]
    ((text, judged),) = judge(localisation_claims(*mixed))
    assert judged == "inconclusive"


def test_one_line_of_several_trainings_has_their_means_as_the_sentence_has():
    trainings = [located(BETTER, ours=0.6, classes={"throw": {**score(0.9), "samples": 9}}), located(BETTER, ours=0.8)]
    (claim,) = localisation_claims(*trainings)
    ((text, _),) = judge([claim])
    assert "over nodes STG-Grad-CAM 0.70, random 0.40, displacement 0.65, input gradient 0.60" in text
    assert (
        claim.brief.number
        == "AUROC over nodes 0.70, Displacement 0.65; over frames 0.70, Displacement 0.65 (50 samples)"
    )
    card = LocalisationStage(LocalisationStage.Options()).summary([run_of("localisation", *trainings)])
    assert "Scores are of the first training of each run." in card.html
    card = LocalisationStage(LocalisationStage.Options()).summary([run_of("localisation", trainings[0])])
    assert "first training" not in card.html


def test_the_summary_names_the_classes_that_are_not_found_and_what_is_better():
    classes = {
        "throw": {**score(0.9), "samples": 9},
        "nod head": {**score(0.02), "samples": 8},
        "salute": {**score(0.53, 0.05), "samples": 8},
    }
    run = run_of("localisation", located(BETTER | {"InputGradient": -0.08}, classes=classes))
    card = LocalisationStage(LocalisationStage.Options()).summary([run])
    assert (
        "finds the ground-truth joints of 1 of 3 classes; not of nod head (AUROC 0.02) and salute (AUROC 0.53)."
        in card.html
    )
    assert "input gradient (0.880) has a higher AUROC over nodes than STG-Grad-CAM (0.800)." in card.html
    fine = run_of("localisation", located(BETTER, classes={"throw": classes["throw"]}))
    html = LocalisationStage(LocalisationStage.Options()).summary([fine]).html
    assert "of 1 of 1 classes." in html
    assert "higher" not in html


def masked(changes=None, p=0.0001, baseline="zero"):
    """A result of the stage: how much more accuracy the highlighted nodes cost than each other set."""
    differences = {"random": 0.3, "least": 0.4, "motion": 0.1, "gradient": 0.05} | (changes or {})
    return {baseline: [paired(name, value, p) for name, value in differences.items()]}


def judged_masking(*tests, baselines=("zero",)):
    results = [{"faithfulness": {}, "tests": of_training, "samples": 200} for of_training in tests]
    options = FaithfulnessStage.Options(nodes=1, values=[0.5], baselines=list(baselines))
    return judge(list(FaithfulnessStage(options).claims(run_of("faithfulness", *results))))


def test_highlighted_nodes_must_cost_more_than_all_that_they_are_compared_with():
    ((text, judged),) = judged_masking(masked())
    assert judged == "supported"
    assert text == (
        "For this training, masking the highlighted joints costs more accuracy than masking random nodes (zero: "
        "+0.300), the least important nodes (zero: +0.400), those of most motion energy (zero: +0.100) and those of "
        "the largest gradient (zero: +0.050) (mean difference of accuracy over the curve, 200 test samples)."
    )


def test_the_line_of_masking_has_its_unit_and_what_it_was_measured_on():
    result = {"faithfulness": {}, "tests": masked() | masked({"random": -0.2}, baseline="mean"), "samples": 200}
    stage = FaithfulnessStage(FaithfulnessStage.Options(nodes=1, values=[0.5], baselines=["zero", "mean"]))
    (claim,) = stage.claims(run_of("faithfulness", result))
    assert briefs([claim])[0]["number"] == "0.200 less accuracy than random nodes (baseline mean, 200 samples)"


@pytest.mark.parametrize(
    ("p_of_least", "says"),
    [
        # Both win: who reads the line looks for the one that wins by most, whichever is the clearer.
        (0.002, "0.300 less accuracy than the least important nodes"),
        # One wins: a larger difference that may be chance does not take its place.
        (0.4, "0.100 less accuracy than random nodes"),
    ],
)
def test_the_line_of_masking_names_what_wins_by_most(p_of_least, says):
    tests = masked({"random": -0.1, "least": -0.3})
    tests["zero"][1]["p"] = p_of_least
    stage = FaithfulnessStage(FaithfulnessStage.Options(nodes=1, values=[0.5], baselines=["zero"]))
    (claim,) = stage.claims(run_of("faithfulness", {"faithfulness": {}, "tests": tests, "samples": 200}))
    assert briefs([claim])[0]["number"] == f"{says} (baseline zero, 200 samples)"


def test_a_difference_that_rounds_to_zero_keeps_its_size():
    ((text, _),) = judged_masking(masked({"gradient": -0.00042}, p=0.4))
    assert "those of the largest gradient (zero: -0.00042)" in text
    assert "-0.000)" not in text


def test_a_set_of_nodes_is_named_once_with_all_of_its_baselines():
    ((text, judged),) = judged_masking(masked() | masked({"least": 0.2}, baseline="mean"), baselines=("zero", "mean"))
    assert judged == "supported"
    assert "the least important nodes (zero: +0.400, mean: +0.200)" in text
    assert text.count("random nodes") == 1
    mixed = masked() | masked({"random": -0.2}, baseline="mean")
    ((text, judged),) = judged_masking(mixed, baselines=("zero", "mean"))
    assert judged == "not supported"
    assert "costs more accuracy than masking random nodes (zero: +0.300)" in text
    assert "costs less than masking random nodes (mean: -0.200)" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"least": -0.05}, "costs less than masking the least important nodes (zero: -0.050)"),
        ({"gradient": -0.1}, "costs less than masking those of the largest gradient (zero: -0.100)"),
    ],
)
def test_what_the_highlighted_nodes_do_not_beat_is_said(changes, words):
    ((text, judged),) = judged_masking(masked(changes))
    assert judged == "not supported"
    assert words in text
    assert "costs more accuracy than masking random nodes" in text


def test_masking_without_a_clear_difference_is_undecided():
    ((text, judged),) = judged_masking(masked(p=0.3))
    assert judged == "inconclusive"
    assert "masking the highlighted joints is not shown to cost more than masking random nodes" in text


def test_one_baseline_that_disagrees_is_enough_to_be_not_supported():
    tests = masked() | masked({"random": -0.2}, baseline="mean")
    ((text, judged),) = judged_masking(tests, baselines=("zero", "mean"))
    assert judged == "not supported"
    assert "costs less than masking random nodes (mean: -0.200)" in text


def compared(**tests):
    rows = [
        {"method": name, "metric": "auroc, positions", "value": 0.5 + d} for name, d in {**tests, "Motion": 0.0}.items()
    ]
    return {"table": rows, "samples": 30, "paired": {name: [paired("Motion", d)] for name, d in tests.items()}}


@pytest.mark.parametrize(
    ("differences", "verdict", "says"),
    [
        ({"A": 0.1, "B": 0.2}, "supported", "2 of 2 methods localise the ground truth better than every"),
        ({"A": 0.1, "B": -0.2}, "not supported", " Better: A. Worse than a baseline explainer: B."),
        ({"A": -0.1, "B": -0.2}, "not supported", "Worse than a baseline explainer: A, B."),
    ],
)
def test_a_comparison_counts_the_methods_that_beat_the_best_control(differences, verdict, says):
    stage = ComparisonStage(ComparisonStage.Options(baselines=["Motion", "Random"]))
    ((text, judged),) = judge(list(stage.claims(run_of("comparison", compared(**differences)))))
    assert judged == verdict
    assert says in text
    best = max(differences, key=differences.get)
    value = 0.5 + differences[best]
    assert (
        f"(AUROC over positions: motion energy, the best of these, 0.50; {best}, the best method, {value:.2f}; 30"
        in text
    )


def test_results_without_tests_are_not_judged():
    assert localisation_claims({"localisation": None}) == []
    assert judged_masking({}) == []


def test_what_several_methods_support():
    assert of_all(["a"], [], []) == "supported"
    # What is not shown is no evidence against it.
    assert of_all([], ["b"], []) == "inconclusive"
    assert of_all([], ["b"], ["c"]) == "not supported"
    assert of_all(["a"], ["b"], []) == "inconclusive"
    # One counterexample is enough against a claim about all.
    assert of_all(["a"], [], ["c"]) == "not supported"


def test_of_a_handful_of_events_nothing_is_supported():
    assert too_few("It holds.", "supported", 10) == ("It holds.", "supported")
    text, judged = too_few("It holds.", "supported", 1)
    assert judged == "inconclusive"
    assert text == "It holds. Only 1 event was explained, too few to tell."


def test_a_clear_loss_on_a_handful_of_events_is_said():
    tests = [{"against": "chance", "difference": 0.1, "p": 0.5}]
    tests += [{"against": name, "difference": -0.4, "p": 0.125} for name in ("slowness", "the gradient")]
    text, judged = too_few("It is not shown.", "inconclusive", 4, tests)
    assert judged == "inconclusive"
    assert text.endswith("too few to tell: on these events it is ahead of chance, behind slowness and the gradient.")
