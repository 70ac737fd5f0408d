"""All methods on data with a known cause: how well each finds it, and what the model used of it, and at which cost.

    python benchmarks/methods.py planted ntu roads --seeds 5 --out runs/methods [--per-class 5] [--only PATTERN]
    python benchmarks/methods.py ntu --runs xsub/stgcn7 --data STORE --recipe quick --epochs 48

For every run of a dataset's experiment and every seed the network is trained (once: `--out` keeps it), correctly
classified test samples are drawn, and each setting of each method is scored by the functions of the stage `truth`:
AUROC of the planted positions and nodes, AUROC of positions and nodes that the model used, and Spearman's correlation
with how much it used them. Inferences are passes of a sample through the model; a pass backward counts as one more. The
table is printed, mean (lowest to highest) over seeds, and written with all numbers to `methods.json`; so are the
classes that a network tells by the absence of the others.

`--data` takes another prepared store of generated recordings, such as one that was generated with a class of recordings
without any action (docs/decisions/0264).
"""

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stexplain.bench.experiment import load_experiment
from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.shared import method_scores, truths
from stexplain.bench.shared.truth_rows import kept_by_class, mean_of, told_by_absence
from stexplain.bench.stages import stage_types
from stexplain.files import write_json
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS, SERIES_BASELINE_EXPLAINERS

GOALS = {"planted_positions": 0.97, "effect_positions": 0.96, "effect_nodes": 0.98, "effect_rank": 0.70}
SCORES = ("planted_nodes", *GOALS)
# The sign of these says which way the score moves; where something mattered has none.
ABSOLUTE = ["GradientSHAP", "InputGradient", "IntegratedGradients"]


class Setting(NamedTuple):
    """A method with options.

    Attributes:
        name: of the row.
        method: the class.
        options: of it.
        absolute: whether its importance is the absolute value.
    """

    name: str
    method: str
    options: Mapping[str, Any] = {}
    absolute: bool = False


def settings(*, body: bool) -> list[Setting]:
    """What is compared; `body`: nodes are joints with coordinates."""
    line = {"baseline": "interpolation"}
    found = [
        Setting("input gradient", "InputGradient", absolute=True),
        Setting("STG-Grad-CAM", "STGGradCAM"),
        Setting("HiResCAM", "HiResCAM"),
        Setting("integrated gradients, size", "IntegratedGradients", {**line, "steps": 8}, absolute=True),
        Setting("integrated gradients, sign", "IntegratedGradients", {**line, "steps": 8}),
        Setting("expected fall", "ExpectedFall"),
        Setting("expected fall, spread 0.5", "ExpectedFall", {"spread": 0.5}),
        Setting("expected fall, spread 1.5", "ExpectedFall", {"spread": 1.5}),
        Setting("expected fall, 6 draws", "ExpectedFall", {"draws": 6}),
        Setting("expected gradients", "ExpectedGradients"),
        Setting("expected gradients, sign", "ExpectedGradients", {"reduce": "sum"}),
        Setting("gradient SHAP", "GradientSHAP", {"draws": 12}, absolute=True),
    ]
    for reach in (1.0, 0.25):
        found.append(Setting(f"expected gradients, {reach:g} of the way", "ExpectedGradients", {"reach": reach}))
    for names in (["interpolation"], ["mean"], ["neighbours"], ["bones"]):
        if body or names != ["bones"]:
            found.append(
                Setting(f"expected gradients, {names[0]}", "ExpectedGradients", {"baselines": names, "steps": 16})
            )
    for goal in ("destroy", "keep"):
        for name in ("interpolation", "mean", "bones") if body else ("interpolation", "mean"):
            options = {"goal": goal, "baseline": name, "steps": 15, "rate": 0.6}
            found.append(Setting(f"learned mask, {goal}, {name}, 15 steps", "LearnedMask", options))
    found += [
        Setting("learned mask, destroy, interpolation, 50 steps", "LearnedMask", {"goal": "destroy", **line}),
        Setting("occlusion of 4 frames", "Occlusion", {"window": 4, **line}),
        Setting("occlusion of 8 frames, size", "Occlusion", {"window": 8, **line}, absolute=True),
        Setting("occlusion of groups, 8 frames", "Occlusion", {"window": 8, "groups": "graph", **line}),
        Setting("Shapley values of groups, 8 frames", "ShapleyValueSampling", {"window": 8, "orders": 4, **line}),
        Setting("Owen values, 8 frames, one pair", "OwenValueSampling", {"orders": 2, **line}),
        Setting("Owen values, 8 frames, four pairs", "OwenValueSampling", {"orders": 8, **line}),
    ]
    if body:
        found.append(
            Setting("Owen values, 8 frames, one pair, bones", "OwenValueSampling", {"orders": 2, "baseline": "bones"})
        )
    return found


def prepared(run: Run) -> dict[str, Any]:
    """The results of all that comes before the truths: of training, and of predictions or events."""
    experiment = load_experiment(run.card.path)
    results: dict[str, Any] = {}
    for name in ("train", "events" if run.task == FORECASTING else "accuracy"):
        # The experiment's own options, where it has such a stage.
        stage = experiment.stages.get(name) or stage_types()[name](stage_types()[name].Options())
        file = run.folder / f"{name}.json"
        if not file.exists():
            # A plain copy, as from a file: what resumes must not differ from what was never stopped.
            write_json(file, dict(stage.compute(run, results, lambda _, work: work())))
        results[name] = json.loads(file.read_text("utf-8"))
    return results


