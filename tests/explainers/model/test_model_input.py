"""Samples as a model gets them, with no masks too; their type; and what comes with them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.model.model_input import ModelInput, as_tensor

X = torch.rand(3, 1, 4, 2, 1, generator=torch.Generator().manual_seed(0))
SIZES = {"b": 3, "m": 1, "t": 4, "n": 2, "c": 1}
PLAIN = ModelInput(X, None, SIZES, ("", "", ""))


class History:
    """Stands for what the nodes of windows usually measure: which samples it is of."""

    def __init__(self, samples):
        self.samples = samples

    def __getitem__(self, rows):
        return History(self.samples[rows])

    def repeated(self, copies):
        return History(self.samples * copies)


def test_without_masks_all_is_there():
    assert PLAIN.known_valid.shape == (3, 1, 4)
    assert PLAIN.known_valid.dtype == torch.bool
    assert PLAIN.known_valid.all()
    assert PLAIN.observed_positions.shape == (3, 1, 4, 2)
    assert PLAIN.observed_positions.all()


def test_each_mask_alone_tells_what_is_there():
    valid = torch.rand(3, 1, 4, generator=torch.Generator().manual_seed(1)) > 0.5
    observed = torch.rand(3, 1, 4, 2, generator=torch.Generator().manual_seed(2)) > 0.5
    assert torch.equal(replace(PLAIN, valid=valid).observed_positions, valid[..., None].expand(3, 1, 4, 2))
    assert torch.equal(replace(PLAIN, observed=observed).observed_positions, observed)
    both = replace(PLAIN, valid=valid, observed=observed)
    assert torch.equal(both.observed_positions, observed & valid[..., None])


def test_rows_and_copies_of_plain_samples_stay_plain():
    for found in (PLAIN.rows(slice(1, 3), Layout("b m t n c")), PLAIN.repeated(torch.cat([X, X]), 2)):
        assert (found.valid, found.observed, found.history, found.timestamps) == (None,) * 4
    assert torch.equal(PLAIN.rows(slice(1, 3), Layout("b m t n c")).x, X[1:])


def test_what_is_usual_goes_with_its_samples():
    known = replace(PLAIN, history=History([0, 1, 2]))
    assert known.rows(slice(1, 3), Layout("b m t n c")).history.samples == [1, 2]
    assert known.repeated(torch.cat([X, X]), 2).history.samples == [0, 1, 2, 0, 1, 2]


def test_another_type_is_that_of_all_that_is_floating():
    given = replace(
        PLAIN, shared={"road": torch.ones(2), "edges": torch.ones(2, dtype=torch.long)}, per_sample={"gain": [X]}
    )
    found = given.in_type(torch.float64)
    assert found.x.dtype == found.shared["road"].dtype == found.per_sample["gain"][0].dtype == torch.float64
    assert found.shared["edges"].dtype == torch.long
    assert torch.equal(found.x, X.double())
    assert given.in_type(torch.float32) is given


def test_a_sparse_tensor_is_refused():
    with pytest.raises(InputError, match="x: got a sparse tensor"):
        as_tensor(X.to_sparse())


@pytest.mark.parametrize(
    ("option", "chunk", "sizes"),
    [(None, None, [3]), (2, None, [2, 1]), (None, 2, [2, 1]), (1, 2, [2, 1]), (2, 1, [1, 1, 1]), (9, None, [3])],
)
def test_chunks_hold_as_many_as_are_asked_for(option, chunk, sizes):
    explain = InputGradient(nn.Flatten(), inputs="b m t n c", chunk=option)
    with explain._model_frozen():
        found = [one for one, _ in explain._chunks(explain._prepare(X, None), (), chunk)]
    assert [one.sizes["b"] for one in found] == sizes
    assert torch.equal(torch.cat([one.x for one in found]), X)
