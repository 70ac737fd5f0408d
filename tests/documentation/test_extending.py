"""The explainer that the page for contributors shows is one: it runs as it stands, and is right."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the package is not tested in its checkout")
def test_the_explainer_of_the_page_is_right():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names = {"__name__": "page"}
    exec(code, names)
    e, x, linear = names["e"], names["x"], names["model"][1]
    by_hand = x.numpy() * linear.weight[1].detach().numpy().reshape(4, 3)
    np.testing.assert_allclose(e.values[:, 0], by_hand, rtol=1e-5)
    # All that there is but the constant term.
    np.testing.assert_allclose(e.values.sum((1, 2, 3)) + float(linear.bias[1].detach()), e.score, rtol=1e-4, atol=1e-6)
    assert e.method == "input times gradient"
