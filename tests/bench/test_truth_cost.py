"""What an explanation costs in the stage `truth`."""

import json

import numpy as np

from stexplain.bench.experiment import load_experiment
from stexplain.bench.shared import samples as samples_module
from stexplain.bench.shared import truths as shared
from tests.bench.test_truth import finished, home

# Fixtures are found by their names.
__all__ = ["finished", "home"]


def test_what_is_measured_once_of_a_model_is_no_cost_of_a_sample(home, finished, monkeypatch):
    experiment = load_experiment(home[0])
    run = experiment.runs(data=home[1], folder=finished)[0]
    drawn = json.loads((finished / "stages" / "graph" / "truth" / "samples.json").read_text("utf-8"))["result"]
    options = experiment.stages["truth"].options
    explained: list[int] = []
    make = shared.make_explainer

    def counted(*arguments):
        explain = make(*arguments)
        return lambda batch, target: explained.append(len(batch)) or explain(batch, target=target)

    monkeypatch.setattr(shared, "make_explainer", counted)
    rows = {row.name: row for row in shared.rows(run, options)}
    count = len(drawn["indices"])
    for name in ("InputGradient", "STGGradCAM", "LearnedMask (mean)"):
        found = []
        # One batch, before which two samples are explained; and several, of which the first has measured all.
        for size, expected in ((count, [2, count]), (2, [2] * (count // 2) + [1] * (count % 2))):
            monkeypatch.setattr(samples_module, "BATCH", size)
            explained.clear()
            found.append(shared.score_row(run, {}, rows[name], drawn, options))
            assert explained == expected
        # Memory is measured for a number of samples, which a batch of as many as an earlier one does not do again.
        assert found[1]["inferences"] <= found[0]["inferences"] < found[1]["inferences"] + 1
        assert found[1]["inferences"] == {"InputGradient": 2, "STGGradCAM": 2}.get(name, found[1]["inferences"])
        for score, values in found[0]["scores"].items():
            np.testing.assert_allclose(found[1]["scores"][score], values, rtol=1e-6, err_msg=score)
