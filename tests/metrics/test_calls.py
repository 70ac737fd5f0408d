"""How metrics call a model: as they are told, else as an explanation remembers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.options import ModelCall
from stexplain.metrics.calls import as_batch, call_of
from tests.metrics.small_batches import batch


def remembering(call):
    return Explanation(np.zeros((1, 1, 2, 2)), np.ones((1, 1, 2), bool), call=call)


def test_what_is_given_wins_over_what_is_remembered():
    mask, other = np.ones((1, 1, 2), bool), np.zeros((1, 1, 2), bool)
    known = ModelCall({"inputs": "b t n"}, mask, {"scale": 1.0, "day": 3}, {"hour": [5]}, "joint")
    for explanation in (remembering(known), known):
        assert call_of(explanation, {}, None, None, None).valid is mask
        given = call_of(explanation, {"chunk": 2}, other, {"hour": 7}, {"day": [4]})
        assert given.valid is other
        # Each name once: the hour is now the same for all samples, and the day is not.
        assert (given.shared, given.per_sample) == ({"scale": 1.0, "hour": 7}, {"day": [4]})
        assert given.options == {"inputs": "b t n", "chunk": 2}
        assert given.stream == "joint"
    assert call_of(np.zeros(3), {}, other, None, None).valid is other


def test_the_mask_of_a_batch_is_its_own_unless_another_is_given():
    of, caller = batch(), ModelCaller(None)
    for nothing_said in (None, True):
        assert torch.equal(as_batch(caller, of, nothing_said).valid, of.valid)
    shorter = of.valid.clone()
    shorter[:, :, 2:] = False
    assert torch.equal(as_batch(caller, of, shorter.numpy()).valid, shorter)
    assert torch.equal(as_batch(caller, replace(of, valid=shorter)).valid, shorter)


def test_streams_are_no_batch():
    with pytest.raises(InputError, match="got a dict of streams; expected a tensor"):
        as_batch(ModelCaller(None), {"joint": torch.zeros(1, 1, 2, 2, 1)})
