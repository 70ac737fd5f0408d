"""Sampling raw clips as the model's training recipe does."""

from torch import nn

from stexplain.cards import Recipe
from stexplain.data.samples import Batch
from stexplain.errors import InputError


def apply_recipe(model: nn.Module | None, batch: Batch) -> Batch:
    """The batch as the model's recipe samples it where the batch is raw; else the batch itself.

    Args:
        model: its `recipe` says how its training samples were made; without one the batch is returned as it is.
        batch: of a dataset, or made by hand; it is never changed.

    Raises:
        InputError: where the batch was sampled by a recipe that differs from the model's, or is raw and was sent
            from another process without its dataset.
    """
    recipe = getattr(model, "recipe", None)
    # A batch that someone made by hand has no `sampling`: it is taken to be as the model expects it.
    if batch.sampling is None or not isinstance(recipe, Recipe):
        return batch
    sampling = batch.sampling
    if recipe.frames is None:
        raise InputError(
            f"x holds clips of {batch.x.shape[3]} nodes; expected windows of a series, on which {type(model).__name__} "
            "was trained. Use load_dataset with a series' card."
        )
    if sampling.recipe is None and sampling.resample is not None:
        return sampling.resample(recipe)
    # `resample` is lost when a batch is pickled, as the dataset does not travel with it.
    differences = ["raw"]
    if sampling.recipe is not None:
        differences = [
            f"{name} {getattr(sampling.recipe, name)!r} instead of {getattr(recipe, name)!r}"
            for name in ("frames", "sampling", "center", "align")
            if getattr(sampling.recipe, name) != getattr(recipe, name)
        ]
    if differences:
        raise InputError(
            f"the samples differ from those that the model was trained on: {', '.join(differences)}. "
            "Use load_dataset(..., recipe=model.recipe), or clips.with_recipe(model.recipe)."
        )
    return batch
