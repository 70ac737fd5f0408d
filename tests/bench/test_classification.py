import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench.run import Run
from stexplain.bench.stages import faithfulness as faithfulness_stage
from stexplain.bench.stages.class_importance import ClassImportanceStage
from stexplain.bench.stages.faithfulness import FaithfulnessStage
from stexplain.bench.stages.train import TrainStage
from stexplain.bench.summary import print_summary
from stexplain.cards import dataset_card, model_card
from stexplain.errors import CardError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.files import read_json
from stexplain.metrics.faithfulness import faithfulness
from stexplain.metrics.masking_curves import curves_of_importances
from tests.bench.small_experiment import write_cards, write_recordings


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    root = tmp_path_factory.mktemp("cards")
    write_cards(root)
    patch = pytest.MonkeyPatch()
    patch.setenv("STEXPLAIN_CARDS", str(root))
    yield root
    patch.undo()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("data") / "raw")


@pytest.fixture(scope="module")
def finished(cards, raw, tmp_path_factory):
    return stx.bench("wave", data=raw, out=tmp_path_factory.mktemp("runs") / "wave", progress=False)


def numbers(folder):
    """What must not depend on when or where a run ran."""
    results = read_json(folder / "results.json")
    return {key: results[key] for key in ("runs", "verdicts")}


def stages_of(folder):
    return read_json(folder / "results.json")["runs"]["xview/small"]["stages"]


def assert_sized(folder):
    """Every verdict says, in its sentence and in its line, what it was measured on."""
    verdicts = read_json(folder / "results.json")["verdicts"]
    assert verdicts
    for verdict in verdicts:
        for said in (verdict["text"], verdict["number"]):
            assert re.search(r"\d (test )?(samples|events|windows)\b", said), said


def test_every_verdict_says_what_it_was_measured_on(finished):
    assert_sized(finished)


def test_a_users_own_card_gives_a_whole_run(finished):
    results, stages = read_json(finished / "results.json"), stages_of(finished)
    assert (stages["train"]["train"], stages["accuracy"]["test"]) == (48, 24)
    assert stages["accuracy"]["accuracy"]["value"] == 1.0
    assert stages["localisation"]["localisation"] is None
    assert results["datasets"]["wave"]["card_hash"] == dataset_card("wave").hash
    assert results["threads"] >= 1
    for record in results["figures"]:
        for ending in ("json", "html", "png", "svg"):
            assert (finished / record[ending]).stat().st_size > 1000
    assert "Waving, explained" in (finished / "report.html").read_text("utf-8")
    assert not (finished / "lock").exists()


def test_the_explanation_points_at_an_arm_that_tells_the_classes_apart(finished):
    # With two classes, that the other arm rests is as good a reason as that this one is raised.
    psi = pd.read_csv(finished / "xview/small/class_importance.csv", index_col=0)
    informative = {f"n{index}" for index in range(1, 7)}
    for name in ("left up", "right up"):
        assert psi.loc[name].idxmax() in informative


def test_numbers_are_those_of_the_parts(finished):
    stages = stages_of(finished)
    model = stx.load_model(finished / "xview/small")
    clips = stx.load_dataset("wave", finished / "store", "xview/test", recipe=model.recipe)
    correct = []
    for clip in clips:
        with stx.STGGradCAM(model) as explain:
            correct.append(int(explain(clip, target=stx.Predicted()).targets[0]) == clip.label)
    assert stages["accuracy"]["accuracy"]["value"] == pytest.approx(np.mean(correct))
    curve = stages["faithfulness"]["faithfulness"]["zero"]["highlighted"]
    accuracy = [entry["value"] for entry in curve["accuracy"]]
    assert curve["beta"]["value"] == pytest.approx(faithfulness(curve["masking"], accuracy))
    table = pd.read_csv(finished / "tables/masking-highlighted.csv")
    assert table.loc[0, "beta"] == pytest.approx(curve["beta"]["value"], abs=1e-4)
    assert table.loc[0, "paper: beta as printed"] == 0.5
    maps = Explanation.load(finished / "xview/small/explanations.nc")
    assert len(maps) == len(clips)
    with stx.STGGradCAM(model) as explain:
        single = explain(clips[3], target=stx.Predicted())
    np.testing.assert_allclose(maps[3].values, single.values, atol=1e-6)
    (example,) = stages["examples"]["examples"]
    assert Explanation.load(finished / "xview/small" / example["file"]).ids == (example["sample"],)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_limit_on_masked_clips_draws_them_by_the_runs_seed(finished, monkeypatch, seed):
    masked = []

    def recorded(model, batches, *arguments, **options):
        batches = list(batches)
        masked.append([name for batch in batches for name in batch.ids])
        return curves_of_importances(model, batches, *arguments, **options)

    monkeypatch.setattr(faithfulness_stage, "curves_of_importances", recorded)
    folder = finished / "xview/small"
    run = Run(
        "small",
        dataset_card("wave"),
        finished / "store",
        "xview",
        model_card("small"),
        "quick",
        seed=seed,
        folder=folder,
    )
    options = FaithfulnessStage.Options(nodes=3, values=[1.0], baselines=["zero"], clips=10)
    result = FaithfulnessStage(options).compute(run, {}, lambda _, work: work())
    names = [clip.id for clip in run.clips("test")]
    expected = np.sort(np.random.default_rng(seed).permutation(len(names))[:10])
    assert result["samples"] == 10
    # Once, for the nodes by class importance, by motion energy and by the gradient together.
    assert masked == [[names[row] for row in expected]]


