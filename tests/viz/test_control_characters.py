"""Control characters in names: a drawing of them ends the process, and a terminal obeys them."""

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz import comparison, save

EVIL = ["\x1b[31mred", "a\x00", "bell\x07", "\x9b2J", "\ufffe"]


@pytest.mark.parametrize("text", EVIL)
def test_names_with_them_are_refused(text):
    with pytest.raises(InputError, match=r"^node 1: got '.*which holds the control character"):
        STGraph(("hip", text), [(0, 1)])
    with pytest.raises(InputError, match=r"^groups: got '.*which holds the control character"):
        STGraph(("hip", "knee"), [(0, 1)], groups={text: ["hip"]})
    for field in ("node_names", "ids", "classes", "channel_units"):
        names = ("a", text) if field == "node_names" else (text,)
        with pytest.raises(InputError, match=rf"^{field}\[\d\]: got '.*control character") as raised:
            Explanation(np.zeros((1, 1, 3, 2)), np.ones((1, 1, 3), bool), **{field: names})
        assert text not in str(raised.value)


def test_ends_of_lines_and_letters_of_any_script_stay():
    names = ("links\nHüfte", "右\t膝", "ركبة")
    assert STGraph(names, [(0, 1), (1, 2)]).nodes == names


@pytest.mark.parametrize("kind", [".svg", ".png", ".html", ".json"])
def test_in_a_table_they_are_drawn_as_unknown(tmp_path, kind):
    columns = {"metric": ["m", "m"], "method": ["A\x1b[31m", "Random"], "value": 0.5, "low": 0.4, "high": 0.6}
    path = save(comparison(pd.DataFrame(columns)), tmp_path / f"chart{kind}")
    if kind != ".png":
        text = path.read_text("utf-8")
        assert "\ufffd[31m" in text or r"\ufffd[31m" in text
        assert "\x1b" not in text
        assert "\\u001b" not in text
