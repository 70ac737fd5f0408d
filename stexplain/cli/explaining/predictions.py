"""What the model predicts of the samples that are explained."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.data.samples import Batch
from stexplain.data.windows import WindowBatch
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.masked_model import class_probabilities, frozen_masked_model


def predictions_of(network: nn.Module, batch: Batch, explanation: Explanation) -> list[dict[str, Any]]:
    """What the model predicts, a row per sample.

    Returns:
        Of classes the predicted one, its name and its probability. Of a forecast, what was forecast and, where it is
        known, what was observed. Nothing of an output of another shape.
    """
    if isinstance(batch, WindowBatch):
        return [{"forecast": _number(score)} for score in explanation.score]
    found: list[Tensor] = []

    def read(output: Any, rows: slice) -> Tensor:
        tensor = masked.chosen_tensor(output, rows)
        if tensor.ndim <= 2:
            found.append(class_probabilities(tensor, ""))
        # `evaluate` collects one number per sample, which is of no use here.
        return torch.zeros(rows.stop - rows.start)

    with frozen_masked_model(network, batch, explanation=explanation) as masked:
        masked.evaluate(lambda _: masked.batch.x, 1, read)
    if not found:
        return [{} for _ in range(len(batch))]
    shares = torch.cat(found).double().cpu().numpy()
    predicted = np.argmax(shares, axis=1)
    names = explanation.classes
    return [
        {
            "predicted": int(index),
            "predicted_name": names[index] if index < len(names) else None,
            "probability": _number(share[index]),
        }
        for index, share in zip(predicted, shares, strict=True)
    ]


def _number(value: Any) -> float | None:
    # NaN: a method that calls no model has no score.
    return None if value != value else float(value)
