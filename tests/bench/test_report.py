import re
from itertools import pairwise

import pandas as pd
import pytest

from stexplain.bench.page.facts import provenance
from stexplain.bench.page.first import verdict_lines
from stexplain.bench.report import write_report
from stexplain.bench.stage import RunResults
from stexplain.errors import DataError
from stexplain.files import write_json
from stexplain.viz import history, save
from tests.bench.page import Page, score

HOSTILE = "</script><script>alert('x')</script> & <b>\"bold\"</b>"


def a_run(published=None, **changes):
    """What `results.json` holds of a run; `changes` are of its stages."""
    curve = {"masking": [0.0, 0.9], "beta": score(0.5)}
    stages = {
        "train": {"parameters": 204812, "train": 2400, "validation": 200, "selected_epoch": 31},
        "accuracy": {
            "test": 960, "classes": 12, "accuracy": {"value": 0.9413, "low": 0.921, "high": 0.957}, "top5": 0.998,
        },
        "examples": {"examples": []},
        "class_importance": {
            "layer": "blocks.9", "padding_share": 0.11,
            "contrastivity": {"value": 0.6123, "low": 0.55, "high": 0.66, "classes": 2, "constant": 1},
            "das2022": {"contrastivity": 0.5671, "node_rank_correlation": 0.9312},
            "top_nodes": {"throw": [["right hand", 0.9], ["right wrist", 0.8]], "sit": [["spine", 0.7]]},
        },
        "localisation": {
            "localisation": {
                "STGGradCAM": {"nodes": {"auroc": score(0.8912), "ap": score(0.71), "pointing": score(0.92)}},
                "Motion": {"nodes": {"auroc": score(0.8123), "ap": score(0.6), "pointing": score(0.8)}},
                "Random": {"nodes": {"auroc": score(0.5011), "ap": score(0.2), "pointing": score(0.2)}},
            }
        },
        "faithfulness": {
            "nodes": 7, "samples": 200,
            "faithfulness": {
                "zero": {
                    "highlighted": {**curve, "accuracy": [score(0.94), score(0.41)], "beta": score(0.6123)},
                    "random": {**curve, "accuracy": [score(0.94), score(0.7)]},
                    "least": {**curve, "accuracy": [score(0.94), score(0.9)]},
                }
            },
        },
    }  # fmt: skip
    return {
        "task": "classification", "dataset": "ntu", "protocol": "xsub", "protocol_title": "cross-subject",
        "model": "stgcn10", "model_title": "STGCN-10", "recipe": "quick", "recipe_summary": "Small and fast.",
        "epochs": 40, "published": {"accuracy": 0.821} if published is None else published,
        "stages": {**stages, **changes},
    }  # fmt: skip


OPTIONS = {
    "accuracy": {},
    "examples": {"classes": ["throw"]},
    "class_importance": {},
    "faithfulness": {"nodes": 7, "values": [0.9], "baselines": ["zero"]},
    "localisation": {},
    "train": {},
}


@pytest.fixture
def results():
    return {
        "title": "The experiment", "node": "joint", "stages": OPTIONS,
        "datasets": {
            "ntu": {
                "name": "ntu", "title": "Bodies", "card_hash": "ab" * 32, "planted": True, "source": "generated",
                "samples": 3560, "excluded": {"no body in any frame": 3}, "obtain": "Ask for it.",
            }
        },
        "command": "stexplain bench ntu", "seed": 7, "threads": 2, "finished": "2024-05-06T07:14:00+00:00",
        "citation": "Das and Ortega 2022", "versions": {"torch": "2.13.0"},
        "seconds": {"prepare": 12.34, "train": 90.0},
        "runs": {"xsub/stgcn10": a_run()},
        "tables": {"masking": {"stage": "faithfulness", "title": "Masking", "file": "tables/masking.csv"}},
        "figures": [
            {"id": "train-a", "stage": "train", "title": "Curves", "caption": "Fall.", "json": "figures/history.json"}
        ],
        "verdicts": [
            {"run": "xsub/stgcn10", "stage": "x", "text": "It beats motion energy.", "verdict": "supported"},
            {"run": "xsub/stgcn10", "stage": "x", "text": "It is stable.", "verdict": "inconclusive"},
            {"run": "xsub/stgcn10", "stage": "x", "text": "It is short.", "verdict": "not supported"},
        ],
    }  # fmt: skip


@pytest.fixture
def chart():
    return history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]}), selected_epoch=2)


@pytest.fixture
def written(tmp_path, results, chart):
    def write(**changes):
        save(chart, tmp_path / "figures/history.json")
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables/masking.csv").write_text("run,0.9,paper\nxsub,0.41230,0.74 (0.778)\n", "utf-8")
        write_json(tmp_path / "results.json", {**results, **changes})
        return write_report(tmp_path).read_text("utf-8")

    return write


