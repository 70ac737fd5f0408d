"""The tool that puts faults in: every fault changes the code, and a live module works with it."""

import ast
import importlib.util
import sys

import pytest

from tests.mutation.equivalent import code, equivalent, listed
from tests.mutation.graft import graft, made_before
from tests.mutation.mapping import NEAREST, ROOT, core, files_for
from tests.mutation.mutants import mutants, statement
from tests.mutation.touched import WITH_FAULT, Place, Touched, recorded
from tests.mutation.watch import noting, watch

PLACES = [("m", "f", "a"), ("m", "f", "b"), ("m", "", ""), ("other", "f", "b")]
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


def counter(by):
    def count(x):
        return x + by

    return count
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
        ("counter", "+ to -"),
    ]


def test_assertions_are_no_faults_to_be_found():
    source = "def f(a, b):\n    assert len(a) > 2\n    return dict(zip(a, b, strict=True), c=True)\n"
    assert [one.what for one in mutants(source)] == ["True to False"]


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


def test_a_function_that_was_made_before_has_the_fault(live):
    made = live.counter(3)
    made_before.cache_clear()
    graft(live, the("+ to -", "counter"))
    assert (made(4), live.counter(3)(4)) == (1, 1)
    made_before.cache_clear()


def test_every_module_of_the_core_has_tests():
    assert {"stexplain/metrics/localisation.py", "stexplain/explainers/methods/layer/positions.py"} <= set(core())
    assert all((ROOT / "tests/explainers" / file).is_file() for files in NEAREST.values() for file in files)
    assert [module for module in core() if not any(file.startswith("tests/") for file in files_for(module))] == []


def test_faults_compile():
    path = ROOT / "stexplain/explainers/methods/layer/positions.py"
    for one in mutants(path.read_text("utf-8")):
        compile(one.tree, str(path), "exec")


@pytest.mark.parametrize(("line", "expected"), [(18, range(18, 19)), (20, range(20, 21)), (23, range(23, 24))])
def test_the_statement_of_a_line_ends_before_its_body(line, expected):
    assert statement(ast.parse(SOURCE), line) == expected


def test_statements_that_each_test_executes_are_recorded(live):
    noted, shared = set(), {"made once for all"}
    watch(live, noting("live.py", SOURCE, "live.py"), noted.add)

    def running():
        yield "nothing"
        assert live.Scale().twice == 4
        yield "twice"
        assert live.Scale().of(7) == 6
        yield "of"
        assert live.Scale().of(3) == 2
        yield "fails"
        yield "after it"

    failing = iter([False, False, False, True])
    tests = recorded(running(), noted, shared, lambda: next(failing), 60.0)
    assert {name: executed for name, (_, executed) in tests.items()} == {
        "nothing": ["made once for all"],
        "twice": [
            "live.py:Scale.__init__:self.by = by",
            "live.py:Scale.twice:return self.by * 2",
            "made once for all",
        ],
        "of": [
            "live.py:Scale.__init__:self.by = by",
            "live.py:Scale.of:def inner(y):",
            "live.py:Scale.of:if x < LIMIT:",
            "live.py:Scale.of:return inner(x)",
            "live.py:Scale.of:return y - 1",
            "made once for all",
        ],
    }
    assert list(recorded(running(), noted, shared, lambda: False, 0.0)) == []


def test_tests_that_execute_a_statement_come_first_and_the_shortest_of_them():
    tests = {"long": (3.0, ["m:f:a", "m:f:b"]), "other": (0.1, ["m:g:a"]), "short": (1.0, ["m:f:b"])}
    touched = Touched("", {"m": "before"}, tests)

    def chosen(function, code, seconds=60.0, digest="before", module="m"):
        return touched.chosen(Place(module, digest, function, code), seconds)

    assert chosen("f", "b") == (["short", "long", "other"], pytest.approx(4.1))
    assert chosen("f", "b", 0.5) == (["short"], 1.0)
    assert chosen("f", "a")[0] == ["long", "other", "short"]
    assert chosen("f", "c") == ([], 0.0)
    assert chosen("f", "c", digest="changed since")[0] == ["short", "long", "other"]
    assert chosen("", "")[0] == ["other", "short", "long"]
    assert chosen("", "", module="another") == ([], 0.0)
    assert Touched.unpacked(*touched.packed()) == touched


def test_a_record_made_beside_a_fault_tells_nothing_of_what_it_may_have_led_around():
    touched = Touched("", {"m": WITH_FAULT}, {"one": (1.0, ["m:f:a"])})
    told = [touched.tells(Place(module, "", function, code)) for module, function, code in PLACES]
    assert told == [True, False, True, True]


def test_tests_that_do_not_execute_a_statement_take_a_quarter_of_the_time_at_most():
    tests = {"own": (1.0, ["m:f:a"])} | {f"other {number}": (2.0, []) for number in range(9)}
    chosen, used = Touched("", {}, tests).chosen(Place("m", "", "f", "a"), 16.0)
    assert (chosen, used) == (["own", "other 0", "other 1"], 5.0)


def test_faults_that_are_said_to_change_nothing_can_be_put_in():
    for one in listed():
        found = [
            mutant
            for mutant in mutants((ROOT / one["module"]).read_text("utf-8"))
            if code(one["module"], mutant.line) == one["code"] and equivalent(one["module"], mutant)
        ]
        assert {mutant.what for mutant in found} == set(one["what"]), one
