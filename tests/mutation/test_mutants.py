"""The tool that puts faults in: every fault changes the code, and a live module works with it."""

import ast
import importlib.util
import sys

import numpy as np
import pytest

from stexplain.metrics.masking import mean_over_masking
from tests.mutation.equivalent import code, equivalent, listed
from tests.mutation.graft import graft
from tests.mutation.mapping import ROOT, core, files_for
from tests.mutation.mutants import mutants, statement
from tests.mutation.touched import Touched, recorded

SOURCE = '''
LIMIT = 3


class Scale:
    """Twice: 2 of it."""

    size = 5

    def __init__(self, by: int = 2):
        self.by = by

    @property
    def twice(self) -> int:
        return self.by * 2

    def of(self, x):
        def inner(y):
            return y - 1

        if x < LIMIT:
            raise ValueError(f"got {x}; expected {LIMIT + 1}")
        return inner(x)
'''


@pytest.fixture
def live(tmp_path, monkeypatch):
    path = tmp_path / "a_live_module.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("a_live_module", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "a_live_module", module)
    spec.loader.exec_module(module)
    return module


def the(what, function):
    (found,) = [one for one in mutants(SOURCE) if (one.what, one.function) == (what, function)]
    return found


def test_faults_are_where_results_come_from():
    assert [(one.function, one.what) for one in mutants(SOURCE)] == [
        ("", "3 to 4"),
        ("", "5 to 6"),
        ("", "2 to 3"),
        ("Scale.__init__", "statement left out"),
        ("Scale.twice", "* to /"),
        ("Scale.twice", "2 to 3"),
        ("Scale.of", "- to +"),
        ("Scale.of", "1 to 2"),
        ("Scale.of", "condition always true"),
        ("Scale.of", "condition always false"),
        ("Scale.of", "Lt to LtE"),
        ("Scale.of", "Lt turned round"),
    ]


@pytest.mark.parametrize(
    ("what", "function", "result", "expected"),
    [
        ("2 to 3", "Scale.twice", lambda live, scale: scale.twice, 6),
        ("- to +", "Scale.of", lambda live, scale: scale.of(7), 8),
        ("condition always false", "Scale.of", lambda live, scale: scale.of(0), -1),
        ("2 to 3", "", lambda live, scale: live.Scale().by, 3),
        ("5 to 6", "", lambda live, scale: scale.size, 6),
        ("3 to 4", "", lambda live, scale: live.LIMIT, 4),
    ],
)  # fmt: skip
def test_a_live_module_has_the_fault(live, what, function, result, expected):
    scale = live.Scale()
    kind = live.Scale
    graft(live, the(what, function))
    assert result(live, scale) == expected
    assert live.Scale is kind


def test_every_module_of_the_core_has_tests():
    assert {"stexplain/metrics/localisation.py", "stexplain/explainers/methods/layer/positions.py"} <= set(core())
    assert [module for module in core() if not any(file.startswith("tests/") for file in files_for(module))] == []


def test_faults_compile():
    path = ROOT / "stexplain/explainers/methods/layer/positions.py"
    for one in mutants(path.read_text("utf-8")):
        compile(one.tree, str(path), "exec")


@pytest.mark.parametrize(("line", "expected"), [(18, range(18, 19)), (20, range(20, 21)), (23, range(23, 24))])
def test_the_statement_of_a_line_ends_before_its_body(line, expected):
    assert statement(ast.parse(SOURCE), line) == expected


def test_lines_that_each_test_executes_are_recorded():
    module = "stexplain/metrics/masking.py"

    def running():
        yield "nothing"
        mean_over_masking(np.array([0.0, 1.0]), np.array([[1.0], [0.0]]))
        yield "a mean"

    tests = recorded(running(), {module}, lambda: "")
    assert tests["nothing"][1] == {}
    source = (ROOT / module).read_text("utf-8").splitlines()
    executed = [source[line - 1].strip() for line in tests["a mean"][1][module]]
    assert (executed[0], executed[-1]) == ("if len(masking) < 2:", "return means")
    assert "return first" not in executed


def test_a_failing_test_is_no_record():
    with pytest.raises(AssertionError, match="one fails"):
        recorded(iter(["one"]), set(), lambda: "one")


def test_tests_that_execute_a_line_come_first_and_the_shortest_of_them():
    tests = {"long": (3.0, {"m": [5, 6]}), "other": (0.1, {"m": [9]}), "short": (1.0, {"m": [6]})}
    touched = Touched("", tests)
    assert touched.chosen("m", range(6, 7), 60.0) == (["short", "long", "other"], pytest.approx(4.1))
    assert touched.chosen("m", range(6, 7), 0.5) == (["short"], 1.0)
    assert touched.chosen("m", range(5, 6), 60.0)[0][0] == "long"
    assert touched.chosen("m", range(7, 8), 60.0) == ([], 0.0)
    assert touched.chosen("m", None, 60.0)[0] == ["other", "short", "long"]
    assert touched.chosen("another", None, 60.0) == ([], 0.0)


def test_faults_that_are_said_to_change_nothing_can_be_put_in():
    for one in listed():
        found = [
            mutant
            for mutant in mutants((ROOT / one["module"]).read_text("utf-8"))
            if code(one["module"], mutant.line) == one["code"] and equivalent(one["module"], mutant)
        ]
        assert {mutant.what for mutant in found} == set(one["what"]), one
