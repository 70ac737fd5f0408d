"""Mistakes on the command line are reported before torch and DGL are imported."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from stexplain.cards import card_path
from stexplain.cli.validate.datasets import SPLIT_PARTS
from stexplain.cli.validate.method_names import method_names

# Runs the command for one list of arguments after the other, in one process: a heavy import would be seen from then on.
SCRIPT = """
import contextlib, io, json, sys
from stexplain.cli.main import main

for arguments in json.load(sys.stdin):
    sys.argv = ["stexplain", *arguments]
    errors = io.StringIO()
    code = None
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, errors.getvalue(), sorted({"torch", "dgl"} & set(sys.modules))]))
"""

FORECASTER = {
    "architecture": "stexplain.nn.traffic:STGCNForecaster",
    "hyperparameters": {"horizon": 3},
    "classes": None,
    "graph": {"nodes": ["s1", "s2"]},
}
CLASSIFIER = {
    "architecture": "stexplain.nn.stgcn:STGCN",
    "classes": 2,
    "class_names": ["drink water", "throw"],
}

STAGELESS = """
title = "No stages"
question = "?"
citation = "none"
runs = [{ protocol = "xsub", model = "stgcn10" }]
stages = {}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files and folders that are not what a command needs, and the first pages of two trained models."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "file").touch()
    (folder / "empty").mkdir()
    for name, about in (("forecaster", FORECASTER), ("classifier", CLASSIFIER)):
        (folder / name).mkdir()
        (folder / name / "model.json").write_text(json.dumps(about))
    (folder / "store").mkdir()
    (folder / "store" / "store.json").write_text("{}")
    for name, text in (("stageless", STAGELESS), ("misspelt", STAGELESS.replace("title", "titel"))):
        (folder / name).mkdir()
        shutil.copy(card_path("datasets", "ntu"), folder / name / "card.toml")
        (folder / name / "experiment.toml").write_text(text)
    (folder / "broken").mkdir()
    (folder / "broken" / "card.toml").write_text("name = 'broken'\n")
    return folder


EXPLAIN = ["explain", "stgcn10", "--card", "ntu"]

