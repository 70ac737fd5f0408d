from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.bench.shared.by_class import by_class
from stexplain.bench.shared.samples import without_absent_instances
from stexplain.bench.stages import faithfulness
from stexplain.bench.stages.class_importance import IMPORTANCE
from stexplain.data import Clips
from stexplain.graph import STGraph
from stexplain.intervals.bootstrap import interval


def test_batches_without_absent_instances_keep_what_was_not_observed() -> None:
    graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    x = np.random.default_rng(0).normal(size=(4, 3, 6, 3, 2)).astype(np.float32)
    valid = np.ones((4, 3, 6), bool)
    valid[:, 2] = False  # no clip has a third instance
    valid[1:, 1] = False
    observed = np.random.default_rng(1).random((4, 3, 6, 3)) < 0.7
    clips = Clips.from_arrays(x, [0, 1, 0, 1], graph=graph, valid=list(valid), observed=list(observed))
    whole = clips.batch(slice(None))
    cut = without_absent_instances(whole)
    assert tuple(cut.x.shape) == (4, 2, 6, 3, 2)
    assert torch.equal(cut.present, whole.present[:, :2])
    assert not torch.equal(cut.present, cut.valid[..., None].expand(cut.present.shape))
    assert cut.groups == whole.groups


def test_chance_under_masking_is_that_of_all_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of which no sample is classified correctly has no importance, and can be guessed all the same."""
    rows = pd.DataFrame([[0.1, 0.9], [np.nan, np.nan], [0.3, 0.2], [0.5, 0.5]], index=list("ABCD"), columns=["a", "b"])
    rows.to_csv(tmp_path / IMPORTANCE)
    drawn: dict[str, Any] = {}
    monkeypatch.setattr(faithfulness, "masking_curves", lambda table, **options: drawn.update(options))
    result = {"samples": 4, "nodes": 1, "faithfulness": {}}
    run: Any = SimpleNamespace(folder=tmp_path, label="of four classes")
    figures: Any = SimpleNamespace(add=lambda *_: None)
    faithfulness.FaithfulnessStage(faithfulness.Options(nodes=1, values=[1.0], baselines=["zero"])).figures(
        run, {"faithfulness": result}, figures
    )
    assert drawn["chance"] == 0.25


def test_intervals_of_classes_end_where_an_auroc_does() -> None:
    scores = np.array([0.2, *np.full(6, 0.95), *np.full(5, 1.0)])
    result = by_class({"A": scores}, ["nod"] * 12)["A"]["nod"]
    assert interval(scores).high > 1  # not knowing that there is an end
    assert result["low"] > 0
    assert result["high"] <= 1
