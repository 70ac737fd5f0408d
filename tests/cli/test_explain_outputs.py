"""What `stexplain explain` prints, writes by ending, and compares; models inside run folders."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.cli.validate.method_options import parse_options
from stexplain.cli.validate.outputs import parse_outputs
from stexplain.errors import CardError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.metrics import compare_groups
from stexplain.nn.checkpoint import load_model
from tests.cli.test_explain import common, home, no_charts, on_roads, roads, run  # noqa: F401 - fixtures


def test_label_prediction_and_probability_are_those_of_the_model(home, tmp_path, no_charts):  # noqa: F811
    from stexplain.data.load import load_dataset

    summary = json.loads(run(home / "model", *common(home, tmp_path / "out"), "--first", 3, "--json"))
    model = load_model(home / "model")
    clips = load_dataset("planted", home / "store", "random/test", recipe=model.recipe)
    batch = clips.batch(range(3))
    with torch.no_grad():
        shares = model(batch.x, batch.valid).softmax(1)
    for row, sample in enumerate(summary["samples"]):
        best = int(shares[row].argmax())
        assert sample["label"] == int(batch.label[row])
        assert sample["label_name"] == clips.classes[sample["label"]]
        assert (sample["predicted"], sample["predicted_name"]) == (best, clips.classes[best])
        assert sample["probability"] == pytest.approx(float(shares[row, best]), rel=1e-5)
    shown = run(home / "model", *common(home, tmp_path / "out"))
    first = summary["samples"][0]
    said = f"label {first['label_name']}; predicted {first['predicted_name']}, probability {first['probability']:.3g}"
    assert said in shown


def test_a_forecast_stands_beside_what_was_observed(roads, tmp_path, no_charts):  # noqa: F811
    from stexplain.data.load import load_dataset

    options = ["--target", "forecast:s2:3", "--method", "InputGradient", "--first", 2]
    summary = json.loads(run(*on_roads(roads, tmp_path / "out"), *options, "--json"))
    series = load_dataset(roads / "card.toml", roads / "data", "test")
    batch = series.batch(range(2))
    for row, sample in enumerate(summary["samples"]):
        assert sample["forecast"] == pytest.approx(sample["score"])
        assert sample["observed"] == pytest.approx(float(batch.y[row, 2, 1]))
        assert sample["unit"] == series.unit


def test_files_are_written_by_their_endings_and_nothing_else(home, tmp_path):  # noqa: F811
    places = [tmp_path / name for name in ("map.csv", "map.npz", "clip.svg", "about.json")]
    options = [part for place in places for part in ("--out", place)]
    run(home / "model", "--card", "planted", "--data", home / "store", *options)
    assert {path.name for path in tmp_path.iterdir()} == {"map.csv", "map.npz", "clip.svg", "about.json"}
    e = Explanation.load(tmp_path / "map.npz")
    table = pd.read_csv(tmp_path / "map.csv")
    pd.testing.assert_frame_equal(table, e.to_pandas(), check_dtype=False, rtol=1e-5)
    assert (tmp_path / "clip.svg").read_text("utf-8").lstrip().startswith("<svg")
    assert json.loads((tmp_path / "about.json").read_text())["samples"][0]["id"] == e.ids[0]


def test_of_several_samples_each_has_a_chart_of_its_own(home, tmp_path):  # noqa: F811
    run(home / "model", "--card", "planted", "--data", home / "store", "--first", 2, "--out", tmp_path / "clip.svg")
    assert len(list(tmp_path.glob("clip-*.svg"))) == len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["map.jpg", "clip.mp4", "map.txt"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="--out: got .*, an unsupported format"):
        parse_outputs([tmp_path / name], tmp_path / "else")


def test_two_groups_are_compared_as_in_python(home, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    error = run(home / "model", *common(home, out), "--group-by", "nothing", ok=False).exception
    assert "unknown column of --group-by 'nothing'" in str(error)
    options = ["--split", "random/train", "--group-by", "class=b falls,a falls"]
    summary = json.loads(run(home / "model", *common(home, out), *options, "--json"))
    e = Explanation.load(out / "explanation.nc")
    from stexplain.data.load import load_dataset

    clips = load_dataset("planted", home / "store", "random/train")
    label = {name: clips.classes[number] for name, number in zip(clips.ids, clips.labels, strict=True)}
    group = dict(zip(clips.ids, clips.groups.tolist(), strict=True))
    assert {label[name] for name in e.ids} == {"a falls", "b falls"}
    expected = compare_groups(
        e,
        [label[name] for name in e.ids],
        clusters=[group[name] for name in e.ids],
        reference="b falls",
        # The predicted class is explained; groups are classes.
        labels=[label[name] for name in e.ids],
    )
    written = pd.read_csv(out / "groups.csv")
    pd.testing.assert_frame_equal(written, expected.to_frame(), check_dtype=False, rtol=1e-6)
    assert (summary["reference"], summary["other"], summary["samples"]) == ("b falls", "a falls", len(e))
    assert summary["sentences"] == expected.sentences()
    assert summary["balanced_accuracy"] == expected.to_frame().attrs["accuracy"]
    assert summary["balanced_accuracy"]["chance"] == 0.5
    assert {path.name for path in out.iterdir()} == {
        "explanation.nc", "groups.csv", "groups.html", "groups.png", "summary.json",
    }  # fmt: skip


def test_more_than_two_groups_are_to_be_named(home, tmp_path):  # noqa: F811
    error = run(home / "model", *common(home, tmp_path / "out"), "--group-by", "class", ok=False).exception
    assert isinstance(error, InputError)
    assert "Name them, the reference first: --group-by 'class=A,B'" in str(error)
    assert not (tmp_path / "out").exists()


def test_many_samples_are_explained_in_parts(home, tmp_path, no_charts, monkeypatch):  # noqa: F811
    run(home / "model", *common(home, tmp_path / "whole"), "--first", 5)
    monkeypatch.setattr("stexplain.cli.explaining.parts.PART", 2)
    run(home / "model", *common(home, tmp_path / "parts"), "--first", 5)
    whole, parts = (Explanation.load(tmp_path / name / "explanation.nc") for name in ("whole", "parts"))
    assert whole.ids == parts.ids
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-4, atol=1e-6)


def run_folder(home, folder, *names):  # noqa: F811
    """A run folder with copies of the model."""
    import shutil

    for name in names:
        shutil.copytree(home / "model", folder / name)
    about = {"dataset": "planted", "protocol": "random"}
    datasets = {"planted": {"planted": False, "source": str(home / "store")}}
    (folder / "results.json").write_text(json.dumps({"runs": dict.fromkeys(names, about), "datasets": datasets}))
    return folder


def test_the_model_in_a_run_folder_is_found_and_said(home, tmp_path, no_charts):  # noqa: F811
    folder = run_folder(home, tmp_path / "run", "random/one")
    # What a model keeps inside its own folder is no model of the run.
    run_folder(home, folder / "random/one", "ablated")
    result = run(folder, "--out", tmp_path / "out", ok=False)
    assert result.exit_code == 0, result.output
    assert f"{folder} holds one model, {folder / 'random/one'}." in result.stderr
    assert f"As in {folder}: --card planted --data {home / 'store'}." in result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["model"] == str(folder / "random/one")


def test_of_several_models_one_is_to_be_named(home, tmp_path):  # noqa: F811
    folder = run_folder(home, tmp_path / "run", "random/one", "random/two")
    error = run(folder, ok=False).exception
    assert isinstance(error, CardError)
    assert str(error).endswith(f"Give one of them:\n  {folder / 'random/one'}\n  {folder / 'random/two'}")


def test_options_of_a_method(home, tmp_path, no_charts):  # noqa: F811
    options = ["--method", "IntegratedGradients", "--option", "steps=3", "--option", "baseline=mean"]
    run(home / "model", *common(home, tmp_path / "out"), *options)
    few = Explanation.load(tmp_path / "out" / "explanation.nc")
    run(home / "model", *common(home, tmp_path / "more"), *options[:2], "--option", "steps=64", *options[4:])
    # More steps sum closer to the difference of scores.
    more = Explanation.load(tmp_path / "more" / "explanation.nc")
    assert abs(few.extra["convergence_delta"][0]) > abs(more.extra["convergence_delta"][0])
    error = run(home / "model", *common(home, tmp_path / "out"), *options[:2], "--option", "stps=3", ok=False).exception
    assert "IntegratedGradients has no option 'stps'. Did you mean 'steps'?" in str(error)


@pytest.mark.parametrize("text", ["steps", "=3", "steps=", "a b=1"])
def test_an_option_without_name_or_value_is_refused(text):
    with pytest.raises(InputError, match="--option: got"):
        parse_options([text])