MISTAKES = [
    # The command itself.
    (["bnech", "ntu"], "No such command 'bnech'. Did you mean 'bench'?"),
    (["data", "shwo", "ntu"], "No such command 'shwo'"),
    (["trust", "runs/ntu"], "No such command 'trust'. In Python it is stexplain.trust."),
    (["train", "--help"], "`stexplain bench CARD` trains, explains and scores; in Python it is stexplain.fit."),
    (["bench", "ntu", "--sede", "1"], "No such option: --sede"),
    (["bench"], "Missing argument 'EXPERIMENT'"),
    (["doctor", "--jsno"], "No such option: --jsno"),
    (["doctor", "now"], "unexpected extra argument"),
    # bench
    (["bench", "ntuu"], "there is no experiment 'ntuu'. Did you mean 'ntu'?"),
    (["bench", "metr-la"], "has no experiment"),
    (["bench", "{folder}/empty"], "holds no card.toml"),
    (["bench", "{folder}/broken"], "has no experiment"),
    (["bench", "{folder}/stageless"], "stages: "),
    (["bench", "{folder}/misspelt"], "titel: there is no such field. Did you mean 'title'?"),
    (["bench", "ntu", "--card", "nw-ulca"], "there is no dataset card 'nw-ulca'. Did you mean 'nw-ucla'?"),
    (["bench", "ntu", "--card", "{folder}/broken"], "is not a valid DatasetCard"),
    (["bench", "ntu", "--run", "xsub/stgcn11"], "unknown run 'xsub/stgcn11'. Did you mean 'xsub/stgcn10'?"),
    (["bench", "planted", "--run", "grph"], "unknown run 'grph'. Did you mean 'graph'?"),
    (["bench", "ntu", "--recipe", "quik"], "has no recipe 'quik'. Did you mean 'quick'?"),
    (["bench", "ntu", "--seed", "-1"], "--seed: got -1; expected 0 to 9223372036854775807"),
    (["bench", "ntu", "--seed", "one"], "Invalid value for '--seed'"),
    (
        ["bench", "nw-ucla"],
        "--data: got nothing; expected a path, because the card 'nw-ucla' has no synthetic data. How to get the data",
    ),
    (["bench", "ntu", "--data", "{folder}/nowhere"], "--data: got {folder}/nowhere, which does not exist"),
    (["bench", "ntu", "--data", "{folder}/empty"], "neither a prepared store nor a folder of recordings of 'ntu'"),
    (["bench", "roads", "--data", "{folder}/nowhere"], "--data: got {folder}/nowhere, which does not exist"),
    (["bench", "ntu", "--out", "{folder}/file"], "--out: got {folder}/file, but {folder}/file is a file"),
    (["bench", "ntu", "--out", "{folder}/file/runs"], "but {folder}/file is a file; expected a folder"),
    # explain
    (["explain", "stgcn10"], "--card: got nothing; expected a dataset card"),
    (["explain", "stgcn10", "--card", "plantd"], "there is no dataset card 'plantd'. Did you mean 'planted'?"),
    (["explain", "n" * 300, "--card", "ntu"], "MODEL: got 'nnn"),
    (["explain", "{folder}/forecaster", "--card", "ntu"], "--card: got 'ntu', of 25 nodes; expected one of 2, as "),
    (["measure", "{folder}/forecaster", "maps", "--card", "ntu", "--out", "{folder}/out"], "leave --card out."),
    (["measure", "stgcn10", "maps", "--out", "{folder}/out"], "--card: got nothing; expected a dataset card"),
    (["explain", "stgcn11", "--card", "ntu"], "MODEL: got 'stgcn11', which is neither a folder nor a model card. Did"),
    (["explain", "{folder}/empty", "--card", "ntu"], "MODEL: got {folder}/empty, which holds neither model.json"),
    (["explain", "{folder}/runs/one", "--card", "ntu"], "which is neither a folder nor a model card"),
    (["explain", "nowhere.at:all", "--card", "ntu"], "'nowhere' cannot be imported"),
    ([*EXPLAIN, "--split", "xsub/tst"], "unknown split 'xsub/tst'. Did you mean 'xsub/test'?"),
    ([*EXPLAIN, "--split", "xsubb/test"], "unknown split 'xsubb/test'. Did you mean 'xsub/test'?"),
    (["explain", "stgcn-roads", "--card", "roads", "--split", "tst"], "unknown split 'tst'. Did you mean 'test'?"),
    ([*EXPLAIN, "--method", "GradCam"], "unknown method 'GradCam'. Did you mean 'STGGradCAM'?"),
    ([*EXPLAIN, "--method", "EdgeImportance"], "unknown method 'EdgeImportance'"),
    ([*EXPLAIN, "--target", "forecast:s1"], "--target: got 'forecast:s1'; expected forecast:NODE:HORIZON"),
    ([*EXPLAIN, "--target", "forecast:s1:0"], "--target: got 'forecast:s1:0'; expected forecast:NODE:HORIZON"),
    ([*EXPLAIN, "--target", ""], "--target: got nothing"),
    ([*EXPLAIN, "--target", "thrwo"], "unknown class 'thrwo'. Did you mean 'throw'?"),
    ([*EXPLAIN, "--target", "60"], "--target: got class 60; expected 0 to 59"),
    (["explain", "{folder}/classifier", "--card", "ntu", "--target", "2"], "--target: got class 2; expected 0 to 1"),
    (["explain", "{folder}/classifier", "--card", "ntu", "--target", "forecast:s1:1"], "is a classifier"),
    (["explain", "{folder}/forecaster", "--card", "roads"], "such as --target 'forecast:s1:3'"),
    (["explain", "{folder}/forecaster", "--card", "roads", "--target", "forecast:s3:1"], "unknown node 's3'"),
    (
        ["explain", "{folder}/forecaster", "--card", "roads", "--target", "forecast:s1:4"],
        "got horizon 4; expected 1 to 3",
    ),
    ([*EXPLAIN, "--first", "0"], "--first: got 0; expected at least 1"),
    ([*EXPLAIN, "--data", "{folder}/nowhere"], "--data: got {folder}/nowhere, which does not exist"),
    ([*EXPLAIN, "--data", "{folder}/empty"], "which is not a prepared store (it has no store.json)"),
    (
        ["explain", "stgcn10", "--card", "nw-ucla"],
        "--data: got nothing; expected a path, because the card 'nw-ucla' has no synthetic data",
    ),
    ([*EXPLAIN, "--out", "{folder}/file"], "--out: got {folder}/file, but {folder}/file is a file"),
    # data
    (["data", "show", "ntuu"], "there is no dataset card 'ntuu'. Did you mean 'ntu'?"),
    (["data", "check", "{folder}/nowhere"], "FOLDER: got {folder}/nowhere, which does not exist"),
    (["data", "check", "{folder}/empty"], "neither a prepared store (it has no store.json) nor the folder of a card"),
    (["data", "prepare", "ntu", "{folder}/empty"], "Missing option '--out'"),
    (["data", "prepare", "ntuu", "{folder}/empty", "--out", "s"], "there is no dataset card 'ntuu'"),
    (["data", "prepare", "metr-la", "{folder}/empty", "--out", "s"], "CARD: got 'metr-la', the card of a series"),
    (["data", "prepare", "ntu", "{folder}/nowhere", "--out", "s"], "RAW: got {folder}/nowhere, which is not a folder"),
    (["data", "prepare", "ntu", "{folder}/store", "--out", "s"], "which is a prepared store already"),
    (["data", "prepare", "ntu", "{folder}/empty", "--out", "{folder}/s"], "{folder}/empty holds no recordings"),
    (["data", "prepare", "ntu", "{folder}/empty", "--out", "{folder}/file"], "--out: got {folder}/file"),
    (["data", "prepare", "ntu", "{folder}/empty", "--out", "s", "--missing", "{folder}/no"], "--missing: got"),
    (["data", "prepare", "ntu", "{folder}/empty", "--out", "s", "--keep", "frist"], "'frist' is not one of"),
    (["data", "prepare", "ntu", "{folder}/empty", "--out", "s", "--workers", "0"], "Invalid value for '--workers'"),
]


