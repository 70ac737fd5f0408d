import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from typer.testing import CliRunner

from stexplain.cards import dataset_card, model_card
from stexplain.cli.explain import explain
from stexplain.data.load import load_dataset
from stexplain.data.planted.graph import generate
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError, InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.nn.traffic import STGCNForecaster
from tests.data.series_cards import CARD

FOREIGN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, classes)

    def forward(self, x):  # b c t n
        return self.head(self.conv(x).relu().mean((2, 3)))

def make():
    return Net()

def six():
    return Net(6)

def named():
    model = Net(6)
    model.class_names = list("abcdef")
    return model

def number():
    return 3
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store of planted signals and a model of their graph, of random weights."""
    root = tmp_path_factory.mktemp("explain")
    card = dataset_card("planted")
    generate(card, root / "raw", repetitions=1, progress=False)
    prepare(card, root / "raw", root / "store", workers=1, progress=False)
    torch.manual_seed(0)
    model = load_model("stgcn2", graph=STGraph.from_card(card), classes=card.class_names, recipe="quick")
    save_model(root / "model", model.eval(), card=model_card("stgcn2"), recipe="quick")
    return root


@pytest.fixture
def no_charts(monkeypatch):
    """Charts take a second each; one test draws them."""
    monkeypatch.setattr("stexplain.cli.explaining.output.draw_sample", lambda *_: {})


def run(*arguments, ok=True):
    app = typer.Typer()
    app.command()(explain)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if ok:
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.stdout
    return result


def common(home, out):
    return ["--card", "planted", "--data", home / "store", "--out", out]


def test_map_chart_and_summary_are_written(home, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["stexplain", "explain", "a model"])
    summary = json.loads(run(home / "model", *common(home, out), "--first", 2, "--json"))
    e = Explanation.load(out / "explanation.nc")
    # What `stexplain.explain` takes unasked, too.
    assert summary["method"] == e.method == ExpectedFall.method
    assert summary["layer"] == ""
    assert summary["notes"] == list(e.notes)
    assert e.made_by["command"] == "stexplain explain 'a model'"
    assert e.made_by["versions"]["torch"]
    assert [sample["id"] for sample in summary["samples"]] == list(e.ids)
    assert json.loads((out / "summary.json").read_text())["samples"] == summary["samples"]
    classes = dataset_card("planted").class_names
    for row, sample in enumerate(summary["samples"]):
        assert sample["explained_class"] == classes[e.targets[row]]
        assert sample["score"] == pytest.approx(float(e.score[row]))
        best = e.nodes().iloc[row].nlargest(5)
        np.testing.assert_allclose([value for _, value in sample["top_nodes"]], best)
        assert set(sample["files"]) == {"html", "png"}
        assert all((out / path.split("/")[-1]).stat().st_size > 5000 for path in sample["files"].values())


def test_a_layer_asks_for_the_method_of_layers(home, tmp_path):
    options = [*common(home, tmp_path / "out"), "--layer", "blocks.0", "--json"]
    summary = json.loads(run(home / "model", *options))
    assert (summary["method"], summary["layer"]) == ("STG-Grad-CAM", "blocks.0")


def test_samples_method_and_target_are_chosen(home, tmp_path, no_charts):
    out = tmp_path / "out"
    shown = run(
        home / "model", *common(home, out), "--ids", "f5_r001_fall-b", "--method", "InputGradient", "--target",
        "a, b and c fall", "--split", "random/test",
    )  # fmt: skip
    e = Explanation.load(out / "explanation.nc")
    assert (e.ids, e.method, e.target) == (("f5_r001_fall-b",), "input gradient", "class 'a, b and c fall'")
    assert e.targets.tolist() == [3]
    top = e.nodes().iloc[0].idxmax()
    assert "f5_r001_fall-b  a, b and c fall  score" in shown
    assert f"  {top} " in shown
    assert " s\n" in shown
    run(home / "model", *common(home, out), "--target", "2")
    assert Explanation.load(out / "explanation.nc").targets.tolist() == [2]


def test_a_model_of_ones_own_by_its_import_path(home, tmp_path, monkeypatch, no_charts):
    (tmp_path / "theirs.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    options = ["--inputs", "b c t n", "--layout", "b c t n", "--layer", "conv"]
    summary = json.loads(run("theirs:make", *common(home, tmp_path / "out"), *options, "--json"))
    assert summary["layer"] == "conv"
    assert summary["samples"][0]["top_nodes"][0][0].startswith("s")
    summary = json.loads(run("theirs:named", *common(home, tmp_path / "named"), *options, "--json"))
    assert summary["samples"][0]["explained_class"] in list("abcdef")
    for path, message in (
        ("theirs:mke", "has no 'mke'. Did you mean 'make'"),
        ("nowhere.at:all", "'nowhere' cannot be imported"),
        ("theirs:number", "made an int; expected a torch.nn.Module"),
        # It has no names of its own: the data's four would name two of its six outputs, and others wrongly.
        ("theirs:six", "got 4 names of classes for 6 outputs of the model"),
    ):
        error = run(path, *common(home, tmp_path / "out"), "--inputs", "b c t n", ok=False).exception
        assert isinstance(error, InputError)
        assert message in str(error)


def test_a_card_is_explained_with_random_weights_and_says_so(home, tmp_path, no_charts):
    result = run("stgcn2", *common(home, tmp_path / "out"), ok=False)
    assert result.exit_code == 0, result.output
    assert "its weights are random" in result.stderr
    first = Explanation.load(tmp_path / "out" / "explanation.nc")
    run("stgcn2", *common(home, tmp_path / "out"))
    np.testing.assert_array_equal(Explanation.load(tmp_path / "out" / "explanation.nc").values, first.values)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["--method", "GradCam"], InputError, "unknown method 'GradCam'. Did you mean 'STGGradCAM'"),
        (["--target", "b fals"], InputError, "Did you mean 'b falls'"),
        (["--target", "forecast:s1"], InputError, "got 'forecast:s1'; expected forecast:NODE:HORIZON"),
        (["--ids", "f5_r001_fall-bb"], InputError, "unknown sample 'f5_r001_fall-bb'. Did you mean 'f5_r001_fall-b'"),
        (["--first", "0"], InputError, "--first: got 0; expected at least 1"),
        (["--split", "random/tst"], InputError, "Did you mean 'random/test'"),
        (["--method", "Motion", "--layer", "blocks.0"], InputError, "Motion has no option 'layer'"),
        (["--card", "plantd"], CardError, "Did you mean 'planted'"),
    ],
)
def test_wrong_use_is_reported_with_the_nearest(home, tmp_path, arguments, kind, message):
    result = run(home / "model", *common(home, tmp_path / "out"), *arguments, ok=False)
    assert isinstance(result.exception, kind), result.output
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    """A day of readings of four sensors, its card, and a forecaster of random weights saved with a recipe."""
    root = tmp_path_factory.mktemp("roads")
    text = CARD.format(reader="stexplain.data.readers.speeds_csv", channels='"speed"', first='"speed"', more="")
    (root / "card.toml").write_text(text.replace("window = 3", "window = 12").replace("horizon = 2", "horizon = 3"))
    sensors = ["s1", "s2", "s3", "s4"]
    random = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=288, freq="5min", name="time")
    (root / "data").mkdir()
    speeds = pd.DataFrame(60 + 5 * random.normal(size=(288, 4)), index=times, columns=sensors)
    speeds.to_csv(root / "data" / "speeds.csv")
    pd.DataFrame({"from": sensors[:-1], "to": sensors[1:]}).to_csv(root / "data" / "edges.csv", index=False)
    places = pd.DataFrame({"sensor": sensors, "x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 0.5, 0.0, 0.5]})
    places.to_csv(root / "data" / "sensors.csv", index=False)
    torch.manual_seed(0)
    graph = load_dataset(root / "card.toml", root / "data").graph
    model = STGCNForecaster(graph, window=12, horizon=3, blocks=[[4, 2, 4]])
    save_model(root / "model", model.eval(), card=model_card("stgcn-roads"), recipe="quick")
    return root


def on_roads(roads, out):
    return [roads / "model", "--card", roads / "card.toml", "--data", roads / "data", "--out", out]


def test_a_forecast_is_explained_and_its_sensor_ringed(roads, tmp_path):
    out = tmp_path / "out"
    options = ["--target", "forecast:s2:3", "--method", "InputGradient", "--split", "test"]
    summary = json.loads(run(*on_roads(roads, out), *options, "--json"))
    e = Explanation.load(out / "explanation.nc")
    assert (e.target, e.method, e.values.shape) == ("the forecast of s2 at horizon 3", "input gradient", (1, 1, 12, 4))
    (sample,) = summary["samples"]
    assert sample["explained_class"] is None
    assert sample["score"] == pytest.approx(float(e.score[0]))
    page = next(out.glob("*.html")).read_text()
    assert "Which nodes matter for the forecast of s2 at horizon 3, input gradient" in page
    assert '"forecast"' in page


def test_windows_are_named_by_number_or_start(roads, tmp_path, no_charts):
    options = ["--target", "forecast:s2:1", "--method", "InputGradient", "--split", "test"]
    first = json.loads(run(*on_roads(roads, tmp_path / "one"), *options, "--ids", "4", "--json"))
    start = first["samples"][0]["id"]
    again = json.loads(run(*on_roads(roads, tmp_path / "two"), *options, "--ids", start, "--json"))
    assert again["samples"][0]["top_nodes"] == first["samples"][0]["top_nodes"]
    error = run(*on_roads(roads, tmp_path / "three"), *options, "--ids", "yesterday", ok=False).exception
    assert isinstance(error, InputError)
    assert "--ids: got 'yesterday'; expected the number of a window, 0 to " in str(error)
    assert "or its start, '2024-" in str(error)


@pytest.mark.parametrize("target", ["predicted", "s2", "3"])
def test_a_forecaster_has_no_classes(roads, tmp_path, target):
    error = run(*on_roads(roads, tmp_path / "out"), "--target", target, ok=False).exception
    assert isinstance(error, InputError)
    assert "Give --target forecast:NODE:HORIZON, such as --target 'forecast:s1:3'" in str(error)


def test_a_classifier_has_no_forecasts(home, tmp_path):
    error = run(home / "model", *common(home, tmp_path / "out"), "--target", "forecast:s1:3", ok=False).exception
    assert isinstance(error, InputError)
    assert "--target: got a forecast, but the model in MODEL is a classifier" in str(error)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, typer; from stexplain.cli.explain import explain\n"
        "app = typer.Typer(rich_markup_mode=None); app.command()(explain)\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'dgl', 'numpy', 'pandas', 'altair', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--method" in done.stdout
    assert done.stdout.rstrip().endswith("[]")
