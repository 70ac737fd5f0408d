"""Adding a stage is adding a file: nothing else knows its name."""

import sys

import pandas as pd
import pytest

import stexplain as stx
from stexplain.bench import figures as figures_module
from stexplain.bench import stages
from stexplain.bench.check_card import check_card
from stexplain.bench.report import write_report
from stexplain.bench.stages import stage_types
from stexplain.bench.summary import print_summary
from stexplain.errors import DataError
from stexplain.files import read_json, write_json
from tests.bench.small_experiment import write_cards, write_recordings

STAGE = '''
"""How long the test samples are."""

import pandas as pd

from stexplain.bench.html import paragraph
from stexplain.bench.claims import Claim, paired_test
from stexplain.bench.stage import Card, Stage, Table
from stexplain.cards import Count, Part
from stexplain.viz import history


class Options(Part):
    least: Count = 5


class Lengths(Stage):
    title = "Lengths of samples"
    tasks = ("classification",)
    Options = Options

    def compute(self, run, results, parts):
        frames = parts("frames", lambda: {"frames": run.clips("test").table["frames"].tolist()})["frames"]
        return {"shortest": min(frames), "accuracy": results["accuracy"]["accuracy"]["value"]}

    def needs(self, task):
        return ("accuracy",)

    def figures(self, run, results, figures):
        table = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})
        figures.add("", "A drawing of lengths", "Of the test split.", history(table))

    def section(self, runs):
        return paragraph(f"The shortest has {runs[0].stages['lengths']['shortest']} frames.")

    def summary(self, runs):
        return Card("Length", paragraph("See below."))

    def claims(self, run):
        lengths = [training.stages["lengths"]["shortest"] for training in run.trainings]
        tests = [paired_test("the least", [length - self.options.least + 0.5 for length in lengths * 10])]
        judged = {1: "supported", 0: "inconclusive", -1: "not supported"}
        yield Claim(tests, lambda signs: ("Every sample is long enough.", judged[signs[0]]))

    def caveats(self, runs):
        yield "Lengths are counted in frames."

    def tables(self, runs):
        return {"lengths": Table("Lengths", pd.DataFrame({"shortest": [runs[0].stages["lengths"]["shortest"]]}))}

    def headline(self, run):
        return {"shortest": str(run.stages["lengths"]["shortest"])}
'''
EXPERIMENT = """
title = "Lengths"
question = "How long?"
citation = "none"
[[runs]]
protocol = "xview"
model = "small"
recipe = "quick"
epochs = 1
[stages.lengths]
least = 3
"""


@pytest.fixture
def wave(tmp_path, monkeypatch):
    """A folder with one stage, added to those of the package, and a dataset whose experiment lists it."""
    added = tmp_path / "added"
    added.mkdir()
    (added / "lengths.py").write_text(STAGE)
    monkeypatch.setattr(stages, "__path__", [*stages.__path__, str(added)])
    monkeypatch.setattr(figures_module, "FORMATS", ("json",))
    folder = write_cards(tmp_path)
    (folder / "experiment.toml").write_text(EXPERIMENT)
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path))
    yield folder
    sys.modules.pop("stexplain.bench.stages.lengths", None)


def test_a_stage_in_a_file_of_its_own_is_all_it_takes(wave, tmp_path, capsys):
    assert check_card(wave).ok
    run = stx.bench(wave, data=write_recordings(tmp_path / "raw"), out=tmp_path / "run", progress=False)
    results = read_json(run / "results.json")
    assert list(results["stages"]) == ["train", "accuracy", "lengths"]  # in the order of the report
    assert results["stages"]["lengths"] == {"least": 3}
    found = results["runs"]["xview/small"]["stages"]["lengths"]
    assert found["shortest"] >= 3
    assert found["accuracy"] == results["runs"]["xview/small"]["stages"]["accuracy"]["accuracy"]["value"]
    assert {
        "run": "xview/small",
        "stage": "lengths",
        "text": "Every sample is long enough.",
        "verdict": "supported",
    } in (results["verdicts"])
    assert pd.read_csv(run / results["tables"]["lengths"]["file"])["shortest"].item() == found["shortest"]
    assert (run / "stages/xview/small/lengths/frames.json").is_file()
    page = (run / "report.html").read_text("utf-8")
    for words in (
        "Lengths of samples", f"The shortest has {found['shortest']} frames.", "A drawing of lengths", "See below.",
        "Every sample is long enough.", "Lengths are counted in frames.",
    ):  # fmt: skip
        assert words in page, words
    print_summary(run)
    shown = capsys.readouterr().out
    assert "shortest" in shown
    assert "Every sample is long enough." in shown


def test_every_stage_has_a_heading_and_a_task():
    for name, stage in stage_types().items():
        assert stage.name == name
        assert stage.title
        assert stage.tasks


def test_results_of_a_stage_that_is_gone(tmp_path):
    write_json(tmp_path / "results.json", {"title": "Old", "stages": {"acuracy": {}}})
    with pytest.raises(DataError, match="there is no stage 'acuracy'. Did you mean 'accuracy'"):
        write_report(tmp_path)