def scored(
    run: Run, chosen: Iterable[Setting], options: truths.Options, *, baselines: bool = True
) -> list[dict[str, Any]]:
    """The rows of one training: the means of all scores of each setting, and of the explainers that use no model."""
    run.folder.mkdir(parents=True, exist_ok=True)
    results = prepared(run)
    drawn = truths.draw_samples(run, results, options)
    effect = truths.measure_effect(run, results, drawn, options)
    classes = run.clips("test").classes if drawn["labels"] else ()
    same = kept_by_class(effect["kept"], [classes[label] for label in drawn["labels"]])
    print(f"{run.name} seed {run.seed}: {told_by_absence(same) or 'every class loses without its cause.'}", flush=True)
    names = SERIES_BASELINE_EXPLAINERS if run.task == FORECASTING else BASELINE_EXPLAINERS
    each = [*chosen, *(Setting(name, name) for name in (*names, "Random") if baselines)]
    rows = []
    for setting in each:
        absolute = [setting.method] if setting.absolute else []
        own = method_scores.Options(
            baselines=["Random"], absolute=absolute, options={setting.method: dict(setting.options)}
        )
        row = truths.Row(setting.method, "", setting.method in (*names, "Random"), own)
        found = truths.score_row(run, results, row, drawn, options)
        about = {
            "run": run.name,
            "seed": run.seed,
            "samples": len(drawn["indices"]),
            "same_without_cause": same,
            "setting": setting.name,
            "method": setting.method,
            "options": dict(setting.options),
            "baseline_explainer": row.baseline_explainer,
        }
        if "excluded" in found:
            rows.append({**about, "excluded": found["excluded"]})
            continue
        means = {name: mean_of(found, name) for name in (*truths.SCORES, *truths.DETAILS)}
        # NaN is no JSON.
        clean = {name: None if np.isnan(value) else value for name, value in means.items()}
        rows.append({**about, "inferences": found["inferences"], **clean})
        shown = "  ".join(f"{means[name]:.3f}" for name in SCORES)
        print(f"{run.name} seed {run.seed}: {setting.name:48} {found['inferences']:6.0f}  {shown}", flush=True)
    return rows


def with_epochs(run: Run, epochs: int | None) -> Run:
    """The run with another number of epochs."""
    if epochs is None:
        return run
    recipes = {**run.model_card.recipes, run.recipe_name: run.recipe.model_copy(update={"epochs": epochs})}
    return replace(run, model_card=run.model_card.model_copy(update={"recipes": recipes}))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line per run and setting, mean (lowest to highest) over seeds, the cheapest settings first."""
    lines = []
    for run in dict.fromkeys(row["run"] for row in rows):
        lines.append(f"\n{run}: setting, inferences, " + ", ".join(SCORES))
        of_run = [row for row in rows if row["run"] == run]
        names = dict.fromkeys(row["setting"] for row in of_run)
        of_setting = {name: [row for row in of_run if row["setting"] == name] for name in names}
        present = {name: found for name, found in of_setting.items() if "excluded" not in found[0]}
        for name, found in sorted(present.items(), key=lambda item: item[1][0]["inferences"]):
            cells = [_spread([row[score] for row in found]) for score in SCORES]
            lines.append(f"{name:50} {found[0]['inferences']:6.0f}  " + "  ".join(cells))
        lines += [
            f"{name:50} excluded: {found[0]['excluded']}" for name, found in of_setting.items() if name not in present
        ]
    lines.append("\ngoals: " + ", ".join(f"{name} {value}" for name, value in GOALS.items()))
    return "\n".join(lines)


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–".ljust(19)
    return f"{np.mean(known):.3f} ({min(known):.3f}-{max(known):.3f})".ljust(19)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="+", help="datasets with synthetic data and an experiment: planted, ntu, roads")
    parser.add_argument("--runs", nargs="*", help="only these runs of the experiments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each run")
    parser.add_argument("--per-class", type=int, default=5, help="test clips of each class")
    parser.add_argument("--events", type=int, default=40, help="events of a series")
    parser.add_argument("--only", help="only settings whose name matches this regular expression")
    parser.add_argument(
        "--data", type=Path, help="a prepared store of generated recordings; default: those of the card"
    )
    parser.add_argument("--recipe", help="of the model cards; default: the experiment's")
    parser.add_argument("--epochs", type=int, help="of each training; default: the recipe's")
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    given = parser.parse_args(arguments)
    options = truths.Options(per_class=given.per_class, events=given.events)
    rows: list[dict[str, Any]] = []
    for card in given.card:
        experiment = load_experiment(card)
        chosen_runs = experiment.runs(
            given.runs,
            data=given.data,
            recipe=given.recipe,
            seed=given.seed,
            seeds=given.seeds,
            folder=given.out / card,
        )
        for run in [with_epochs(one, given.epochs) for one in chosen_runs]:
            body = run.card.name == "ntu"
            chosen = [one for one in settings(body=body) if re.search(given.only or "", one.name)]
            # A further training is no other run: its row is a value of the spread.
            rows += [{**row, "card": card, "run": run.first or run.name} for row in scored(run, chosen, options)]
            write_json(given.out / "methods.json", {"goals": GOALS, "rows": rows})
    print(table(rows))


if __name__ == "__main__":
    main()
