import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.graph import Relations
from stexplain.nn.graph_convolution import RelationConvolution
from stexplain.nn.receptive_field import receptive_field


@pytest.mark.parametrize("node", [-1, 4])
def test_a_node_that_is_not_there_is_refused(node):
    layer = RelationConvolution(Relations.from_matrices([np.eye(4)]), 4, 1, 1)
    with pytest.raises(InputError, match=f"nodes: got {node}; expected indices from 0 to 3"):
        receptive_field([layer], [0, node])


def test_no_convolution_is_refused():
    with pytest.raises(InputError, match="convolutions: got none"):
        receptive_field([], [0])
