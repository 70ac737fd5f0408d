"""No shortcut leads to the action of a planted recording: nothing but its truth tells it, and no control finds that."""

from collections import Counter
from itertools import product

import numpy as np
import torch

from stexplain.data import Batch
from stexplain.data.planted.actions import MEANINGLESS, PARTS, Piece, Span, action_of, path
from stexplain.data.planted.body import resting, skeleton
from stexplain.data.planted.ntu import ACTIONS, CLASSES, perform, record
from stexplain.metrics import baseline_scores, best_baseline


def test_an_action_is_as_far_and_as_fast_as_what_means_nothing():
    span = Span(0, 31)
    for part in PARTS:
        lengths = [
            [np.linalg.norm(np.diff(path(Piece(part, signs, span)), order, axis=0), axis=1) for order in (0, 1, 2)]
            for signs in product((1, -1), repeat=3)
        ]
        for other in lengths[1:]:
            for one, another in zip(lengths[0], other, strict=True):
                np.testing.assert_allclose(one, another, atol=1e-12)


def test_one_way_and_any_two_are_alike_in_actions_and_in_what_means_nothing():
    for signs in ([one.signs for one in ACTIONS.values()], MEANINGLESS):
        moments = np.array(signs)
        assert not moments.mean(axis=0).any()
        np.testing.assert_array_equal(moments.T @ moments, 4 * np.eye(3))
    for code, action in ACTIONS.items():
        assert np.prod(action.signs) == -1
        assert {action_of(part, action.signs) for part in action.parts} == {code}
        assert {action_of(part, signs) for part in action.parts for signs in MEANINGLESS} == {None}


def test_either_side_acts_as_often():
    for action, kind in ACTIONS.items():
        parts = Counter(
            perform(action, subject, camera=camera).act.part for subject in range(1, 41) for camera in (1, 2, 3)
        )
        assert set(parts) == set(kind.parts)
        share = 1 / len(kind.parts)
        assert all(abs(count - 120 * share) <= 3.1 * np.sqrt(120 * share * (1 - share)) for count in parts.values())


def sampled(seed):
    """Of every action and 20 subjects one recording at 32 frames, centred as samples are, as one batch."""
    x, truth = [], []
    for action in ACTIONS:
        for subject in range(1, 21):
            made = record(perform(action, subject, seed=seed), 1 + subject % 3, np.random.default_rng(subject))
            frames = np.linspace(0, len(made.bodies[0].xyz) - 1, 32).round().astype(int)
            x.append(made.bodies[0].xyz[None, frames] - made.bodies[0].xyz[0, 20])
            truth.append(made.truth[:1, frames])
    x = torch.from_numpy(np.stack(x)).float()
    valid = torch.ones(x.shape[:3], dtype=torch.bool)
    return Batch(x, valid, torch.zeros(len(x)), tuple(map(str, range(len(x)))), torch.from_numpy(np.stack(truth)))


def test_no_baseline_explainer_finds_the_truth():
    scores = baseline_scores([sampled(0)], training=sampled(1))
    assert len(scores) == 8
    for over in ("nodes", "frames", "positions"):
        assert best_baseline(scores, over).value < 0.70


def test_nothing_outside_the_truth_tells_the_class():
    """A classifier that is given everything but the action is at chance; given the action, it is not."""
    labels, backgrounds, acted = [], [], []
    for label, action in enumerate(CLASSES):
        for subject in range(1, 41):
            performance = perform(action, subject)
            labels.append(label)
            backgrounds.append(summary(performance.background))
            if performance.act is not None:
                acted.append(course(performance))
    labels = np.array(labels)
    first = np.tile(np.arange(1, 41) % 2 == 0, len(CLASSES))
    chance, count = 1 / len(CLASSES), int((~first).sum())
    bound = chance + 3.1 * np.sqrt(chance * (1 - chance) / count)  # one in a thousand under the null
    assert nearest(np.array(backgrounds), labels, first) < bound
    acts = labels < len(ACTIONS)
    assert nearest(np.array(acted), labels[acts], first[acts]) > 0.5


def summary(xyz):
    """Where joints are in each third of the clip, how far they go and how fast, relative to the first frame."""
    centred = xyz - xyz[0, 20]
    speed = np.linalg.norm(np.diff(xyz, axis=0), axis=-1)
    parts = [part.mean(axis=0).ravel() for part in np.array_split(centred, 3)]
    return np.concatenate([*parts, centred.std(axis=0).ravel(), centred.max(axis=0).ravel(), speed.mean(axis=0)])


def course(performance):
    """Which ways every part has gone from rest amid the action, and the products of any two and of all three."""
    # The middle of what lies within the clip.
    act = performance.act
    middle = (max(act.span.start, 0) + min(act.span.start + act.span.frames, len(performance.xyz))) // 2
    rest = skeleton(performance.person, resting(1))[0]
    ways = []
    for part in PARTS:
        end = {"left arm": 6, "right arm": 10, "left leg": 14, "right leg": 18, "head": 3}[part]
        moved = np.sign(performance.xyz[middle, end] - rest[end]) * (part == act.part)
        ways += [*moved, moved[0] * moved[1], moved[0] * moved[2], moved[1] * moved[2], moved.prod()]
    # Which side acts says nothing.
    arms, legs, head = ways[:7] + ways[7:14], ways[14:21] + ways[21:28], ways[28:]
    return np.concatenate([np.add(arms[:7], arms[7:]), np.add(legs[:7], legs[7:]), head])


def nearest(features, labels, train):
    """The accuracy of the nearest centroid of standardised features."""
    scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    centroids = np.stack([scaled[train & (labels == label)].mean(axis=0) for label in np.unique(labels)])
    distance = np.linalg.norm(scaled[~train][:, None] - centroids, axis=-1)
    return float((distance.argmin(axis=1) == labels[~train]).mean())
