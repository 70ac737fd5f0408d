"""A chart of one sample out of several says which it is: else it is read as their mean."""

from dataclasses import replace

import numpy as np
import pytest

from stexplain import viz
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from tests.viz.drawing import words

SAMPLES, FRAMES, NODES = 3, 6, 4
GRAPH = STGraph("abcd", [(0, 1), (1, 2), (2, 3)], positions=[[0, 0], [1, 0], [1, 1], [2, 1]])


def explained(ids=("p01", "p02", "p03"), people=1):
    values = np.random.default_rng(0).random((len(ids), people, FRAMES, NODES))
    valid = np.ones((len(ids), people, FRAMES), bool)
    return Explanation(values, valid, ids=ids, graph=GRAPH, node_names=GRAPH.nodes, targets=[1] * len(ids))


def edges(ids=("p01", "p02", "p03")):
    values = np.random.default_rng(0).normal(size=(len(ids), FRAMES, 3)).astype(np.float32)
    over_time = {"1": EdgeFrames(np.arange(float(FRAMES)), values)}
    total = values.sum(axis=1)
    return EdgeExplanation(
        total, ("a", "b", "c"), ("b", "c", "d"), ("out",) * 3, ("1",) * 3, ids=ids, over_time=over_time
    )


def skeleton(e, sample):
    return viz.skeleton(e, sample=sample, interactive=False)


CHARTS = {
    "timeline": (explained, lambda e, sample: viz.timeline(e, sample=sample)),
    "skeleton": (explained, skeleton),
    "skeleton that moves": (explained, lambda e, sample: viz.skeleton(e, sample=sample)),
    "lag_map": (explained, lambda e, sample: viz.lag_map(e, sample=sample, minutes=5)),
    "road_network": (explained, lambda e, sample: viz.road_network(e, sample=sample, minutes=5)),
    "edge_network": (edges, lambda e, sample: viz.edge_network(e, GRAPH, sample=sample)),
    "edge_timeline": (edges, lambda e, sample: viz.edge_timeline(e, sample=sample)),
    "what plot() draws": (explained, lambda e, sample: e.plot(sample)),
}


@pytest.mark.parametrize("name", CHARTS)
def test_the_sample_is_named_and_how_many_there_are(name):
    make, draw = CHARTS[name]
    said = " ".join(words(draw(make(), 1)))
    assert "ample p02, one of 3." in said
    # Without a name it is counted, from one.
    assert "ample 2 of 3." in " ".join(words(draw(make(ids=("", "", "")), 1)))


@pytest.mark.parametrize("name", CHARTS)
def test_of_a_sample_alone_no_number_is_said(name):
    make, draw = CHARTS[name]
    said = " ".join(words(draw(make(ids=("p01",)), 0)))
    assert "one of" not in said
    assert " of 1" not in said


def test_one_person_of_two_is_said():
    e = explained(people=2)
    assert "Sample p01, one of 3. Instance 2 of 2." in " ".join(words(viz.timeline(e, instance=1)))
    # Where nobody else is there, nobody is counted.
    valid = e.valid.copy()
    valid[:, 1] = False
    alone = replace(e, valid=valid)
    assert "Instance" not in " ".join(words(viz.timeline(alone)))
