"""Names of methods with settings of one's own: which settings are shown, and in which words."""

import numpy as np
import pytest
import torch

from stexplain.data.baselines import HistoryOr
from stexplain.errors import InputError
from stexplain.explainers.methods.naming import base_name, named


class Ours:
    def __init__(self, window=8, baseline="zero", groups=None, per_channel=False, rate=0.5, baselines=("zero", "mean")):
        pass


class Inheriting(Ours):
    pass


class Extending(Ours):
    def __init__(self, window=4, **options):
        pass


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": 8}, ""),
        ({"window": 8.0}, ""),
        ({"window": 4}, "window 4"),
        ({"window": None}, "no window"),
        ({"rate": 0.25}, "rate 0.25"),
        ({"rate": 1 / 3}, "rate 0.3333333333333333"),
        ({"rate": 1e-7}, "rate 1e-07"),
        ({"rate": 123456789}, "rate 123456789.0"),
        ({"baseline": "mean"}, "baseline mean"),
        ({"baseline": HistoryOr("mean")}, "baseline historical average or mean"),
        ({"baseline": abs}, "another baseline"),
        ({"baseline": np.zeros(3)}, "another baseline"),
        ({"baseline": 7}, "baseline 7"),
        ({"groups": {"arm": [0]}}, "other groups"),
        ({"groups": [[0], [1]]}, "other groups"),
        ({"groups": None}, ""),
        ({"per_channel": True}, "per channel"),
        ({"per_channel": False}, ""),
        ({"baselines": ["zero", "mean"]}, ""),
        ({"baselines": ("zero",)}, "baselines zero"),
        ({"baselines": ("zero", abs)}, "baselines zero and another"),
        ({"baselines": (abs, abs)}, "other baselines"),
        ({"baselines": torch.zeros(2)}, "other baselines"),
        ({"baselines": ("mean", "zero")}, "baselines mean and zero"),
        ({"window": 4, "per_channel": True}, "window 4, per channel"),
    ],
)
def test_settings_that_differ_from_the_default_are_shown(settings, words):
    expected = f"ours ({words})" if words else "ours"
    assert named(Ours, "ours", **settings) == named(Inheriting, "ours", **settings) == expected


def test_what_is_shown_in_any_case_comes_first():
    assert named(Ours, "ours", "keep", window=8) == "ours (keep)"
    assert named(Ours, "ours", "keep", window=2) == "ours (keep, window 2)"


def test_the_default_is_that_of_the_class_which_says_it():
    assert named(Extending, "ours", window=4, rate=0.5) == "ours"
    assert named(Extending, "ours", window=8) == "ours (window 8)"
    with pytest.raises(TypeError, match="Extending has no argument 'hops'"):
        named(Extending, "ours", hops=1)


class Flag:
    def __init__(self, share=True):
        pass


def test_a_flag_that_is_off_is_said():
    assert named(Flag, "ours", share=False) == "ours (no share)"


@pytest.mark.parametrize(("digits", "fits"), [(299, True), (301, False)])
def test_numbers_of_ordinary_size(digits, fits):
    value = 10**digits
    if fits:
        assert named(Ours, "ours", baseline=value) == f"ours (baseline {float(value):g})"
    else:
        for wrong in (value, -value):
            with pytest.raises(InputError, match="more than 300 digits"):
                named(Ours, "ours", baseline=wrong)


@pytest.mark.parametrize(
    ("method", "base"),
    [
        ("occlusion", "occlusion"),
        ("occlusion (window 4)", "occlusion"),
        ("occlusion (window 4), without the graph", "occlusion (window 4), without the graph"),
        ("occlusion (window (4))", "occlusion (window (4))"),
        ("occlusion(4)", "occlusion(4)"),
        ("occlusion (4", "occlusion (4"),
    ],
)
def test_names_without_their_settings(method, base):
    assert base_name(method) == base
