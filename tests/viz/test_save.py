import json
import re

import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.viz import history, save


@pytest.fixture
def chart():
    return history(pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]}))


def test_a_page_that_loads_nothing(chart, tmp_path):
    page = save(chart, tmp_path / "chart.html").read_text("utf-8")
    assert "vegaEmbed" in page
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=\s*[\"']?https?:", page)


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<svg"), ("a.pdf", b"%PDF"), ("a.json", b"{")]
)
def test_pictures_and_specification(chart, tmp_path, name, start):
    path = save(chart, tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_specification_is_the_chart(chart, tmp_path):
    assert json.loads(save(chart, tmp_path / "a.json").read_text("utf-8")) == chart.to_dict()


def test_an_unknown_ending_writes_nothing(chart, tmp_path):
    with pytest.raises(InputError, match=r"unsupported format '\.gif'; use \.html"):
        save(chart, tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())
