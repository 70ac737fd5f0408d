"""Values of a protocol in another type than those of the recordings: refused, for they would select nothing."""

import numpy as np
import pandas as pd
import pytest

from stexplain.cards import dataset_card
from stexplain.data.splits import protocol_mask
from stexplain.errors import CardError


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        (["1", "2", "3"], r"protocol 'xsub' .*got 1 as a value of 'subject'; the recordings have text: write '1'"),
        (["1", "77", "3"], r"got 1 as a value of 'subject'"),
    ],
)
def test_numbers_of_the_card_are_not_text_of_the_recordings(subjects, said):
    with pytest.raises(CardError, match=said):
        protocol_mask(pd.DataFrame({"subject": subjects}), dataset_card("ntu"), "xsub", "train")


def test_values_of_one_type_select_as_before():
    table = pd.DataFrame({"subject": [1, 2, 3, 77]})
    found = protocol_mask(table, dataset_card("ntu"), "xsub", "train+validation")
    np.testing.assert_array_equal(found, [True, True, False, False])
    floats = protocol_mask(table.astype(float), dataset_card("ntu"), "xsub", "train+validation")
    np.testing.assert_array_equal(floats, found)
