"""Separate runs, joined: the same report as of one call, to the last bit; anything else is refused."""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

import stexplain as stx
from stexplain.bench.joining import join_runs
from stexplain.bench.stages.train import TrainStage
from stexplain.cli.main import app
from stexplain.errors import DataError, InputError
from stexplain.files import read_json, write_json
from tests.bench.small_experiment import cards_in, write_recordings

SECOND = """
[[runs]]
name = "again"
protocol = "xview"
model = "other"
"""


@pytest.fixture(scope="module", autouse=True)
def raw(tmp_path_factory):
    """An experiment of two runs, and its recordings."""
    with cards_in(tmp_path_factory.mktemp("cards"), epochs=2) as folder:
        models = folder.parents[1] / "models"
        # Of another card: a part that ran one run alone knows nothing of the card of the other.
        other = (models / "small.toml").read_text().replace('name = "small"', 'name = "other"')
        (models / "other.toml").write_text(other)
        experiment = (folder / "experiment.toml").read_text()
        (folder / "experiment.toml").write_text(experiment.replace("[recipes]", f"{SECOND}\n[recipes]"))
        yield write_recordings(tmp_path_factory.mktemp("data") / "raw")


@pytest.fixture(scope="module")
def whole(raw, tmp_path_factory):
    """Both runs, two trainings each, by one call."""
    return stx.bench("wave", data=raw, out=tmp_path_factory.mktemp("whole") / "wave", seeds=2, progress=False)


@pytest.fixture(scope="module")
def parts(raw, tmp_path_factory):
    """The same apart: seed 0 of both runs, and seed 1 of each run alone."""
    root = tmp_path_factory.mktemp("parts")
    options = {"data": raw, "progress": False}
    return [
        stx.bench("wave", out=root / "first", **options),
        stx.bench("wave", out=root / "again-1", seed=1, runs=["again"], **options),
        stx.bench("wave", out=root / "small-1", seed=1, runs=["xview/small"], **options),
    ]


def test_the_joined_report_is_that_of_one_call(whole, parts, tmp_path, monkeypatch):
    joined = join_runs(tmp_path / "joined", parts)
    together, found = (read_json(folder / "results.json") for folder in (whole, joined))
    for key in ("runs", "verdicts", "figures", "tables", "seed", "seeds", "stages", "title"):
        assert json.dumps(found[key]) == json.dumps(together[key]), key
    assert [verdict["text"][:16] for verdict in found["verdicts"]][:1] == ["Over 2 trainings"]
    for entry in together["tables"].values():
        assert (joined / entry["file"]).read_bytes() == (whole / entry["file"]).read_bytes()
    for figure in together["figures"]:
        assert (joined / figure["json"]).read_bytes() == (whole / figure["json"]).read_bytes()
    weights = [f"{name}/model.safetensors" for name in together["runs"]]
    assert [(joined / file).read_bytes() for file in weights] == [(whole / file).read_bytes() for file in weights]
    # Every record and file of the one call is there, but for the data, which is prepared anew where it is needed.
    own, everything = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} for root in (joined, whole)
    )
    assert {name for name in everything - own if not name.startswith(("store/", "stages/data/"))} == set()
    assert own - everything == set()
    for folder in (joined, whole):
        report = (folder / "report.html").read_text("utf-8")
        assert len(report) > 10_000
        assert all(f">{name}<" in report for name in ("xview/small", "again"))


def test_further_trainings_may_be_added_to_a_joined_folder(raw, parts, tmp_path, monkeypatch):
    joined = join_runs(tmp_path / "joined", parts)
    trained, compute = [], TrainStage.compute

    def counted(self, run, results, parts):
        trained.append(run.name)
        return compute(self, run, results, parts)

    monkeypatch.setattr(TrainStage, "compute", counted)
    stx.bench("wave", data=raw, out=joined, seeds=3, progress=False)
    assert trained == ["xview/small/seed-2", "again/seed-2"]


def test_a_part_of_several_trainings_is_taken_apart(raw, whole, tmp_path):
    third = stx.bench("wave", data=raw, out=tmp_path / "third", seed=2, progress=False)
    joined = read_json(join_runs(tmp_path / "joined", [third, whole]) / "results.json")
    assert (joined["seed"], joined["seeds"]) == (0, 3)
    assert list(joined["runs"]) == [
        f"{name}{seed}" for seed in ("", "/seed-1", "/seed-2") for name in ("xview/small", "again")
    ]
    assert joined["runs"]["again/seed-1"] == read_json(whole / "results.json")["runs"]["again/seed-1"]


def test_the_command_joins_too(parts, tmp_path):
    result = CliRunner().invoke(app, ["join", str(tmp_path / "joined"), *map(str, parts)])
    assert result.exit_code == 0
    assert "report.html" in result.stdout


