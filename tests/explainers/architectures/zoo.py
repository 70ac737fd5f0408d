"""All architectures by name, each built once."""

from collections.abc import Callable
from functools import cache

import torch

from tests.explainers.architectures import (
    eeg,
    message_passing,
    sequences,
    skeletons,
    skeletons_refined,
    traffic_attention,
    traffic_clocks,
    traffic_convolutions,
    traffic_recurrent,
)
from tests.explainers.architectures.case import Case

FAMILIES = (
    skeletons,
    skeletons_refined,
    traffic_convolutions,
    traffic_recurrent,
    traffic_attention,
    traffic_clocks,
    message_passing,
    sequences,
    eeg,
)
MAKERS: dict[str, Callable[[], Case]] = {make.__name__: make for family in FAMILIES for make in family.CASES}


@cache
def built(name: str) -> Case:
    """The case of this name, with the same weights in every run."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MAKERS[name]()
