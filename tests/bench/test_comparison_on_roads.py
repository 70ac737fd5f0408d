"""The stage `comparison` on a series: methods that explain forecasts."""

import re

import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench.summary import print_summary
from tests.bench import small_roads
from tests.bench.tiny_signals import comparison_of, results

# A forecaster trained for seconds has a score that bends on the way from the baseline: few steps miss some of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")

ROADS = (
    small_roads.WHICH_METHOD
    + """
[stages.comparison]
samples = 6
baselines = ["Motion", "Random"]
methods = ["Occlusion", "InputGradient", "CAM"]
absolute = ["InputGradient"]
deletion = { baseline = "historical_average", steps = 3, repeats = 1 }
[stages.comparison.options]
Occlusion = { baseline = "historical_average" }
"""
)


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    """A comparison on a series: the same stage, where a forecast is explained in the place of a class."""
    root = tmp_path_factory.mktemp("roads")
    small_roads.write_cards(root, experiment=ROADS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEXPLAIN_CARDS", str(root))
        patch.setenv("STEXPLAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(figures_module, "FORMATS", ("json",))
        return stx.bench("lane", out=root / "run", progress=False)


def test_methods_are_compared_on_forecasts_of_planted_events(roads):
    found = comparison_of(roads, "lane-stgcn")
    assert list(results(roads)["stages"]) == ["train", "events", "comparison"]
    assert found["methods"] == ["InputGradient", "Occlusion", "Motion", "Random"]
    assert found["samples"] == 6
    means = {(row["metric"], row["method"]): row["value"] for row in found["table"]}
    # Only what is slow before the target moves, so that motion finds these sensors, whatever the network learned.
    assert means["auroc, nodes", "Motion"] == pytest.approx(1.0)
    # How much of them a network of some epochs uses differs between trainings; what occlusion ranks first moves its
    # forecast.
    gains = {name: means["deletion gain", name] for name in found["methods"]}
    assert gains["Occlusion"] > max(0.0, gains["Motion"], gains["Random"])
    assert "comparison-lane-stgcn-example" in {figure["id"] for figure in results(roads)["figures"]}


def test_a_method_that_cannot_explain_a_forecaster_is_excluded_with_its_reason(roads, capsys):
    excluded = comparison_of(roads, "lane-stgcn")["excluded"]
    assert list(excluded) == ["CAM"]
    assert f"CAM is excluded from the comparison of A small forecaster: {excluded['CAM'][:20]}" in (
        (roads / "report.html").read_text("utf-8").replace("&#x27;", "'")
    )
    print_summary(roads)
    assert re.search(r"CAM +excluded", capsys.readouterr().out)