def changed(part, to, file, change):
    """A copy of a part with a changed JSON file."""
    shutil.copytree(part, to)
    content = read_json(to / file)
    change(content)
    # As another version would have written it: with a checksum over what it holds.
    content.pop("sha256", None)
    write_json(to / file, content)
    return to


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("run.json", lambda run: run.update(recipe="other"), "recipe there None, here 'other'"),
        ("run.json", lambda run: run.update(version="9.9"), "version there .*, here '9.9'"),
        ("run.json", lambda run: run["experiment"]["stages"].pop("faithfulness"), "experiment differs"),
        ("run.json", lambda run: run.update(data=None), "data there True, here False"),
        ("results.json", lambda results: results.update(threads=99), "threads there .*, here 99"),
        ("results.json", lambda results: results["versions"].update(torch="1"), "version of torch there .*, here '1'"),
        ("results.json", lambda results: results["datasets"]["wave"].update(samples=3), "data of wave differs"),
        ("results.json", lambda results: results["runs"]["again"].update(model_hash="x"), "model of again differs"),
    ],
)  # fmt: skip
def test_parts_of_different_experiments_are_refused(parts, tmp_path, file, change, says):
    other = changed(parts[1], tmp_path / "other", file, change)
    with pytest.raises(InputError, match=f"other cannot be joined with .*first: {says}.*--seed and --run alone"):
        join_runs(tmp_path / "joined", [parts[0], other, parts[2]])
    assert not (tmp_path / "joined").exists()


def test_a_data_folder_may_lie_elsewhere(parts, tmp_path):
    moved = changed(parts[1], tmp_path / "moved", "run.json", lambda run: run.update(data="/scratch/other"))
    assert join_runs(tmp_path / "joined", [parts[0], moved, parts[2]]).is_dir()


def test_what_is_missing_or_there_twice_is_named(parts, tmp_path):
    with pytest.raises(InputError, match="got no run 'xview/small' of seed 1; expected each run of each seed"):
        join_runs(tmp_path / "joined", parts[:2])
    with pytest.raises(InputError, match="both hold the run 'again' of seed 1; expected each once"):
        join_runs(tmp_path / "joined", [*parts, parts[1]])
    with pytest.raises(InputError, match="got no run.json; expected a folder of `stexplain bench`"):
        join_runs(tmp_path / "joined", [*parts, tmp_path])
    with pytest.raises(InputError, match="got none; expected run folders"):
        join_runs(tmp_path / "joined", [])
    unfinished = tmp_path / "unfinished"
    shutil.copytree(parts[1], unfinished)
    (unfinished / "results.json").unlink()
    with pytest.raises(DataError, match="did not finish"):
        join_runs(tmp_path / "joined", [parts[0], unfinished, parts[2]])
    assert not (tmp_path / "joined").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(InputError, match="got a folder that is not empty"):
        join_runs(tmp_path / "taken", parts)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("results.json", lambda results: results["runs"]["again"].pop("seed"), "runs.again.seed is missing"),
        ("results.json", lambda results: results.pop("datasets"), "datasets is missing"),
        ("results.json", lambda results: results["datasets"].clear(), "got no dataset 'wave', which run 'again' is on"),
        ("results.json", lambda results: results["runs"].update({"../x": results["runs"]["again"]}), "got '../x'; exp"),
        ("run.json", lambda run: run.pop("experiment"), "experiment is missing"),
        ("run.json", lambda run: run["experiment"].pop("title"), "could not be read as the request of an experiment"),
    ],
)  # fmt: skip
def test_a_damaged_part_is_named(parts, tmp_path, file, change, says):
    part = changed(parts[1], tmp_path / "damaged", file, change)
    with pytest.raises(DataError, match=f"damaged/{file}.*{says}"):
        join_runs(tmp_path / "joined", [part])
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "dangling link"])
def test_what_has_no_end_is_not_copied(parts, tmp_path, kind):
    part = tmp_path / "part"
    shutil.copytree(parts[1], part)
    path = part / "again" / "model.safetensors"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    with pytest.raises(DataError, match=r"model\.safetensors (could not be read|is a link to /dev/zero)"):
        join_runs(tmp_path / "joined", [part])
    assert not (tmp_path / "joined").exists()


def test_figures_are_not_written_outside_of_the_folder(parts, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(parts[1], part)
    record = next(part.glob("stages/figures/again/*.json"))
    changed_to = {"seconds": 0.0, "result": {"figures": [{"json": "figures/../../x.json"}]}}
    write_json(record, changed_to)
    (part.parent / "x.json").write_text("{}")
    with pytest.raises(DataError, match=r"got 'figures/../../x\.json'; expected a path within"):
        join_runs(tmp_path / "deep" / "joined", [part])
    assert not (tmp_path / "deep" / "x.json").exists()
