"""`stexplain measure`: one measure over all clips of a split, part by part, on one machine or many."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from stexplain.cli.command import echo_json, resumable
from stexplain.cli.options import Json, Quiet, Trust

if TYPE_CHECKING:
    from stexplain.data.clips import Clips
    from stexplain.metrics import ClassImportance


def measure(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A trained model's folder, a run folder with one, a model card (untrained), or pkg.mod:factory that "
            "makes one.",
        ),
    ],
    what: Annotated[
        Literal["importance", "masking", "effect", "maps"],
        typer.Argument(
            metavar="WHAT",
            help="importance (of nodes per class), masking (accuracy as important nodes are masked), effect (of "
            "generated data), or maps (an explanation of every clip).",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to. The same command resumes.")],
    card: Annotated[
        str | None,
        typer.Option(
            help="The card of a dataset of recordings: its name, or its path.  [default: of a run folder, that of the "
            "run]"
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A prepared store.  [default: synthetic data]")] = None,
    split: Annotated[
        str | None, typer.Option(help="Such as xsub/test, or all.  [default: the test split of the first protocol]")
    ] = None,
    method: Annotated[str, typer.Option(help="An explainer's class, such as InputGradient.")] = "STGGradCAM",
    inputs: Annotated[
        str | None, typer.Option(help="The layout of the model's input, such as 'b c t n m'; of a model of your own.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="For masking: how many nodes are masked.")] = 5,
    baseline: Annotated[str, typer.Option(help="For masking: the baseline that nodes are moved towards.")] = "zero",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes of this machine, or a Ray cluster: RAY_ADDRESS's.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.  [default: one; on a cluster one per core]")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Clips at a time; memory grows with them.")] = 32,
    trust: Trust = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a whole split, part by part. The same command resumes, with the same numbers.

    Examples:

      stexplain measure runs/ntu/xsub/stgcn10 importance --out importance

      stexplain measure runs/ntu/xsub/stgcn10 masking --card ntu --data stores/ntu --split xsub/test --out masking

      stexplain measure runs/ntu/xsub/stgcn10 maps --method InputGradient --engine ray --workers 2 --out maps
    """
    from stexplain.cards import SeriesCard
    from stexplain.cli.validate.datasets import validate_out
    from stexplain.cli.validate.explain import is_factory, named_samples, saved_model
    from stexplain.cli.validate.method_names import method_names
    from stexplain.errors import InputError, unknown

    checked = named_samples(model, card, data, split)
    dataset, model = checked.dataset, checked.model
    if isinstance(dataset, SeriesCard):
        raise InputError(f"--card: got {dataset.name!r}, a series; expected recordings, whose clips have classes.")
    validate_out(out)
    if method not in (names := method_names()):
        raise unknown("method", method, names)
    for sentence in checked.said:
        typer.echo(f"stexplain: {sentence}", err=True)
    # Only now torch: what could be wrong with the names has been reported.
    from stexplain.cli.explaining.inputs import load_network, load_samples

    clips: Any
    clips, graph = load_samples(model, dataset, checked.data, checked.split)
    network = load_network(model, graph, list(clips.classes))
    # Other processes load what lies in a folder; a card's random weights are saved for them.
    source = model if is_factory(model) or saved_model(model) is not None else network
    how: dict[str, Any] = {"engine": engine, "workers": workers, "batch": batch, "progress": not quiet}
    with resumable("To resume, give the same command again:\n  {command}"):
        call = {"inputs": inputs} if inputs else {}
        summary = _measured(what, _Work(source, clips, out, method, nodes, baseline, how, call))
    if as_json:
        echo_json(summary)
    else:
        known = {name: value for name, value in summary.items() if value == value}
        typer.echo("\n".join(f"{name}: {value}" for name, value in known.items()))


UNDEFINED = "contrastivity is not defined: it compares maps of at least two classes with correctly classified clips"


class _Work(NamedTuple):
    """What is measured, and how.

    Attributes:
        model: a network, or where other processes load it from.
        clips: of a split.
        out: the folder to write to.
        method: an explainer's class.
        nodes: for masking, how many.
        baseline: for masking, towards what.
        how: the options of `stexplain.metrics.dataset` on engines and parts.
        call: how the model is called.
    """

    model: Any
    clips: "Clips"
    out: Path
    method: str
    nodes: int
    baseline: str
    how: dict[str, Any]
    call: dict[str, Any]


def _measured(what: str, work: _Work) -> dict[str, Any]:
    from stexplain.files import remove_leftovers

    # Of its tables; what another process is writing there stays.
    if work.out.is_dir():
        remove_leftovers(work.out)
    return _MEASURES[what](work)


def _class_importance(work: _Work) -> "ClassImportance":
    """Read where its parts are finished: masking goes on from what was measured before."""
    from stexplain.metrics import dataset

    return dataset.class_importance(
        work.model,
        work.clips,
        method=work.method,
        options=work.call,
        out=work.out / "importance",
        **work.how,
    )


def _importance(work: _Work) -> dict[str, Any]:
    from stexplain.files import atomic_write
    from stexplain.metrics import contrastivity

    found = _class_importance(work)
    with atomic_write(work.out / "class_importance.csv") as temporary:
        found.to_frame().to_csv(temporary)
    interval = found.interval(contrastivity)
    return {
        "clips": len(work.clips),
        "correctly classified": int(found.counts.sum()),
        "contrastivity": round(interval.value, 4),
        # Of one class there is nothing to compare with.
        **({} if interval.value == interval.value else {"note": UNDEFINED}),
        "table": str(work.out / "class_importance.csv"),
    }


def _masking(work: _Work) -> dict[str, Any]:
    from stexplain.files import atomic_write
    from stexplain.metrics import dataset

    importance = _class_importance(work)
    place = work.out / f"masking-{work.nodes}-{work.baseline}"
    curve = dataset.masking_curve(
        work.model,
        work.clips,
        importance,
        nodes=work.nodes,
        baseline=work.baseline,
        out=place,
        **work.call,
        **work.how,
    )
    with atomic_write(work.out / "masking.csv") as temporary:
        curve.to_frame(groups=work.clips.groups).to_csv(temporary, index=False)
    beta = curve.faithfulness("highlighted", groups=work.clips.groups)
    return {"clips": len(work.clips), "beta": round(beta.value, 4), "table": str(work.out / "masking.csv")}


def _effect(work: _Work) -> dict[str, Any]:
    import numpy as np

    from stexplain.files import atomic_write
    from stexplain.metrics import dataset

    found = dataset.effect(work.model, work.clips, out=work.out / "effect", **work.call, **work.how)
    # Of a whole dataset a table would have a row for each region of each clip: an array is read faster.
    with atomic_write(work.out / "effect.npz") as temporary:
        np.savez(
            temporary,
            values=found.values,
            before=found.before,
            after=found.after,
            ids=np.array(found.ids),
            names=np.array(found.names),
        )
    strongest = found.groups().mean(0).argmax()
    return {
        "clips": len(work.clips),
        "largest mean effect": found.names[strongest],
        "effects": str(work.out / "effect.npz"),
    }


def _maps(work: _Work) -> dict[str, Any]:
    from stexplain.metrics import dataset

    found = dataset.explanations(
        work.model, work.clips, method=work.method, options=work.call, out=work.out, **work.how
    )
    return {"clips": sum(found.samples), "files": len(found.files), "first": str(found.files[0])}


_MEASURES = {"importance": _importance, "masking": _masking, "effect": _effect, "maps": _maps}
