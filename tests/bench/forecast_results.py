"""Results of a forecaster's run as its stages leave them, for the tests."""

from stexplain.bench.stage import RunResults
from stexplain.bench.stages.graph_ablation import NAME
from tests.bench.page import score


def located(value):
    return {
        over: {"auroc": score(value), "ap": score(value / 2), "pointing": score(value / 3)}
        for over in ("nodes", "frames", "positions")
    }


def paired(p=0.0001, **differences):
    """Tests against others, named as in results, positive where the method is better."""
    return [
        {"against": name.replace("_", " "), "difference": value, "p": p if value else 1.0}
        for name, value in differences.items()
    ]


def at_horizons(p=0.0001, **differences):
    """Tests of a forecast at steps ahead: positive where the model is better."""
    return [{"against": step[1:], "difference": value, "p": p if value else 1.0} for step, value in differences.items()]


EVENT = {
    "target": "s7", "start": "2012-03-05 07:00", "window": 3, "horizon": 3, "last_observation": 61.0, "observed": 24.4,
    "forecast": 31.2, "historical_average": 58.0,
}  # fmt: skip


def stages(**changes):
    """Results of the stages of a run."""
    results = {
        "train": {"parameters": 12345, "train": 2800, "validation": 400, "selected_epoch": 3},
        "forecast_error": {
            "test": 800, "horizons": [1, 3], "resampled": "12 days",
            "errors": {
                "model": {"mae": [2.0, 2.51, 3.0], "rmse": [4.0, 5.0, 6.0], "mape": [5.0, 6.1, 7.04]},
                "persistence": {"mae": [2.2, 3.5, 4.7], "rmse": [5.0, 6.0, 7.0], "mape": [6.0, 7.0, 8.0]},
                "historical average": {"mae": [4.0, 4.0, 4.0], "rmse": [6.0, 6.0, None], "mape": [10.0, 10.0, 10.0]},
            },
            "differences": {
                "persistence": {"1": score(0.2), "3": score(1.7)},
                "historical average": {"1": score(2.0), "3": score(1.0)},
            },
            "tests": {
                "persistence": at_horizons(h1=0.2, h3=1.7), "historical average": at_horizons(h1=2.0, h3=1.0),
            },
        },
        "graph_ablation": {
            "errors": {NAME: {"mae": [2.0, 2.6, 3.2], "rmse": [4.0, 5.0, 6.1], "mape": [5.0, 6.0, 8.0]}},
            "differences": {NAME: {"1": score(0.0), "3": score(0.2)}},
            "tests": {NAME: at_horizons(h1=0.0, h3=0.2)},
        },
        "events": {
            "rule": "Explained are falls by 15 mph.", "events": 31, "forecast": 24, "explained": [EVENT] * 12,
            "methods": ["IntegratedGradients"],
            "shown": [
                {**EVENT, "row": 0, "method": "IntegratedGradients", "contributions": [
                     {"node": "s8", "lag": 2, "value": -7.31}, {"node": "s7", "lag": 0, "value": -2.0},
                 ]}
            ],
            "share_at_other_nodes": {"IntegratedGradients": score(0.4321)},
            "completeness_gap": {"IntegratedGradients": score(0.123)},
        },
        "event_localisation": {
            "localisation": {
                "IntegratedGradients": located(0.9), "STGGradCAM": located(0.6), "InputGradient": located(0.8),
                "Motion": located(0.7), "Slowness": located(0.75), "Random": located(0.5),
            },
            "tests": {
                "IntegratedGradients": {
                    over: paired(Motion=0.2, Slowness=0.15, Random=0.4, InputGradient=0.1)
                    for over in ("nodes", "frames")
                },
                "STGGradCAM": {
                    over: paired(Motion=-0.1, Slowness=-0.15, Random=0.1, InputGradient=-0.2)
                    for over in ("nodes", "frames")
                },
            },
        },
        "deletion": {
            "deletion": {
                "IntegratedGradients": {
                    kind: {"explained": score(5.0), "random": score(2.0), "gain": score(3.0)}
                    for kind in ("deletion", "insertion")
                },
                "STGGradCAM": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
                "InputGradient": {"deletion": {"explained": score(4.0), "random": score(2.1), "gain": score(1.9)}},
                "Slowness": {"deletion": {"explained": score(3.5), "random": score(2.1), "gain": score(1.4)}},
                "Random": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
            },
            "tests": {
                "IntegratedGradients": paired(Motion=2.0, Slowness=1.5, Random=3.0, InputGradient=1.0),
                "STGGradCAM": paired(Motion=0.0, Slowness=-1.4, Random=0.0, InputGradient=-1.9),
            },
        },
        "forecast_masking": {"masking": {}, "tests": {}, "nodes": 3},
    }  # fmt: skip
    return {**results, **changes}


DATASET = {
    "name": "roads", "title": "Planted roads", "planted": True, "source": "generated", "obtain": "It is made.",
    "nodes": 48, "edges": 96, "frames": 4032, "minutes": 5, "window": 12, "horizon": 3, "unit": "mph",
    "windows": {"train": 2800, "validation": 400, "test": 800}, "missing": 0.0312, "days": 14.0,
}  # fmt: skip

ABOUT = {
    "task": "forecasting", "dataset": "roads", "model": "stgcn-roads", "model_title": "STGCN", "recipe": "quick",
    "recipe_summary": "few epochs", "epochs": 5, "published": {},
}  # fmt: skip


def a_run(**changes):
    return RunResults("stgcn-roads", {**ABOUT, "stages": stages(**changes)}, DATASET, "sensor")


def masked(highlighted, random=2.0):
    return {
        which: {
            "masking": [0.0, 1.0], "error": [score(2.0), score(value)], "change": [], "beta": score(0.0), "area": value,
        }
        for which, value in (("highlighted", highlighted), ("least", 2.0), ("random", random))
    }  # fmt: skip