@pytest.fixture(scope="module")
def reports(folder):
    calls = [[argument.format(folder=folder) for argument in arguments] for arguments, _ in MISTAKES]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_reported_before_torch_is_imported(number, reports, folder):
    code, message, heavy = reports[number]
    assert MISTAKES[number][1].format(folder=folder) in message
    assert code == 2
    assert heavy == []
    # One message, of several lines where a card has several problems: ours begins with the program's name, the
    # parser's ends with its one error.
    assert message.count("stexplain: ") + message.count("Error") == 1
    assert "Traceback" not in message


def test_nothing_was_written(reports, folder):
    assert {path.name for path in folder.iterdir()} == {
        "file", "empty", "forecaster", "classifier", "store", "broken", "stageless", "misspelt",
    }  # fmt: skip
    assert not any((folder / "empty").iterdir())


def test_names_that_are_known_without_torch_are_those_that_exist():
    from stexplain.data.splits import PARTS
    from stexplain.explainers.by_name import methods

    assert method_names() == list(methods())
    assert SPLIT_PARTS == PARTS


def test_a_store_is_recognised_as_where_it_is_read(folder):
    from stexplain.cli.validate import datasets
    from stexplain.data.store.prepared import is_store

    for name in ("store", "empty", "file", "nowhere"):
        assert datasets.is_store(folder / name) == is_store(folder / name)
