"""What each copy changed, and where no axes can be told: said, with the reason."""

import torch

from stexplain.explainers.model.probe.plan import changed_signals, first_plan
from stexplain.explainers.model.probe.responses import factors_of
from tests.explainers.small_models import signals


def test_a_shape_that_depends_on_the_values_has_no_axes():
    """As of what is chosen by a threshold; also where one shape could be broadcast to the other."""
    plan = first_plan({"m": 1, "t": 6, "n": 5, "c": 2})
    before, after = changed_signals(signals(1, 1, 6, 5, 2), plan)
    for other in (after[:-1], after[:, :, :1]):
        assert factors_of(before, other, plan) == (None, "its shape depends on the values of the input")
    assert factors_of(before, after, plan)[0] is not None


def test_what_is_not_finite_and_stays_so_is_no_change():
    """Values that become infinite are the largest change."""
    plan = first_plan({"m": 1, "t": 6, "n": 5, "c": 2})
    before, after = changed_signals(signals(1, 1, 6, 5, 2), plan)
    for tensor in (before, after):
        tensor[:, :, 2], tensor[:, :, 3] = torch.nan, torch.inf
    factors, _ = factors_of(before, after, plan)
    in_time = factors[2].response
    assert (in_time[:, 2:4] == 0).all()
    after[3, 0, 2] = 1
    factors, _ = factors_of(before, after, plan)
    assert factors[2].response[3, 2] == 1e100


def test_samples_one_by_one_lie_where_the_first_alone_changes():
    """In a batch of the caller's own: along no axis, one, or two that look alike."""
    plan = first_plan({"m": 1, "t": 6, "n": 5, "c": 2}).one_after_another(3)
    before = torch.zeros(len(plan.changes), 3, 3, 4)
    after = before.clone()
    after[:, 0, :, :] = 1
    factors, why = factors_of(before, after, plan)
    assert ([(one.dimension, one.letter) for one in factors], why) == ([(0, "b"), (1, ""), (2, "")], "")
    after = before.clone()
    after[:, 0, 0, :] = 1
    assert factors_of(before, after, plan) == (None, "more than one axis follows them")
    after = before + 1
    assert factors_of(before, after, plan) == (None, "samples influence each other, or no axis follows them")
