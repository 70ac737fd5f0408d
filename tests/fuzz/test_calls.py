"""Calls with wrong arguments, a few of each: at length by `python -m tests.fuzz --target call`."""

import random
import traceback

import pytest

from tests.fuzz.calls import attempt, groups
from tests.fuzz.examples import entries, valid_calls
from tests.fuzz.given import GIVEN, given_call

# Each has its own example, and hardly any needs a model: the longer ones are left to the fuzzer itself.
QUICK = ("graph", "intervals")


@pytest.mark.parametrize("group", QUICK)
def test_wrong_arguments_are_named(group, monkeypatch, tmp_path):
    # Where a path was expected, an odd one may be written to.
    monkeypatch.chdir(tmp_path)
    raw = []
    for entry in groups()[group]:
        for number in range(6):
            try:
                attempt(entry, random.Random(f"{entry.name}/{number}"))
            except AssertionError:
                continue  # which argument an error names is not counted here
            except Exception as error:
                raw.append("".join(traceback.format_exception(error))[-800:])
    assert raw == []


def test_calls_are_found_without_being_named():
    names = {entry.name for entry in entries()}
    assert {"stexplain.explain", "stexplain.STGraph.from_edges", "stexplain.metrics.interval"} <= names
    entry = next(one for one in entries() if one.name == "stexplain.metrics.interval")
    assert valid_calls(entry)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_annotations_do_not_tell_is_called_as_given(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert name in {entry.name for entry in entries()}
    call = given_call(name)
    call.function(**call.named)


@pytest.mark.parametrize(
    "name", ["stexplain.viz.network", "stexplain.metrics.Localisation.joined", "stexplain.nn.STGCN.forward"]
)
def test_what_no_example_calls_is_called_by_its_annotations(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert valid_calls(next(one for one in entries() if one.name == name))
    assert not list(tmp_path.iterdir())
