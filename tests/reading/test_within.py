"""A folder of somebody else's leads nowhere: neither a link in it, nor a path that one of its files names."""

import json
import shutil
import sys

import pytest

import stexplain as stx
from stexplain.bench.joining import join_runs
from stexplain.bench.records import read_results, run_folder, write_results
from stexplain.bench.report import write_report
from stexplain.bench.verifying.verify import verify
from stexplain.data import check_store
from stexplain.errors import DataError, StexplainError
from tests.fuzz.objects import prepared

links = pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
REQUESTED = {"seed": 0}


@pytest.fixture
def run(tmp_path):
    """The folder of a run, and a file beside it that is nobody's business."""
    (tmp_path / "secret.csv").write_text("name\nSECRET\n", "utf-8")
    (tmp_path / "secret.json").write_text('{"SECRET": 1}', "utf-8")
    with run_folder(tmp_path / "run", REQUESTED) as records:
        records("one", lambda: {"value": 1})
    (tmp_path / "run/tables").mkdir()
    (tmp_path / "run/tables/a.csv").write_text("name\na\n", "utf-8")
    write_results(tmp_path / "run", {"title": "T", "tables": {"a": {"title": "A", "file": "tables/a.csv"}}})
    return tmp_path / "run"


@links
@pytest.mark.parametrize("name", ["log.txt", "lock", "stages", "run.json", "stages/two.json"])
def test_a_run_is_not_resumed_where_a_link_leads_out(run, name):
    target = run.parent / "target"
    if name == "stages":
        target.mkdir()
        shutil.rmtree(run / name)
    elif name == "run.json":
        shutil.move(run / name, target)
    elif name == "log.txt":
        target.write_text("mine\n", "utf-8")
        (run / name).unlink()
    (run / name).symlink_to(target)
    before = target.read_text("utf-8") if target.is_file() else sorted(target.iterdir()) if target.is_dir() else None
    with (
        pytest.raises(DataError, match=rf"{name} is a link to .*target, out of the folder"),
        run_folder(run, REQUESTED),
    ):
        raise AssertionError("not reached")
    after = target.read_text("utf-8") if target.is_file() else sorted(target.iterdir()) if target.is_dir() else None
    assert before == after


@links
def test_links_within_a_run_and_to_it_are_followed(run, tmp_path):
    (run / "tables/b.csv").symlink_to("a.csv")
    (tmp_path / "link").symlink_to(run)
    with run_folder(tmp_path / "link", REQUESTED) as records:
        assert records("one", lambda: {"value": 2}) == {"value": 1}


@pytest.mark.parametrize("name", ["../secret.csv", "{}/secret.csv", "tables/../../secret.csv"])
def test_a_report_takes_no_table_of_others(run, name):
    write_results(run, {"title": "T", "tables": {"a": {"title": "A", "file": name.format(run.parent)}}})
    for reads in (write_report, verify, read_results):
        with pytest.raises(DataError, match=r"secret.*'; expected a path within its folder"):
            reads(run)


@pytest.mark.parametrize("key", ["json", "narrow", "png"])
def test_a_report_takes_no_figure_of_others(run, key):
    figure = {"stage": "accuracy", "run": "a", "id": "x", "title": "X", "json": "figures/x.json"}
    write_results(run, {"title": "T", "stages": {"accuracy": {}}, "figures": [{**figure, key: "../secret.json"}]})
    with pytest.raises(DataError, match=r"secret.json'; expected a path within its folder"):
        write_report(run)


@links
def test_a_report_and_a_joined_run_take_no_linked_file(run, tmp_path):
    (run / "tables/a.csv").unlink()
    (run / "tables/a.csv").symlink_to(tmp_path / "secret.csv")
    for reads in (write_report, verify, lambda folder: join_runs(tmp_path / "joined", [folder])):
        with pytest.raises(DataError, match=r"a.csv is a link to .*secret.csv, out of the folder"):
            reads(run)
    assert not (tmp_path / "joined").exists()


@links
def test_a_store_does_not_lie_elsewhere(tmp_path):
    store = prepared()
    shutil.move(store / "x.npy", tmp_path / "x.npy")
    (store / "x.npy").symlink_to(tmp_path / "x.npy")
    for reads in (check_store, lambda folder: stx.load_dataset("nw-ucla", folder)):
        with pytest.raises(DataError, match=r"x.npy is a link to .*x.npy, out of the folder"):
            reads(store)
    # The whole of it may.
    (store / "x.npy").unlink()
    shutil.move(tmp_path / "x.npy", store / "x.npy")
    (tmp_path / "link").symlink_to(store)
    assert len(stx.load_dataset("nw-ucla", tmp_path / "link"))


def test_a_store_names_its_own_files_alone(tmp_path):
    store = prepared()
    (store.parent / "secret").write_text("abc", "utf-8")
    info = json.loads((store / "store.json").read_text("utf-8"))
    info["files"]["../secret"] = {"bytes": 3, "sha256": "0" * 64}
    (store / "store.json").write_text(json.dumps(info), "utf-8")
    with pytest.raises(StexplainError, match=r"store.json: got '../secret'; expected a path within its folder"):
        check_store(store)
