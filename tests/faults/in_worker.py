"""What a worker of the caller's own does, in a module that it can import."""

from stexplain.explainers.methods import STGGradCAM
from stexplain.explainers.targets import Class
from tests.explainers.our_models import batch, small_model


def explained():
    """The values of an explanation."""
    with STGGradCAM(small_model()) as explain:
        return explain(batch(), target=Class(1)).values


def into(queue):
    """For a worker: its explanation, or what it was told."""
    try:
        queue.put(explained())
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")
