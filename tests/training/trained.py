"""A short training, for the tests, and where this repository is."""

from pathlib import Path
from typing import Any

from stexplain.training import History, fit
from tests.training.standin import (
    Probe,
    StandInClips,
)

ROOT = Path(__file__).parents[2]


def trained(requested: Any, clips: Any = None, *, model: Probe | None = None, **options: Any) -> tuple[Probe, History]:
    model = model or Probe(3)
    return model, fit(
        model,
        StandInClips() if clips is None else clips,
        recipe=requested,
        progress=False,
        accelerator="cpu",
        **options,
    )
