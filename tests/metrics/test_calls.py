"""How metrics call a model: as they are told, else as an explanation remembers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Sample
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.options import ModelCall
from stexplain.graph import STGraph
from stexplain.metrics.calls import as_batch, call_of, parts_of
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


def test_a_batch_brings_its_own_missing_values():
    of = batch()
    with pytest.raises(InputError, match="observed"):
        as_batch(ModelCaller(None), of, observed=torch.ones(of.x.shape[:4], dtype=torch.bool))


def test_streams_are_no_batch():
    with pytest.raises(InputError, match="got a dict of streams; expected a tensor"):
        as_batch(ModelCaller(None), {"joint": torch.zeros(1, 1, 2, 2, 1)})


PATH = STGraph("abc", [(0, 1), (1, 2)])
STREAMS = {"joint": "b n t c", "bone": "b t n c"}


@pytest.mark.parametrize(
    ("caller", "kind"),
    [
        (ModelCaller(None), lambda count: torch.zeros(count, 1, 4, 3, 1)),
        (ModelCaller(nn.Flatten()), lambda count: torch.zeros(count, 4, 3)),
        (ModelCaller(None, inputs="c t n b"), lambda count: torch.zeros(2, 4, 3, count)),
        (ModelCaller(None, inputs="(b m) c t n"), lambda count: torch.zeros(2 * count, 2, 4, 3)),
        (
            ModelCaller(None, inputs="b (t n)", graph=PATH),
            lambda count: torch.zeros(count, 12),
        ),
        (ModelCaller(nn.Flatten(), inputs=STREAMS), lambda count: {"joint": torch.zeros(count, 3, 4, 2)}),
        (ModelCaller(nn.Flatten(), inputs="b n t c"), lambda count: {"joint": torch.zeros(count, 3, 4, 2)}),
        (ModelCaller(nn.Flatten()), lambda count: {"joint": torch.zeros(count, 2, 4, 3, 2)}),
        (None, lambda count: batch(samples=count)),
    ],
)
def test_what_belongs_to_samples_is_cut_as_they_are_batched(caller, kind):
    """However a batch is laid out, and whatever it is: three samples, then one, then two."""
    counts, hours = (3, 1, 2), np.arange(6) * 10
    valid = np.arange(6 * 2 * 4).reshape(6, 2, 4) % 3 > 0
    call = ModelCall(valid=valid, per_sample={"hour": hours}, shared={"scale": 2.0})
    parts = [part for _, part in parts_of(caller, [kind(count) for count in counts], call)]
    assert [part.per_sample["hour"].tolist() for part in parts] == [[0, 10, 20], [30], [40, 50]]
    np.testing.assert_array_equal(np.concatenate([part.valid for part in parts]), valid)
    assert [len(part.valid) for part in parts] == [*counts]
    assert all(part.shared == {"scale": 2.0} for part in parts)


def test_a_single_sample_takes_one_entry_and_tensors_need_a_layout():
    samples = [Sample(torch.zeros(1, 4, 3, 2), torch.ones(1, 4, dtype=torch.bool), 0, name) for name in "ab"]
    call = ModelCall(per_sample={"hour": [5, 7]})
    assert [part.per_sample["hour"] for _, part in parts_of(None, samples, call)] == [[5], [7]]
    with pytest.raises(InputError, match="a tensor and no explainer that knows its layout"):
        list(parts_of(None, [torch.zeros(1, 1, 4, 3, 2)], call))
    # A single one of them takes all, and of several nothing is cut where there is nothing to cut.
    assert next(parts_of(None, batch(), call))[1] is call
    plain = ModelCall(shared={"scale": 1.0})
    assert [part for _, part in parts_of(None, [torch.zeros(2)] * 2, plain)] == [plain] * 2


def test_a_dict_of_explanations_is_none():
    with pytest.raises(InputError, match=r"expected the explanation of one, such as explanation\['joint'\]"):
        call_of({"joint": remembering(None)}, {}, None, None, None)
