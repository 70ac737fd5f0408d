"""A run folder as a reader gets it: damage and edits are found, other cards are said, runs are compared."""

import copy

import pytest

from stexplain.bench.records import Records, write_results
from stexplain.bench.verifying.verify import again, verify
from stexplain.cards.files import card_path
from stexplain.cli.main import app
from stexplain.errors import DataError
from stexplain.files import read_json, sha256, write_json
from stexplain.version import __version__
from tests.bench.test_report import OPTIONS, a_run

RUN = "xsub/stgcn10"


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "theirs")


def written(folder, change=lambda results: None):
    """A finished run without claims, changed before it is written."""
    run = a_run() | {"model_hash": sha256(card_path("models", "stgcn10"))}
    results = {
        "title": "An experiment", "node": "joint", "command": "stexplain bench ntu --out runs/mine --seed 3", "seed": 3,
        "threads": 2, "stages": OPTIONS, "versions": {"stexplain": __version__},
        "datasets": {"ntu": {"card_hash": sha256(card_path("datasets", "ntu"))}}, "runs": {RUN: run}, "verdicts": [],
        "figures": [], "tables": {"long": {"stage": "accuracy", "title": "Long", "file": "tables/long.csv"}},
    }  # fmt: skip
    (folder / "tables").mkdir(parents=True)
    (folder / "tables/long.csv").write_text("a\n1\n", "utf-8")
    records = Records(folder)
    for name, result in run["stages"].items():
        records(f"{RUN}/{name}", lambda result=result: result)
    changed = copy.deepcopy(results)
    change(changed)
    write_results(folder, changed)
    return folder


def found(folder, *more):
    return {each.name: (each.found, each.value) for each in verify(folder, *more)}


def test_what_is_as_it_was_written_is_ok_in_all(folder):
    checked = found(folder)
    assert {kind for kind, _ in checked.values()} == {"ok"}
    assert {"results.json", "stages", "figures, tables", "verdicts", "versions"} < set(checked)
    assert {"dataset card ntu", "model card stgcn10"} < set(checked)


def test_a_number_that_was_edited_is_found(folder):
    text = (folder / "results.json").read_text("utf-8")
    (folder / "results.json").write_text(text.replace("0.9413", "0.9913"), "utf-8")
    assert found(folder)["results.json"][0] == "wrong"
    assert app(["verify", str(folder)], standalone_mode=False) == 1
    # By the file that one may have been sent alone, too.
    assert app(["verify", str(folder / "results.json")], standalone_mode=False) == 1


def test_so_is_one_whose_checksum_was_written_anew(tmp_path):
    def better(results):
        results["runs"][RUN]["stages"]["accuracy"]["accuracy"]["value"] = 0.9913

    kind, value = found(written(tmp_path / "run", better))["stages"]
    assert kind == "wrong"
    assert f"{RUN}/accuracy" in value


def test_a_damaged_stage_is_named(folder):
    path = folder / f"stages/{RUN}/accuracy.json"
    record = read_json(path)
    record["result"]["top5"] = 1.0
    write_json(path, record)
    kind, value = found(folder)["stages"]
    assert kind == "wrong"
    assert "accuracy.json has changed since it was written" in value


def test_a_verdict_that_no_test_gave_is_found(tmp_path):
    def claimed(results):
        results["verdicts"] = [{"run": RUN, "stage": "faithfulness", "verdict": "supported", "text": "It is so."}]

    assert found(written(tmp_path / "run", claimed))["verdicts"][0] == "wrong"


def test_a_missing_table_is_named(folder):
    (folder / "tables/long.csv").unlink()
    kind, value = found(folder)["figures, tables"]
    assert kind == "wrong"
    assert "tables/long.csv" in value


def test_another_card_and_another_version_are_said_and_no_fault(tmp_path):
    def elsewhere(results):
        results["datasets"]["ntu"]["card_hash"] = "0" * 64
        results["datasets"]["own-data"] = {"card_hash": "1" * 64}
        results["versions"]["torch"] = "1.0"

    checked = found(written(tmp_path / "run", elsewhere))
    for name, words in (
        ("dataset card ntu", "another one"), ("dataset card own-data", "no card of this name"),
        ("versions", "torch 1.0, here"),
    ):  # fmt: skip
        assert checked[name][0] == "differs"
        assert words in checked[name][1]
    assert "wrong" not in {kind for kind, _ in checked.values()}


def test_a_second_run_with_the_same_numbers_is_the_same_to_the_last_bit(folder, tmp_path):
    kind, value = found(folder, written(tmp_path / "mine"))["numbers"]
    assert kind == "ok"
    assert "to the last bit" in value


def test_of_one_with_other_numbers_the_largest_difference_is_shown_first(folder, tmp_path):
    def other(results):
        stages = results["runs"][RUN]["stages"]
        stages["accuracy"]["top5"] *= 1 + 1e-12
        stages["faithfulness"]["faithfulness"]["zero"]["highlighted"]["beta"]["value"] = 0.3
        results["threads"] = 4

    checked = found(folder, written(tmp_path / "mine", other))
    kind, value = checked["numbers"]
    assert kind == "differs"
    assert "2 numbers and 0 others differ" in value
    assert value.index("beta/value 0.6123, there 0.3 (5.1e-01)") < value.index("accuracy/top5")
    assert checked["threads"][0] == "differs"
    assert checked["verdicts of both"][0] == "ok"


def test_the_command_that_runs_it_again_has_its_threads_and_a_folder_of_its_own(folder):
    assert again(folder) == "OMP_NUM_THREADS=2 stexplain bench ntu --seed 3 --out NEW"


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(DataError, match="results.json"):
        verify(tmp_path)