def test_one_file_that_loads_nothing(written, tmp_path):
    page = Page(written())
    assert page.stack == []
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "poster"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), (tag, value)
    assert not re.search(r"@import|url\(", written().split("</style>")[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures", "report.html", "results.json", "tables"]


def test_the_charts_are_in_the_page_as_they_were_written(written, chart):
    page = Page(written())
    expected = chart.to_dict()
    title = expected.pop("title")
    assert page.specs == {"chart-train-a": expected}
    assert [attributes["data-chart"] for _, attributes in page.elements if "data-chart" in attributes] == [*page.specs]
    assert title["subtitle"][0] in page.text  # moved out of the drawing into the page
    assert "Curves" in page.text
    assert "Fall." in page.text


def test_the_library_is_embedded_once_and_started_when_the_page_is_ready(written):
    page = written()
    assert page.count("window.vegaEmbed=") == 1
    assert page.count('addEventListener("DOMContentLoaded"') == 1
    assert page.rstrip().endswith("</html>")


def test_numbers_are_those_given(written):
    text = Page(written()).text
    for shown in (
        "94.1% (92.1–95.7%)", "82.1%", "99.8%", "204,812", "2,400", "960",  # accuracy, training
        "0.891 (0.871–0.911)", "0.812 (0.792–0.832)", "0.501",  # localisation
        "0.612", "0.567", "0.931",  # faithfulness, contrastivity
        "0.41230", "0.74 (0.778)",  # the CSV as it stands
        "excluded: no body in any frame 3", "2.13.0", "ab" * 32, "stexplain bench ntu", "12.3", "102.3",
        "2024-05-06T07:14:00", "Das and Ortega 2022",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_summary_names_the_most_important_nodes_and_the_evidence(written):
    text = Page(written()).text
    assert "94.1% of 960 test samples (95% interval 92.1% to 95.7%); chance level 8.3%" in text
    assert "Most important joints per class" in text
    assert "throw : right hand and right wrist" in text
    assert "Supported. It beats motion energy." in text
    assert "Inconclusive. It is stable." in text
    assert "Not supported. It is short." in text
    assert "11.0% of the importance was on padding" in text
    assert "1 class has the same importance at every joint" in text
    assert "synthetic data" in text
    assert "Bodies: 3,560 synthetic samples. The ground truth is known." in text


def test_hostile_names_stay_text(written, results):
    importance = {**a_run()["stages"]["class_importance"], "top_nodes": {HOSTILE: [[HOSTILE, 1.0]]}}
    located = {"localisation": {HOSTILE: {"nodes": {"auroc": score(0.9)}}}}
    run = a_run(class_importance=importance, localisation=located)
    run |= {"model_title": HOSTILE, "recipe": HOSTILE, "recipe_summary": HOSTILE}
    figure = {"id": HOSTILE, "stage": "train", "title": HOSTILE, "caption": HOSTILE, "json": "figures/history.json"}
    page = written(
        title=HOSTILE, command=HOSTILE, runs={HOSTILE: run}, figures=[figure], versions={HOSTILE: HOSTILE},
        verdicts=[{"run": HOSTILE, "text": HOSTILE, "verdict": "not supported"}],
        datasets={"ntu": {**results["datasets"]["ntu"], "excluded": {HOSTILE: 1}}},
    )  # fmt: skip
    parsed = Page(page)
    assert parsed.stack == []
    assert "alert('x')</script>" not in page
    assert HOSTILE in parsed.text
    assert not [tag for tag, _ in parsed.elements if tag == "b" and '"bold"' in tag]
    assert len([tag for tag, _ in parsed.elements if tag == "script"]) == 4  # chart, library, player, start


def test_hostile_data_inside_a_chart_cannot_leave_it(tmp_path, results):
    spec = {"data": {"values": [{"node": "</script><img src=x onerror=alert(1)><!--"}]}, "mark": "point"}
    write_json(tmp_path / "figures/history.json", spec)
    write_json(tmp_path / "results.json", {**results, "tables": {}})
    page = Page(write_report(tmp_path).read_text("utf-8"))
    assert page.specs["chart-train-a"] == spec
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_what_a_run_lacks_is_said(tmp_path):
    write_json(tmp_path / "results.json", {"title": "Nothing yet"})
    text = Page(write_report(tmp_path).read_text("utf-8")).text
    assert "Nothing yet" in text
    assert "Nothing was measured that could support a claim" in text


def test_parts_that_a_run_lacks(written):
    bare = {"test": 10, "classes": 0, "accuracy": {"value": 0.5, "low": None, "high": None}, "top5": None}
    run = a_run(published={}, accuracy=bare, localisation={"localisation": None})
    text = Page(written(runs={"xsub/stgcn7": run}, verdicts=[])).text
    assert "50.0% of 10 test samples; chance level –." in text
    assert "no ground truth, so localisation cannot be scored" in text
    assert "paper's numbers" not in text


@pytest.mark.parametrize(("classes", "shown"), [(4, False), (5, False), (6, True)])
def test_among_five_classes_the_first_five_say_nothing(written, classes, shown):
    accuracy = {"test": 10, "classes": classes, "accuracy": {"value": 0.5, "low": None, "high": None}, "top5": 0.875}
    page = written(runs={"xsub/stgcn7": a_run(accuracy=accuracy)}, verdicts=[])
    assert ("87.5%" in Page(page).text) == shown
    assert "50.0% of 10; chance level" in Page(page).text


def test_files_that_are_missing_are_named(written):
    figure = {"id": "x", "stage": "train", "json": "figures/lost.json"}
    page = written(figures=[figure], tables={"masking": {"stage": "faithfulness", "file": "tables/lost.csv"}})
    text = Page(page).text
    assert "figures/lost.json is missing" in text
    assert "lost.csv is missing" in text


def test_figures_stand_in_the_section_of_their_stage(written):
    stages = {"a": "accuracy", "b": "class_importance", "c": "faithfulness", "d": "train"}
    figures = [{"id": k, "stage": stage, "title": k, "json": "figures/history.json"} for k, stage in stages.items()]
    page = written(figures=figures)
    for name, section in stages.items():
        before = page[: page.index(f'data-chart="chart-{name}"')]
        assert re.findall(r'<section id="([a-z_-]+)"', before)[-1] == section


def test_sections_come_in_the_order_of_the_experiment(written):
    keys = re.findall(r'<section id="([a-z_-]+)"', written())
    listed = [name for name in OPTIONS if name != "examples"]  # which has no text and no figure here
    assert keys == ["summary", *listed, "tables", "data", "provenance"]


def test_a_broken_figure_or_no_results(written, tmp_path):
    written()
    (tmp_path / "figures/history.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match=r"history\.json is not valid JSON"):
        write_report(tmp_path)
    with pytest.raises(DataError, match=r"results\.json is missing"):
        write_report(tmp_path / "elsewhere")


def test_tables_call_runs_models_and_datasets_as_the_report_does(written, tmp_path, results):
    second = {**a_run(), "first": "xsub/stgcn10", "seed": 8}
    (tmp_path / "tables").mkdir()
    lines = ["run,dataset,model,note", "xsub/stgcn10,ntu/xsub,stgcn10,xsub/stgcn10", "xsub/stgcn10/seed-8,own,a"]
    (tmp_path / "tables/scores.csv").write_text("\n".join(lines), "utf-8")
    page = Page(
        written(
            runs={**results["runs"], "xsub/stgcn10/seed-8": second},
            tables={"scores": {"stage": "train", "title": "Scores", "file": "tables/scores.csv"}},
        )
    )
    # Of other columns, and of what is not known, the words of the file stay.
    assert "STGCN-10 xsub Bodies, xsub STGCN-10 xsub/stgcn10 STGCN-10 xsub, seed 8 own a" in page.text
    assert "Scores: 2 rows" in page.text
    assert (tmp_path / "tables/scores.csv").read_text("utf-8").splitlines() == lines


def test_headings_and_tables_can_be_read_aloud(written):
    page = Page(written())
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert attributes.get("href", "#main")[1:] in ids or attributes["href"] == "data:,"
    assert ("html", {"lang": "en"}) in page.elements
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")


@pytest.mark.parametrize(
    ("second", "said"), [("supported", ["supported"]), ("inconclusive", ["supported", "inconclusive"])]
)
def test_a_verdict_that_all_runs_share_is_said_once(second, said):
    runs = [RunResults(name, a_run(), {}, "joint") for name in ("xsub/a", "xview/b")]
    verdict = {"stage": "faithfulness", "text": "", "claim": "It falls"}
    lines = verdict_lines(
        [
            {**verdict, "run": "xsub/a", "verdict": "supported", "number": "0.1 more"},
            {**verdict, "run": "xview/b", "verdict": second, "number": "0.2 more"},
        ],
        runs,
    )
    words = re.findall(r'<b class="word">(.*?)\.</b>', lines)
    assert words == [word.capitalize() for word in said]
    assert lines.count("It falls") == 1
    # Either way every run has its number.
    assert re.sub(r"<.*?>", "", lines).count(": 0.") == 2


def test_the_time_has_a_row_per_stage_and_a_column_per_run_whatever_its_parts():
    seconds = {
        "data/ntu": 8.0, "xsub/a/train": 100.0, "xsub/a/truth/effect": 1.5, "xsub/a/truth/samples": 0.25,
        "xsub/a/truth": 2.0, "xview/b/train": 50.0, "figures/xsub/a/truth": 3.0, "figures/xview/b/train": 1.0,
    }  # fmt: skip
    runs = {name: a_run() for name in ("xsub/a", "xview/b")}
    shown = provenance({"seconds": seconds, "runs": runs}, [])
    rows = re.findall(r"<tr>(.*?)</tr>", shown[shown.index("Time in seconds") :])
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells == [
        ["stage", "xsub/a", "xview/b", "seconds, all"],
        ["data/ntu", "–", "–", "8.0"],
        ["train", "100.0", "50.0", "150.0"],
        ["truth", "3.8", "–", "3.8"],
        ["figures", "3.0", "1.0", "4.0"],
        ["total", "106.8", "51.0", "165.8"],
    ]
