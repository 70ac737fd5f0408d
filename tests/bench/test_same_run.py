"""A run folder knows all that decides its numbers: what differs is refused, and nothing is mixed."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from stexplain.bench.dataset import check_unchanged, content_of
from stexplain.bench.records import read_record, read_results, run_folder, write_results
from stexplain.bench.runner import bench
from stexplain.cards import dataset_card, series_card
from stexplain.data.load import load_dataset
from stexplain.data.store.prepare import prepare
from stexplain.errors import DataError, InputError
from tests.bench.small_experiment import experiment_text, write_cards, write_recordings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Cards, recordings and a finished run, of one epoch."""
    root = tmp_path_factory.mktemp("same")
    card = write_cards(root, experiment=experiment_text("[stages.accuracy]\n"), epochs=1, channels=4)
    write_recordings(root / "raw")
    before = os.environ.get("STEXPLAIN_CARDS")
    os.environ["STEXPLAIN_CARDS"] = str(root)
    bench(str(card), data=root / "raw", out=root / "run", progress=False)
    yield root
    if before is None:
        del os.environ["STEXPLAIN_CARDS"]
    else:
        os.environ["STEXPLAIN_CARDS"] = before


@pytest.fixture
def edited(home):
    """Changes a file, and brings it back."""
    kept = {}

    def edit(name, old, new):
        path = home / name
        kept.setdefault(path, (path.read_bytes(), path.stat()))
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield edit
    for path, (content, times) in kept.items():
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def again(home, **options):
    return bench(str(home / "datasets" / "wave"), data=home / "raw", out=home / "run", progress=False, **options)


def test_the_same_request_ends_with_the_same_results(home):
    before = read_results(home / "run")
    again(home)
    after = read_results(home / "run")
    assert {**before, "finished": 0} == {**after, "finished": 0}


def test_other_threads_are_refused_with_the_variable_that_resumes_it(home, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    with pytest.raises(
        InputError, match=rf"threads was {threads}, now {threads + 1}. Set OMP_NUM_THREADS={threads} to"
    ):
        again(home)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("models/small.toml", "rate = 0.1", "rate = 0.2", "models differs"),
        ("models/small.toml", 'summary = "a few epochs"', 'summary = "one epoch"', "models differs"),
        ("datasets/wave/card.toml", "frame_rate = 30.0", "frame_rate = 25.0", "card_hash differs; cards differs"),
        (
            "datasets/wave/experiment.toml",
            "[stages.accuracy]",
            "[stages.class_importance]",
            "experiment",
        ),
    ],
)
def test_a_changed_card_is_refused(home, edited, name, old, new, says):
    before = (home / "run" / "results.json").read_bytes()
    edited(name, old, new)
    with pytest.raises(InputError, match=f"run holds another run: {says}"):
        again(home)
    assert (home / "run" / "results.json").read_bytes() == before


def test_another_seed_or_number_of_threads_is_refused(home, monkeypatch):
    with pytest.raises(InputError, match="seed was 0, now 5"):
        again(home, seed=5)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    with pytest.raises(InputError, match="threads was [0-9]+, now 99"):
        again(home)


def test_a_changed_recording_is_refused(home, edited):
    name = sorted(path.name for path in (home / "raw").iterdir())[0]
    edited(f"raw/{name}", "[[[", "[[[1")
    with pytest.raises(InputError, match="store of other recordings"):
        again(home)


def test_a_changed_record_or_result_is_refused(home, tmp_path):
    record = json.loads((home / "run/stages/xview/small/accuracy.json").read_text())
    record["result"]["correct"] = 1
    (tmp_path / "accuracy.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="accuracy.json has changed since it was written. Remove it and run again"):
        read_record(tmp_path / "accuracy.json")
    write_results(tmp_path, {"seed": 0, "runs": {"a": {"value": float("nan"), "list": (1, 2)}}})
    assert read_results(tmp_path)["runs"] == {"a": {"value": None, "list": [1, 2]}}
    (tmp_path / "results.json").write_text((tmp_path / "results.json").read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DataError, match="results.json has changed since it was written"):
        read_results(tmp_path)


def test_a_mended_truth_makes_another_store(tmp_path):
    from tests.data.skeleton_files import write_ucla

    raw = tmp_path / "raw"
    for name in ("a01_s01_e00_v01", "a01_s02_e00_v01"):
        xyz = np.random.default_rng(len(name) + int(name[5])).normal(size=(6, 20, 3)).astype(np.float32)
        write_ucla(raw, name, xyz)
        np.save(raw / f"{name}.truth.npy", np.zeros((1, 6, 20), bool))
    card = dataset_card("nw-ucla")
    prepare(card, raw, tmp_path / "store", workers=1, progress=False)
    info = {"source": str(tmp_path / "store"), "content": content_of(card, raw, tmp_path / "store")}
    check_unchanged(card, raw, info, progress=False)
    path = raw / "a01_s01_e00_v01.truth.npy"
    np.save(path, np.ones((1, 6, 20), bool))
    os.utime(path, ns=(1, 1))  # whatever the resolution of the clock
    with pytest.raises(InputError, match="store of other recordings"):
        check_unchanged(card, raw, info, progress=False)
    # The store itself, given as data: its truth alone is changed, of the same size.
    truth = np.load(tmp_path / "store" / "truth.npy")
    np.save(tmp_path / "store" / "truth.npy", ~truth)
    with pytest.raises(InputError, match="store has changed since this run began: values, graph or ground truth"):
        check_unchanged(card, tmp_path / "store", info, progress=False)


def test_a_changed_series_is_refused(tmp_path):
    from tests.data.readers.test_speeds_csv import write
    from tests.data.series_cards import small_card

    card = series_card(small_card(tmp_path / "card", "stexplain.data.readers.speeds_csv"))
    write(tmp_path / "raw")
    info = {"source": str(tmp_path / "raw"), "content": content_of(card, tmp_path / "raw", tmp_path / "raw")}
    check_unchanged(card, tmp_path / "raw", info, progress=False)
    assert load_dataset(card, tmp_path / "raw").graph is not None
    edges = tmp_path / "raw" / "edges.csv"
    edges.write_text(edges.read_text().replace("0.5", "0.6"))
    with pytest.raises(InputError, match="raw has changed since this run began"):
        check_unchanged(card, tmp_path / "raw", info, progress=False)


def test_of_two_seeds_started_together_one_is_refused(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from stexplain.bench.records import run_folder
        from stexplain.errors import InputError
        seed = int(sys.argv[2])
        print("ready", flush=True)
        input()
        try:
            with run_folder(Path(sys.argv[1]), {"seed": seed}) as records:
                records("train", lambda: {"seed": seed})
        except InputError:
            sys.exit(2)
    """
    both = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "run"), str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for seed in (0, 5)
    ]  # fmt: skip
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    ended = []
    for process in both:
        process.communicate()
        ended.append(process.returncode)
    assert sorted(ended) == [0, 2]
    seed = (0, 5)[ended.index(0)]
    assert read_record(tmp_path / "run/stages/train.json")["result"] == {"seed": seed}
    with run_folder(tmp_path / "run", {"seed": seed}) as records:
        assert records("train", lambda: {"seed": -1}) == {"seed": seed}
