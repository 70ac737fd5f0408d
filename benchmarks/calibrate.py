"""Fits the bundled calibrations of `Explanation.select`, and measures on other samples whether they keep their promise.

    python benchmarks/calibrate.py ntu planted --seeds 3 --clips 1000 --out runs/methods [--write]

Per dataset: networks are trained from several seeds. The calibration is fitted to the maps, by the default method, of
correctly classified test clips of all but the last. What it promises is then compared, for several shares, with what
holds of clips of other generated data (the generator's next seeds) as explained by the last network, which took
no part in the fit. A calibration of one dataset is also tried on the other.

The table is printed and written to `calibrate.json`; `--write` writes the calibrations of the package.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import stexplain as stx
from stexplain.bench.experiment import load_experiment
from stexplain.bench.run import Run
from stexplain.bench.shared.training import train
from stexplain.data.load import load_clips
from stexplain.data.planted.cache import planted_store
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.results import calibrated
from stexplain.explainers.results.calibration import Calibration, relative_importance
from stexplain.files import write_json
from stexplain.version import __version__

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
# Of each dataset the run of the experiment `planted` that is trained on it.
RUNS = {"planted": "graph", "ntu": "body"}
BATCH = 20
# Maps that a test selects from.
SAMPLES, SAMPLE = Path(__file__).parents[1] / "tests" / "explainers" / "calibrated", 60
# Of generated data that no network was trained on, every part will do.
UNSEEN = [(seed, part) for seed in range(1, 9) for part in ("test", "train+validation")]

Maps = tuple[Explanation, NDArray[np.bool_]]


def trained(name: str, seeds: int, out: Path) -> list[Run]:
    """Runs whose networks lie in their folders, where `methods.py` with the same `--out` leaves them too."""
    runs = load_experiment("planted").runs([RUNS[name]], seeds=seeds, folder=out / "planted")
    for run in runs:
        run.folder.mkdir(parents=True, exist_ok=True)
        if not (run.folder / "model.json").exists():
            train(run, run.folder)
    return runs


def maps(run: Run, count: int, sources: Sequence[tuple[int, str]]) -> Maps:
    """Maps of correctly classified clips, and their truth, ``[B, 1, T, N]``; of clips with one person.

    Args:
        run: whose network is explained.
        count: how many; fewer where there are not so many.
        sources: seeds of the generator, each with a part of the split; one after the other.
    """
    model = run.model().eval()
    explanations: list[Explanation] = []
    truths: list[NDArray[np.bool_]] = []
    for number, part in sources:
        clips = load_clips(run.card, planted_store(run.card.path, number), f"{run.protocol}/{part}", recipe=run.recipe)
        order = np.random.default_rng(number).permutation(len(clips))
        for start in range(0, len(order), BATCH):
            batch = clips.batch(np.sort(order[start : start + BATCH]).tolist())
            x, valid = batch.x[:, :1], batch.valid[:, :1]
            with torch.no_grad():
                right = (model(x, valid=valid).argmax(1) == batch.label) & ~batch.valid[:, 1:].any((1, 2))
            if right.any():
                explanations.append(stx.ExpectedFall(model)(x[right], target=stx.Predicted(), valid=valid[right]))
                assert batch.truth is not None
                truths.append(batch.truth[right, :1].numpy().astype(bool))
            if sum(map(len, explanations)) >= count:
                return joined(explanations), np.concatenate(truths)
    return joined(explanations), np.concatenate(truths)


def measured(calibration: Calibration, of: Maps) -> list[dict[str, Any]]:
    """For each share what was promised and what held of the members of all sets, and by sample."""
    e, truth = of
    rows = []
    for share in SHARES:
        chosen = e.select(share, calibration=calibration)
        wrong, members = (chosen & ~truth).sum((1, 2, 3)), chosen.sum((1, 2, 3))
        rows.append(
            {
                "promised": share,
                "measured": float(wrong.sum() / members.sum()) if members.sum() else None,
                "samples": len(e),
                "empty": float((members == 0).mean()),
                "members": float(members.mean()),
                "found": float((chosen & truth).sum() / truth.sum()),
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", nargs="+", choices=[*RUNS])
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each; the last takes no part in the fit")
    parser.add_argument("--clips", type=int, default=1000, help="on which it is measured")
    parser.add_argument("--fit", type=int, default=200, help="clips of each training that it is fitted to")
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    parser.add_argument(
        "--write", action="store_true", help="write the calibrations of the package, and a test's sample"
    )
    given = parser.parse_args(arguments)
    made: dict[str, Calibration] = {}
    tests: dict[str, Maps] = {}
    for name in given.card:
        runs = trained(name, given.seeds, given.out)
        fit = [maps(run, given.fit, [(0, "test")]) for run in runs[:-1]]
        e, truth = joined([each for each, _ in fit]), np.concatenate([each for _, each in fit])
        card, model = runs[0].card, runs[0].model_card.title
        # The bodies' card is that of real recordings.
        words = f"synthetic recordings of {card.name!r} ({model}, {len(runs) - 1} trainings, {len(e)} clips)"
        made[name] = Calibration.of(e, truth, words)
        tests[name] = maps(runs[-1], given.clips, UNSEEN)
        print(f"{name}: fitted to {len(e)} clips, measured on {len(tests[name][0])}", flush=True)
    table = []
    for fitted, calibration in made.items():
        for name, of in tests.items():
            for row in measured(calibration, of):
                table.append({"fitted": fitted, "measured_on": name, **row})
                print(
                    " ".join(
                        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in table[-1].items()
                    )
                )
    write_json(given.out / "calibrate.json", {"table": table})
    if given.write:
        entries = []
        for name, calibration in made.items():
            own = [row for row in table if row["fitted"] == row["measured_on"] == name and row["measured"] is not None]
            with_measured = replace(calibration, measured={row["promised"]: round(row["measured"], 4) for row in own})
            entries.append({**with_measured.to_dict(), "clips": own[0]["samples"], "version": __version__})
        path = Path(calibrated.__file__).with_name("calibrations.json")
        write_json(path, {"calibrations": entries})
        for name, (e, truth) in tests.items():
            # Sixteen bits tell importances apart well enough, and keep the file small.
            importance = relative_importance(e)[:SAMPLE].astype(np.float16)
            np.savez_compressed(
                SAMPLES / f"{name}.npz", importance=importance, truth=truth[:SAMPLE], valid=e.valid[:SAMPLE]
            )


if __name__ == "__main__":
    main()
