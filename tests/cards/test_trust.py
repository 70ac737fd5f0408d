"""What cards may import: this package's modules, those that the program imported, and those that are trusted."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from stexplain.bench.check_card import check_card
from stexplain.cards import dataset_card, import_object, import_of, trusted_names, trusting
from stexplain.data.load import load_dataset
from stexplain.data.store.prepare import _planned, prepare
from stexplain.errors import CardError, InputError, UntrustedError
from stexplain.files import write_json

CARD = """
name = "own"
reader = "own_reader"
classes = ["still", "moving"]
axes = {instances = 1, channels = ["x", "y"], frame_rate = 30.0}
graph = {nodes = ["a", "b"], edges = [["a", "b"]]}

[protocols.half]
title = "half"
train = {field = "subject", values = [1, 2, 3]}
validation = {field = "subject", values = [3]}
"""
READER = """
from pathlib import Path

import numpy as np

from stexplain.data.recording import Recording, RecordingFile

Path(__file__).with_name("ran").write_text("ran")


def find(folder, card):
    return [
        RecordingFile(path.stem, path, int(path.stem[-1]), {"subject": int(path.stem[0])})
        for path in sorted(Path(folder).glob("*.npy"))
    ]


def read(path):
    return Recording(np.load(path), (0,))
"""


@pytest.fixture
def own(tmp_path) -> Path:
    """A card's folder with its reader beside it."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "card.toml").write_text(CARD)
    (folder / "own_reader.py").write_text(READER)
    return folder


def test_a_reader_beside_its_card_runs_only_where_it_is_trusted(own):
    card = dataset_card(own)
    with pytest.raises(CardError, match=r"own_reader\.py\. Nothing was imported.*trust='own_reader'.*--trust own_read"):
        import_of(card, card.reader)
    assert not (own / "ran").exists()
    with trusting("own_reader"):
        assert callable(import_of(card, card.reader).find)
        assert import_of(card, card.reader) is import_of(card, "own_reader.py")
    assert (own / "ran").exists()
    # What ran once is no permission.
    with pytest.raises(CardError, match="Nothing was imported"):
        import_of(card, card.reader)


def test_an_edited_reader_is_another_module(own):
    card = dataset_card(own)
    with trusting("all"):
        before = import_of(card, card.reader)
        (own / "own_reader.py").write_text(READER + "\nEDITED = True\n")
        after = import_of(card, card.reader)
    assert not hasattr(before, "EDITED")
    assert after.EDITED


def test_a_reader_that_is_a_link_out_of_the_folder_is_refused(own, tmp_path):
    (own / "own_reader.py").rename(tmp_path / "elsewhere.py")
    (own / "own_reader.py").symlink_to(tmp_path / "elsewhere.py")
    card = dataset_card(own)
    with trusting("all"), pytest.raises(CardError, match=r"is a link to .*elsewhere\.py\. Put the file itself there"):
        import_of(card, card.reader)


def test_a_reader_that_fails_leaves_no_module_behind(own):
    card = dataset_card(own)
    (own / "own_reader.py").write_text("import no_such_package_of_ours\n")
    before = set(sys.modules)
    with trusting("own_reader"), pytest.raises(CardError, match="'no_such_package_of_ours' cannot be imported"):
        import_of(card, card.reader)
    assert not [name for name in set(sys.modules) - before if "beside" in name]


@pytest.mark.parametrize(
    "path",
    ["os:system", "subprocess", "posixpath:join", "builtins:eval", "shutil:rmtree", "json:dumps"],
)
def test_modules_of_python_are_no_readers_although_they_are_imported(path):
    assert path.partition(":")[0] in sys.modules
    with pytest.raises(CardError, match="a module outside stexplain. Nothing was imported"):
        import_object(path, "the test")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "a..b",
        ".relative",
        "../own_reader",
        "/own_reader.py",
        "a:b:c",
        "a b",
        "stexplain.__main__",
        "stexplain:__builtins__",
        "__main__",
        "__main__:__loader__",
        "a.__init__",
        "x" * 10_000,
        "a\n.b",
        "é",
        3,
        None,
    ],
)
def test_odd_names_are_refused_in_a_few_words(path):
    with trusting("all"), pytest.raises(CardError, match="expected the name of a module") as refused:
        import_object(path, "the test")
    assert len(str(refused.value)) < 400


def test_what_the_program_imported_itself_needs_no_trust():
    assert import_object(f"{__name__}:CARD", "the test") == CARD


def test_trust_is_of_a_module_and_of_what_is_in_a_package_and_ends_with_the_block():
    with trusting(["one", "two.three"]), trusting("four.py"):
        assert trusted_names() == ["four", "one", "two.three"]
    assert trusted_names() == []
    for wrong in ("", "os:system", "a b", "../x", "../x.py", "__main__", "x" * 300, 3):
        with pytest.raises(InputError, match="trust: got .*expected the names of modules"), trusting([wrong]):  # type: ignore[list-item]
            pass


