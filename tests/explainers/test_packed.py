"""Explanations of a padded batch, whose valid frames alone are computed, are those of each clip at its own frames."""

import numpy as np
import pytest

from stexplain.explainers import (
    CAM,
    EdgeImportance,
    ExpectedGradients,
    GradCAMPlusPlus,
    HiResCAM,
    InputGradient,
    IntegratedGradients,
    LayerCAM,
    LearnedMask,
    STGGradCAM,
)
from stexplain.explainers.targets import Class, Predicted
from tests.nn.small_stgcn import small
from tests.nn.test_packing import alone, clips

BUILDERS = {
    "InputGradient": InputGradient,
    "IntegratedGradients": lambda model: IntegratedGradients(model, steps=4, copies=2, baseline="mean"),
    "ExpectedGradients": ExpectedGradients,
    "LearnedMask": lambda model: LearnedMask(model, steps=3),
    "CAM": CAM,
    "HiResCAM": HiResCAM,
    "LayerCAM": LayerCAM,
    "GradCAMPlusPlus": GradCAMPlusPlus,
    **{f"STGGradCAM {i}": lambda model, i=i: STGGradCAM(model, layer=f"blocks.{i}") for i in range(4)},
    "STGGradCAM inside": lambda model: STGGradCAM(
        model, layer="blocks.2.temporal_norm", layout="n (b m) t c", stride=4, offset=0
    ),
}


# Few steps and samples that hardly change are noticed, which is of no concern here.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("name", BUILDERS)
def test_a_map_of_a_batch_is_that_of_each_clip_alone(name, gaps):
    model = small()
    x, valid = clips(gaps=gaps)
    batch = BUILDERS[name](model)(x, valid=valid, target=Class(1))
    assert abs(batch.values).max() > 1e-4
    for row, clip in enumerate(zip(x, valid, strict=True)):
        own_x, own_valid = alone(*clip)
        one = BUILDERS[name](model)(own_x, valid=own_valid, target=Class(1))
        persons, frames = own_valid.shape[1:]
        scale = abs(batch.values).max()
        np.testing.assert_allclose(batch.values[row, :persons, :frames], one.values[0], rtol=1e-5, atol=1e-6 * scale)
        assert not batch.values[row, persons:].any()
        assert not batch.values[row, :, frames:].any()
        assert batch.score[row] == pytest.approx(one.score[0], rel=1e-6)


def test_several_targets_share_a_pass_over_packed_frames():
    model = small()
    x, valid = clips()
    together = STGGradCAM(model, layer="blocks.1")(x, valid=valid, target=[Class(0), Predicted()])
    for one, target in zip(together, (Class(0), Predicted()), strict=True):
        alone = STGGradCAM(model, layer="blocks.1")(x, valid=valid, target=target)
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-6, atol=1e-9)


def test_the_importance_of_edges_is_that_of_each_clip_alone():
    model = small()
    x, valid = clips()
    batch = EdgeImportance(model)(x, valid=valid, target=Class(1))
    for row, clip in enumerate(zip(x, valid, strict=True)):
        own_x, own_valid = alone(*clip)
        one = EdgeImportance(model)(own_x, valid=own_valid, target=Class(1))
        np.testing.assert_allclose(batch.values[row], one.values[0], rtol=1e-5, atol=1e-7)
