import pytest

from stexplain.errors import InputError
from stexplain.graph.checks import node_index

SENSORS = ["767541", "773869", "1"]


@pytest.mark.parametrize(("node", "index"), [("773869", 1), (773869, 1), (0, 0), (2, 2)])
def test_numbers_are_indices_or_names(node, index):
    assert node_index(node, SENSORS, 3) == index


def test_a_number_that_is_an_index_and_a_name_is_refused():
    with pytest.raises(InputError, match="got 1, the index of '773869' and the name of node 2; expected a name"):
        node_index(1, SENSORS, 3)
    # Where both mean the same there is no question.
    assert node_index(1, ["0", "1", "2"], 3) == 1


def test_a_number_that_is_neither_is_refused():
    with pytest.raises(InputError, match="got index 7; expected 0 to 2, or the name of a node, such as '767541'"):
        node_index(7, SENSORS, 3)
    with pytest.raises(InputError, match="got index -1; expected 0 to 2"):
        node_index(-1, [], 3)