def recordings(folder: Path) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for subject in range(1, 5):
        for label in (0, 1):
            np.save(folder / f"{subject}_{label}.npy", random.normal(size=(1, 6, 2, 2)).astype(np.float32))
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_the_processes_that_read_trust_what_the_caller_trusts(own, tmp_path, workers):
    raw = recordings(tmp_path / "raw")
    with pytest.raises(CardError, match="Nothing was imported"):
        prepare(own, raw, tmp_path / "store", workers=workers, progress=False)
    assert not (tmp_path / "store").exists()
    summary = prepare(own, raw, tmp_path / "store", workers=workers, progress=False, trust="own_reader")
    assert summary.kept == 8
    # The store itself runs nothing.
    assert len(load_dataset(own, tmp_path / "store")) == 8


def test_check_card_reports_a_reader_that_is_not_trusted(own):
    assert any("Nothing was imported" in problem for problem in check_card(own).problems)
    assert not any("reader" in problem for problem in check_card(own, trust=["own_reader"]).problems)


def test_the_commands_take_trust(own, tmp_path):
    raw = recordings(tmp_path / "raw")
    command = [
        sys.executable,
        "-P",
        "-m",
        "stexplain",
        "data",
        "prepare",
        str(own),
        str(raw),
        "--out",
        str(tmp_path / "s"),
    ]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--trust own_reader" in " ".join(refused.stderr.split())
    assert not (own / "ran").exists()
    done = subprocess.run(
        [*command, "--trust", "own_reader"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "8 of 8 recordings" in done.stdout


@pytest.mark.parametrize("command", [["bench"], ["join"], ["explain"], ["data", "prepare"], ["data", "check"]])
def test_every_command_that_opens_a_card_or_a_model_has_the_option(command):
    done = subprocess.run(
        [sys.executable, "-m", "stexplain", *command, "--help"], capture_output=True, text=True, check=True
    )
    assert "--trust" in done.stdout


def test_processes_that_read_may_import_what_the_caller_has(own, tmp_path, monkeypatch):
    (own / "own_reader.py").rename(tmp_path / "reader_elsewhere.py")
    (own / "card.toml").write_text(CARD.replace("own_reader", "reader_elsewhere"))
    monkeypatch.syspath_prepend(str(tmp_path))
    raw = recordings(tmp_path / "raw")
    with pytest.raises(UntrustedError) as refused:
        prepare(own, raw, tmp_path / "store", workers=2, progress=False)
    assert refused.value.module == "reader_elsewhere"
    assert not (tmp_path / "ran").exists()
    import_module("reader_elsewhere")
    # Two shards, and so two processes.
    monkeypatch.setattr("stexplain.data.store.shards.SIZE", 4)
    assert prepare(own, raw, tmp_path / "store", workers=2, progress=False).kept == 8
    monkeypatch.delitem(sys.modules, "reader_elsewhere")


def test_a_changed_reader_is_another_preparation(own, tmp_path):
    raw = recordings(tmp_path / "raw")
    prepare(own, raw, tmp_path / "store", workers=1, progress=False, trust="own_reader")
    # The same again gives what is there.
    assert prepare(own, raw, tmp_path / "store", workers=1, progress=False, trust="all").seconds == 0
    (own / "own_reader.py").write_text(READER.replace("np.load(path)", "2 * np.load(path)"))
    with pytest.raises(InputError, match="made in another way"):
        prepare(own, raw, tmp_path / "store", workers=1, progress=False, trust="own_reader")


def test_a_plan_that_lies_there_already_allows_nothing(own, tmp_path):
    raw = recordings(tmp_path / "raw")
    with trusting("own_reader"):
        plan, _ = _planned(dataset_card(own), raw, "energy", None)
    work = tmp_path / ".store.preparing"
    work.mkdir()
    write_json(work / "plan.json", {**plan, "reader": "evil_reader", "trust": ["all"]})
    (tmp_path / "own" / "evil_reader.py").write_text("open('evil ran', 'w')")
    assert prepare(own, raw, tmp_path / "store", workers=2, progress=False, trust="own_reader").kept == 8


@pytest.mark.parametrize("line", ["raise ValueError('no luck')", "def broken(:"])
def test_a_reader_that_raises_is_told(own, line):
    (own / "own_reader.py").write_text(line)
    card = dataset_card(own)
    with trusting("own_reader"), pytest.raises(CardError, match=r"own_reader.py fails as it is run: \w+Error: .+\.$"):
        import_of(card, card.reader)


def test_a_reader_without_its_functions_is_told(own):
    (own / "own_reader.py").write_text("def reed(path):\n    pass\n")
    card = dataset_card(own)
    with trusting("own_reader"), pytest.raises(CardError, match=r"has no function 'read'. Did you mean 'reed'\?"):
        import_of(card, card.reader, "read")


def test_a_class_of_the_script_that_runs_may_be_named():
    main = sys.modules["__main__"]
    name = next(name for name in vars(main) if not name.startswith("_"))
    assert import_object(f"__main__:{name}", "the test") is getattr(main, name)
    with pytest.raises(CardError, match="has no 'NoSuchClass'"):
        import_object("__main__:NoSuchClass", "the test")


def test_a_private_module_may_be_named(tmp_path, monkeypatch):
    (tmp_path / "_private_nets.py").write_text("VALUE = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UntrustedError):
        import_object("_private_nets:VALUE", "the test")
    with trusting("_private_nets"):
        assert import_object("_private_nets:VALUE", "the test") == 3
