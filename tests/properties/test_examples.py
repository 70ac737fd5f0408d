import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from hypothesis import given, settings

from stexplain.graph import STGraph
from tests.graph.drawn_graphs import graphs
from tests.properties.drawn_networks import cases
from tests.properties.examples import EXAMPLES, everywhere, seeds


def examples(strategy) -> list[str]:
    """In the order of their drawing."""
    found = []

    @settings(everywhere, max_examples=20)
    @given(strategy)
    def collect(value):
        found.append(repr(value))

    collect()
    return found


def load(path) -> None:
    """A module that Hypothesis takes for one of ours, as it is neither installed nor a test."""
    path.write_text("NUMBERS = " + str([*range(-300, 301), *(index / 7 for index in range(70))]))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = module_from_spec(spec)
    spec.loader.exec_module(module)


@pytest.mark.skipif(EXAMPLES > 0, reason="more examples are others in every run")
def test_examples_do_not_depend_on_which_modules_are_loaded(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    strategies = (graphs().map(STGraph.to_dict), cases(), seeds)
    before = [examples(strategy) for strategy in strategies]
    load(tmp_path_factory.mktemp("package") / "numbers_of_ours.py")
    assert [examples(strategy) for strategy in strategies] == before
