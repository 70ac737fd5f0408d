"""Windows of no frames are refused as they are given: 0 does not stand for what a file says."""

import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import InputError


@pytest.mark.parametrize("name", ["window", "horizon", "stride"])
def test_no_frame_is_no_default(tmp_path, name):
    path = tmp_path / "speeds.csv"
    pd.DataFrame({"a": range(40), "b": range(40, 0, -1)}, dtype=float).to_csv(path, index=False)
    assert len(stx.load_sensors(path, links="none")) == 40 - 24 + 1
    with pytest.raises(InputError, match=f"^{name}: got 0; expected at least 1 frame"):
        stx.load_sensors(path, links="none", **{name: 0})
