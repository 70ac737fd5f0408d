"""The sum of the maps of several streams: what is said of it holds for all of them together."""

from dataclasses import replace

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.by_stream import SAME_MAP, summed
from stexplain.explainers.explanation import Explanation

RANDOM = np.random.default_rng(0)
VALUES, VALID = RANDOM.normal(size=(3, 2, 1, 4, 5)), np.ones((2, 1, 4), bool)
MISSED = np.array([0.25, np.nan])
STREAMS = {
    name: Explanation(
        values,
        VALID,
        tuple("abcde"),
        ids=("one", "two"),
        channels=values[..., None],
        reduce="the only one",
        standard_error=np.abs(values),
        layer_values=values,
        notes=("Of all.", f"Of {name}."),
        extra={"missed": MISSED, "size": values.mean((1, 2, 3)), **({} if name == "speed" else {"two": MISSED})},
    )
    for name, values in zip(("joint", "bone", "speed"), VALUES, strict=True)
}


def test_a_sum_has_the_numbers_of_all_and_none_of_one_alone():
    total = summed(STREAMS)
    np.testing.assert_allclose(total.values, VALUES.sum(0), rtol=1e-5)
    assert (total.channels, total.standard_error, total.layer_values, total.call) == (None, None, None, None)
    assert (total.channel_names, total.reduce, total.ids) == ((), "", ("one", "two"))
    np.testing.assert_array_equal(total.extra.pop("missed"), MISSED.astype(np.float32))
    assert not total.extra
    first = "The sum of the maps of the streams joint, bone, speed."
    assert total.notes == (first, "Of all.", "Of joint.", "Of bone.", "Of speed.")
    assert not {"two", "size"} - set(STREAMS["joint"].extra)


def test_the_map_of_a_layer_is_no_sum():
    after = {name: replace(e, notes=(SAME_MAP,)) for name, e in STREAMS.items()}
    with pytest.raises(InputError, match="maps of a layer after the streams are joined"):
        summed(after)
    with pytest.raises(InputError, match="maps of a layer"):
        summed({"joint": STREAMS["joint"], "bone": after["bone"]})
    # Of a single stream there is nothing to add.
    np.testing.assert_array_equal(summed({"joint": after["joint"]}).values, STREAMS["joint"].values)
    with pytest.raises(InputError, match="got no explanations"):
        summed({})
