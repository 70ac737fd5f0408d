import numpy as np
import torch

from stexplain.explainers import LayerCAM, STGGradCAM
from stexplain.explainers.methods.layer.one_pass import one_pass
from stexplain.explainers.targets import Predicted
from tests.nn.small_stgcn import small
from tests.nn.test_packing import clips


def test_each_explanation_is_that_of_the_explainer_alone_for_one_forward_pass():
    model = small()
    x, valid = clips()
    explainers = [STGGradCAM(model), STGGradCAM(model, parity="das2022"), LayerCAM(model, layer="blocks.1")]
    alone = [explain(x, valid=valid, target=Predicted()) for explain in explainers]
    passes = []
    with model.register_forward_hook(lambda module, args, output: passes.append(len(output))):
        together = one_pass(explainers, x, valid=valid, target=Predicted())
    assert passes == [len(x)]
    for one, expected in zip(together, alone, strict=True):
        assert (one.method, one.layer, one.target) == (expected.method, expected.layer, expected.target)
        np.testing.assert_allclose(one.values, expected.values, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(one.score, expected.score, rtol=1e-6)
        assert torch.equal(one.call.valid, expected.call.valid)


def test_chunks_change_nothing():
    model = small()
    x, valid = clips()
    whole = one_pass([STGGradCAM(model)], x, valid=valid, target=Predicted())[0]
    parts = one_pass([STGGradCAM(model, chunk=2)], x, valid=valid, target=Predicted())[0]
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-6, atol=1e-9)
