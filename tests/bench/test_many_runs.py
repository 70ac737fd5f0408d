"""A report of several runs: its findings take the width of the page, and not a narrow column beside an empty half."""

import pandas as pd
import pytest

from stexplain.bench.figures import Figures
from stexplain.bench.report import BESIDE, write_report
from stexplain.files import write_json
from stexplain.viz import history
from tests.bench.page import score
from tests.bench.test_report import a_run
from tests.browser import look, needs_browser


def scored(value):
    return {over: {"auroc": score(value)} for over in ("nodes", "frames", "positions")}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The report of one run, and of three."""

    def write(runs):
        folder = tmp_path_factory.mktemp("run")
        classes = {"STGGradCAM": {"throw": {**score(0.9), "samples": 9}, "a long name of a class": score(0.2)}}
        scores = {"STGGradCAM": scored(0.7), "InputGradient": scored(0.9), "Motion": scored(0.8)}
        localisation = {"localisation": scores, "by_class": classes}
        named = {f"xsub/stgcn{number}": a_run(localisation=localisation) for number in range(runs)}
        figures = Figures(folder, "localisation", "xsub/stgcn0")
        figures.add("", "Scores", "They differ.", history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})))
        other = Figures(folder, "accuracy", "xsub/stgcn0")
        other.add(
            "",
            "Another",
            "It opens the page.",
            history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})),
            answers=True,
        )
        verdict = {
            "run": "xsub/stgcn0",
            "stage": "localisation",
            "verdict": "supported",
            "text": "It is.",
            "claim": "It is",
        }
        write_json(
            folder / "results.json",
            {"title": "An experiment", "node": "joint", "stages": {"localisation": {}}, "datasets": {}, "runs": named,
             "figures": [*other.records, *figures.records], "verdicts": [verdict]},
        )  # fmt: skip
        return write_report(folder).read_text("utf-8")

    return {runs: write(runs) for runs in (1, 3)}


FOUND = """
const found = d.querySelector("#localisation .found"), list = found.querySelector("ul");
const figure = d.querySelector("#localisation figure"), section = d.querySelector("#localisation");
const box = element => { const {left, right, top, bottom} = element.getBoundingClientRect();
  return {left, right, top, bottom}; };
return {list: box(list), figure: box(figure), section: box(section), lines: list.children.length,
        columns: new Set([...list.children].map(line => Math.round(line.getBoundingClientRect().left))).size,
        sideways: d.documentElement.scrollWidth - d.documentElement.clientWidth};"""


def test_few_findings_stand_beside_their_figure_and_many_below_it(reports):
    assert 'class="found"' in reports[1]
    assert 'class="found long"' in reports[3]


@needs_browser
def test_of_three_runs_they_take_the_width_of_the_page(reports):
    wide, phone = (look(reports[3], FOUND, width=width) for width in (1400, 420))
    assert wide["lines"] > BESIDE
    assert wide["list"]["top"] >= wide["figure"]["bottom"]
    assert wide["list"]["right"] - wide["list"]["left"] > 0.9 * (wide["section"]["right"] - wide["section"]["left"])
    assert wide["columns"] >= 2
    assert phone["columns"] == 1
    assert max(wide["sideways"], phone["sideways"]) <= 0
    beside = look(reports[1], FOUND, width=1400)
    assert beside["list"]["left"] >= beside["figure"]["right"]
