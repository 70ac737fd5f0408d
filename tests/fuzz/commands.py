"""Random arguments for every command of the command line, found from its parameters."""

import contextlib
import io
import random
import re
import sys
from pathlib import Path
from typing import Any

TEXTS = (
    "", " ", "ntu", "ntuu", "roads", "planted", "skeletons", "xsub/test", "a" * 5000, "\x1b[31m", "<script>", "0", "-1",
    "1e9", "nan", "../..", "/dev/zero", "/dev/null/x", "os:system", "stexplain.nn.stgcn:STGCN", "os.path", ":", "json:",
    "stgcn7", "stgcn-roads", "predicted", "forecast:a:1", "forecast::", "b c t n", "(b m) c t n", "ü", "99999999999999",
)  # fmt: skip


def call_command(path: tuple[str, ...], case: Path, out: Path) -> None:
    """Calls a command with arguments drawn from the case's own name, which no two cases share."""
    import typer

    from stexplain.cli.main import app

    draw = random.Random(case.parent.name)
    root: Any = typer.main.get_command(app)
    command = root
    for name in path:
        command = command.commands[name]
    arguments = list(path)
    for parameter in command.params:
        values = [str(_value(parameter, case, out, draw)) for _ in range(draw.choice((1, 1, 1, 2)))]
        if parameter.param_type_name == "argument":
            if draw.random() < 0.95:
                arguments += values if parameter.nargs == -1 else values[:1]
        elif parameter.name == "out" or draw.random() < 0.3:
            flag = draw.choice(parameter.opts)
            arguments += [flag] if parameter.is_flag else [flag, values[0]]
    if draw.random() < 0.05:
        arguments.insert(draw.randrange(len(arguments) + 1), draw.choice(TEXTS))
    _without_long_work()
    said = io.StringIO()
    # `sys.argv` is noted in results.
    before, sys.argv = sys.argv, ["stexplain", *arguments]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            root.main(arguments, standalone_mode=True)
    except SystemExit as ended:
        if ended.code not in (0, 1, 2, None):
            raise AssertionError(f"ended with {ended.code}: {said.getvalue()[-500:]}") from ended
    finally:
        sys.argv = before


def _without_long_work() -> None:
    """Nothing is generated or trained: in the process of a case, which ends with it."""
    from stexplain.bench.stages import train
    from stexplain.data.planted import cache
    from stexplain.errors import InputError

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise InputError("the fuzzer generates and trains nothing.")

    # What every dataset's cache goes through, by whatever name it was imported.
    cache._cached = refused
    train.TrainStage.compute = refused


def _value(parameter: Any, case: Path, out: Path, draw: random.Random) -> object:
    # Of click, or of typer's own later.
    kind = str(getattr(parameter, "type_descriptor", None) or parameter.type).lower()
    kind = kind.partition("parameter_info")[0]
    if parameter.name == "out":
        return draw.choice((out, out, case, case / "file.txt" / "x", "/dev/null", out / ("n" * 300), case / "link", ""))
    if "path" in kind or draw.random() < 0.3:
        inside = sorted(case.iterdir()) if case.is_dir() else [case]
        return draw.choice((case, draw.choice(inside), case / "nowhere", "/dev/zero", "/dev/null", *TEXTS[:8]))
    if "int" in kind or "float" in kind:
        return draw.choice((0, 1, -1, 2**31, 2**63, 10**30, "x", "nan", 0.5, ""))
    if "choice" in kind or "literal" in kind:
        return draw.choice((*re.findall("'([a-z]+)'", kind), "x"))
    return draw.choice(TEXTS)