@pytest.mark.parametrize(
    ("stage", "method"),
    [(ClassImportanceStage, "compute"), (FaithfulnessStage, "compute"), (FaithfulnessStage, "figures")],
)
def test_a_killed_run_resumes_and_ends_with_the_same_numbers(
    cards, raw, tmp_path, monkeypatch, finished, stage, method
):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(figures_module, "FORMATS", ("json",))  # pictures are drawn above, and slow
    with monkeypatch.context() as patch:
        patch.setattr(stage, method, killed)
        with pytest.raises(KeyboardInterrupt):
            stx.bench("wave", data=raw, out=tmp_path / "wave", progress=False)
    assert not (tmp_path / "wave" / "results.json").exists()

    def not_again(*_, **__):
        raise AssertionError("a finished stage was computed again")

    monkeypatch.setattr(TrainStage, "compute", not_again)
    folder = stx.bench("wave", data=raw, out=tmp_path / "wave", progress=False)
    assert numbers(folder) == numbers(finished)


def test_another_run_is_not_mixed_in(cards, raw, finished):
    with pytest.raises(InputError, match=r"seed was 0, now 1.*--out"):
        stx.bench("wave", data=raw, out=finished, seed=1, progress=False)


def test_a_folder_of_something_else_is_left_alone(cards, raw, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="is not empty and holds no run"):
        stx.bench("wave", data=raw, out=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_wrong_names_are_reported_before_any_work(cards, raw, tmp_path):
    with pytest.raises(InputError, match="unknown run 'xview/smal'. Did you mean 'xview/small'"):
        stx.bench("wave", data=raw, out=tmp_path / "a", runs=["xview/smal"], progress=False)
    with pytest.raises(CardError, match="no recipe 'quik'. Did you mean 'quick'"):
        stx.bench("wave", data=raw, out=tmp_path / "a", recipe="quik", progress=False)
    with pytest.raises(CardError, match="Did you mean 'wave'"):
        stx.bench("wav", data=raw, out=tmp_path / "a", progress=False)
    assert not (tmp_path / "a").exists()


def test_a_wrong_folder_of_data_does_not_block_the_right_one(cards, raw, tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        stx.bench("wave", data=tmp_path / "typo", out=tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="no synthetic data.*--data DIR"):
        stx.bench("wave", out=tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="is not a folder"):
        stx.bench("wave", data=tmp_path / "other", out=tmp_path / "run", progress=False)


def test_progress_is_a_line_per_stage(cards, raw, finished, capsys):
    stx.bench("wave", data=raw, out=finished, progress=True)
    shown = capsys.readouterr().err
    assert "[1/6] xview/small: train (added: accuracy needs it), finished before" in shown
    assert "[6/6] xview/small: localisation, finished before" in shown


def test_the_log_says_what_happened(finished):
    log = (finished / "log.txt").read_text("utf-8")
    assert "stage train is added: accuracy needs it" in log
    assert "xview/small/train begins" in log
    assert log.count("epoch ") == 25
    assert "figures/xview/small/faithfulness ended after" in log


def test_the_summary_on_the_terminal(finished, capsys):
    print_summary(finished)
    shown = capsys.readouterr().out
    for words in ("accuracy", "1.000", "beta", "contrastivity", "masking the highlighted joints", "report.html"):
        assert words in shown


def test_results_are_json_without_nan(finished):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((finished / "results.json").read_text("utf-8"), parse_constant=refuse)
    assert math.isfinite(stages_of(finished)["class_importance"]["contrastivity"]["value"])
