"""Paths that a user gives: what the system refuses is refused in words, before anything is made for it."""

import pytest

from stexplain.bench.experiment import load_experiment
from stexplain.cli.main import main
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.reading import given_path


@pytest.mark.parametrize("parts", [("n" * 300,), ("missing", "n" * 300), ("missing", "n" * 300, "more"), ("m" * 5000,)])
def test_a_name_that_is_too_long_is_refused_wherever_it_stands(parts, tmp_path):
    with pytest.raises(InputError, match="out: got .*too long"):
        given_path(tmp_path.joinpath(*parts), "out")


@pytest.mark.parametrize("parts", [("missing",), ("missing", "more", "n" * 255), ("..", "missing"), ("file", "below")])
def test_what_may_be_made_or_is_looked_at_later_is_a_path(parts, tmp_path):
    (tmp_path / "file").touch()
    assert given_path(tmp_path.joinpath(*parts), "out") == tmp_path.joinpath(*parts)


@pytest.mark.parametrize(
    "command",
    [["bench", "planted", "--out", "{out}"], ["data", "prepare", "nw-ucla", "{empty}", "--out", "{out}"],
     ["explain", "stgcn7", "--card", "planted", "--out", "{out}"],
     ["data", "new", "{out}"]],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
def test_no_folder_is_left_above_an_output_whose_name_is_too_long(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    given = [word.format(empty=tmp_path / "empty", out=f"above/{'n' * 300}") for word in command]
    monkeypatch.setattr("sys.argv", ["stexplain", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "too long" in capsys.readouterr().err.lower()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_the_longest_name_that_the_system_allows_is_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    with atomic_write(path) as temporary:
        temporary.write_text("all of it")
    assert path.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("seeds", [0, 10_001, 2**63])
def test_a_number_of_trainings_that_nobody_waits_for(seeds):
    with pytest.raises(InputError, match=f"seeds: got {seeds}; expected 1 to 10,000"):
        load_experiment("planted").runs(seeds=seeds)


def test_the_seed_of_the_last_training_is_one_too():
    with pytest.raises(InputError, match=r"seed: got 9223372036854775807 for 2 trainings; expected 0 to 92"):
        load_experiment("planted").runs(seed=2**63 - 1, seeds=2)
