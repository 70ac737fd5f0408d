"""What holds for every command, whichever are added."""

import json
import os
import subprocess
import sys

import pytest
import typer

from stexplain.cli import main as cli

NO_REPORT = {"data new"}
"""Commands that write a file and report nothing."""


def commands(group=None, name=""):
    group = group or typer.main.get_command(cli.app)
    for own, command in group.commands.items():
        path = f"{name} {own}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, path)
        else:
            yield path, command


COMMANDS = dict(commands())


def main(monkeypatch, capsys, *arguments):
    """The exit code of the program, and what it printed to standard output and error."""
    monkeypatch.setattr(sys, "argv", ["stexplain", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    return ended.value.code, shown.out, shown.err


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_shows_an_example_of_it(monkeypatch, capsys, name):
    code, out, _ = main(monkeypatch, capsys, *name.split(), "--help")
    assert code == 0
    assert f"stexplain {name}" in out.partition("Example")[2]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_shell_takes_its_examples_as_they_stand(monkeypatch, capsys, name, width):
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((width, 24)))
    _, out, _ = main(monkeypatch, capsys, *name.split(), "--help")
    shown = out.partition("Example")[2].partition("\nOptions")[0]
    # As a shell joins lines that end with a backslash.
    commands = [" ".join(line.split()) for line in shown.replace("\\\n", " ").splitlines()]
    stated = [line.strip() for line in COMMANDS[name].help.splitlines() if line.startswith(("  stexplain", "  for"))]
    assert stated
    assert [line for line in stated if line not in commands] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_it_takes_json_and_reports_its_errors_so(monkeypatch, capsys, name):
    flags = [flag for parameter in COMMANDS[name].params for flag in parameter.opts]
    assert ("--json" in flags) != (name in NO_REPORT)
    code, out, err = main(monkeypatch, capsys, *name.split(), "--no-such-option", "--json")
    (line,) = out.splitlines()
    error = json.loads(line)
    assert (code, error["exit_code"], error["kind"]) == (2, 2, "UsageError")
    assert "--no-such-option" in error["error"]
    assert error["error"] in err


@pytest.mark.parametrize("name", COMMANDS)
def test_it_names_options_and_not_arguments_of_python(monkeypatch, capsys, name):
    from stexplain.errors import InputError

    option = (
        next(p for p in COMMANDS[name].params if p.param_type_name == "option" and not p.is_flag)
        if any(p.param_type_name == "option" and not p.is_flag for p in COMMANDS[name].params)
        else None
    )
    if option is None:
        pytest.skip("it has no option with a value")

    def wrong(**_):
        raise InputError(f"{option.name}: got 1; expected 2. Give {option.name}=2, or `{option.name}=3`.")

    monkeypatch.setattr(COMMANDS[name], "callback", wrong)
    monkeypatch.setattr(COMMANDS[name], "params", [])
    flag = max(option.opts, key=len)
    monkeypatch.setattr(type(COMMANDS[name]), "_options", lambda _: {option.name: flag})
    with pytest.raises(InputError, match=f"^{flag}: got 1; expected 2. Give {flag} 2, or `{flag} 3`.$"):
        COMMANDS[name].main([], standalone_mode=False)


def test_a_mistake_of_ours_is_json_too(monkeypatch, capsys):
    code, out, err = main(monkeypatch, capsys, "data", "show", "ntuu", "--json")
    error = json.loads(out)
    assert (code, error["exit_code"], error["kind"]) == (2, 2, "CardError")
    assert error["error"].startswith("there is no dataset card 'ntuu'. Did you mean 'ntu'?")
    assert err == f"stexplain: {error['error']}\n"


def test_without_json_nothing_is_printed_to_standard_output(monkeypatch, capsys):
    assert main(monkeypatch, capsys, "data", "show", "ntuu")[:2] == (2, "")


def test_a_bundled_card_is_checked_by_name(monkeypatch, capsys):
    code, out, _ = main(monkeypatch, capsys, "data", "check", "ntu", "--json")
    assert code == 0
    assert json.loads(out)["ok"]
    code, _, err = main(monkeypatch, capsys, "data", "check", "ntuu")
    assert code == 2
    assert "Did you mean 'ntu'?" in err


def test_a_refused_experiment_leaves_nothing_behind(tmp_path, monkeypatch):
    """A stage that refuses the data is heard before anything is trained."""
    from stexplain import bench
    from stexplain.bench.stages.train import TrainStage
    from stexplain.errors import InputError

    def refused(*_):
        raise InputError("this data will not do")

    monkeypatch.setattr(TrainStage, "check_data", refused)
    with pytest.raises(InputError, match="will not do"):
        bench("planted", runs=["graph"], out=tmp_path / "runs" / "one", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_shell_completes_commands_and_options():
    def completed(*words):
        given = {
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_STEXPLAIN_COMPLETE": "complete_bash",
        }
        command = [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['stexplain']; from stexplain.cli.main import main; main()",
        ]
        done = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    assert completed("stexplain", "be") == ["bench"]
    assert completed("stexplain", "explain", "--met") == ["--method"]


def test_help_needs_no_scientific_package():
    """What makes help slow is what is imported: nothing beside the parser and the standard library is."""
    for name in COMMANDS:
        code = f"import sys; sys.argv = {['stexplain', *name.split(), '--help']!r}\n" + (
            "from stexplain.cli.main import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print(sorted({'torch', 'dgl', 'numpy', 'pandas', 'altair', 'rich.console'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.rstrip().endswith("[]"), name
