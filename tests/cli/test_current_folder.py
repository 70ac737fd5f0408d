"""What lies in the current folder is not imported by `python -m stexplain`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stexplain


@pytest.mark.parametrize("arguments", [["data", "show", "ntu"], ["doctor"]])
def test_a_module_in_the_current_folder_is_not_run(arguments, tmp_path):
    for name in ("numpy", "torch", "pydantic", "typer", "rich", "pandas", "tomllib", "dgl"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\n", "utf-8")
    path = os.pathsep.join([str(Path(stexplain.__file__).parents[1]), *(one for one in sys.path if one)])
    ended = subprocess.run(
        [sys.executable, "-m", "stexplain", *arguments],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "ran").exists()
