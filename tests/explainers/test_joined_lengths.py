"""Explanations of several lengths as one: as those of one padded batch."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from stexplain.explainers.joined import joined
from stexplain.metrics import dataset

LENGTHS = (20, 33, 26, 33, 16)


@pytest.fixture(scope="module")
def clips():
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(1, frames, 17, 2)).astype(np.float32) for frames in LENGTHS]
    return stx.Clips.from_arrays(
        arrays, [0, 1, 0, 1, 0], graph=stx.STGraph.skeleton("coco-17"), classes=["a", "b"], ids=list("vwxyz")
    )


@pytest.fixture(scope="module")
def model(clips):
    return stx.load_model("stgcn2", graph=clips.graph, classes=clips.classes, channels_in=2)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("method", ["STGGradCAM", "InputGradient", "IntegratedGradients", "LearnedMask"])
def test_batches_of_several_lengths_are_as_one_padded_batch(clips, model, method):
    options = {"steps": 3} if method in ("IntegratedGradients", "LearnedMask") else {}
    with getattr(stx, method)(model, **options) as explain:
        parts = [explain(each, target=1) for each in clips.batches(2)]
        found, whole = joined(parts), explain(clips.batch(slice(None)), target=1)
    assert {part.values.shape[2] for part in parts} == {33, 16}
    assert found.values.shape == (5, 1, 33, 17)
    np.testing.assert_array_equal(found.valid, whole.valid)
    assert found.valid.sum((1, 2)).tolist() == list(LENGTHS)
    np.testing.assert_allclose(found.values, whole.values, atol=2e-5 * np.abs(whole.values).max())
    assert not found.values[~found.valid].any()
    if whole.layer_values is not None:
        assert found.layer_values.shape == whole.layer_values.shape
    np.testing.assert_allclose(found.nodes(), whole.nodes(), atol=2e-5 * float(np.abs(whole.nodes()).max().max()))


def test_maps_of_clips_of_several_lengths_are_written(clips, model, tmp_path):
    written = dataset.explanations(model, clips, out=tmp_path / "maps", batch=2, part=4, progress=False)
    assert sum(written.samples) == 5
    first = stx.Explanation.load(written.files[0])
    assert first.values.shape == (4, 1, 33, 17)
    assert first.valid.sum((1, 2)).tolist() == list(LENGTHS[:4])


def test_other_times_are_still_refused():
    def at(frames, **more):
        shape = (1, 1, frames, 2)
        return stx.Explanation(np.ones(shape), np.ones(shape[:3], bool), **more)

    with pytest.raises(InputError, match="Bring samples to one length"):
        joined([at(3, time=np.arange(3.0)), at(5, time=1 + np.arange(5.0))])
