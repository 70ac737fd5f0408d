"""Whole datasets in parts: the numbers of one batch, whatever the parts, the interruptions and the processes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.cards import Recipe
from stexplain.data.load import load_dataset
from stexplain.data.store.prepare import prepare
from stexplain.engine.run import ENGINES
from stexplain.errors import DataError, InputError
from stexplain.metrics import ClassImportance, dataset
from stexplain.metrics.dataset import parts
from stexplain.metrics.dataset.run import _threads
from tests.data.skeleton_files import body, write_ntu
from tests.engine.faults import kill_once

SAMPLES, PART = 11, 4
WORK = {"batch": 3, "part": PART, "progress": False}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of a prepared store, of two classes, three persons and several lengths."""
    folder = tmp_path_factory.mktemp("dataset")
    for number in range(SAMPLES):
        name = f"S001C001P{1 + number % 3:03d}R{1 + number // 6:03d}A{7 + number % 2:03d}"
        write_ntu(folder / "raw" / str(number), name.replace("C001", f"C{1 + number // 3:03d}"), {
            4: body(8 + number, number)
        })  # fmt: skip
    prepare("ntu", folder / "raw", folder / "store", workers=1, progress=False)
    return load_dataset("ntu", folder / "store")


@pytest.fixture(scope="module")
def model(clips):
    torch.manual_seed(0)
    network = stx.nn.STGCN(clips.graph, classes=2, channels=[4, 6], strides=[1, 2])
    network.recipe = RECIPE
    network.class_names = clips.classes
    return network.eval()


RECIPE = Recipe(
    summary="small", epochs=1, batch=4, rate=0.1, frames=16, sampling="pad", center="first", optimizer="sgd"
)


def with_counterfactual(clips):
    """Clips whose counterfactual has another left hand."""
    other = np.array(clips._rows.x)
    other[:, 7] = np.where(clips._rows.valid[:, None], other[:, 7] + 0.3, 0)
    return clips._with(rows=replace(clips._rows, counterfactual=other))


def importance_at_once(model, clips):
    batch = clips.with_recipe(model.recipe).batch(slice(None))
    found = ClassImportance(clips.classes, clips.graph.nodes)
    found.update(stx.STGGradCAM(model)(batch), batch.label.numpy(), groups=batch.groups)
    return found


def same(one, other, exactly=True):
    compare = np.testing.assert_array_equal if exactly else np.testing.assert_allclose
    options = {} if exactly else {"rtol": 1e-4, "atol": 1e-9}
    for name in ("counts", "psi", "draws"):
        compare(getattr(one, name), getattr(other, name), **options)
    compare(one.interval(), other.interval(), **options)


def test_parts_give_the_importance_of_one_batch(model, clips):
    found = dataset.class_importance(model, clips, **WORK)
    assert found.counts.sum() > 0
    same(found, importance_at_once(model, clips), exactly=False)


def test_parts_give_the_masking_curve_of_one_batch(model, clips):
    psi = importance_at_once(model, clips).psi
    options = {"nodes": 5, "masking": [0.5, 1.0], "baseline": "mean"}
    batch = clips.with_recipe(model.recipe).batch(slice(None))
    expected = stx.metrics.masking_curve(model, batch, psi, **options)
    of_clips = stx.metrics.masking_curve(model, clips.with_recipe(model.recipe), psi, **options)
    np.testing.assert_array_equal(of_clips.correct["highlighted"], expected.correct["highlighted"])
    found = dataset.masking_curve(model, clips, psi, **options, **WORK)
    for which in expected.correct:
        np.testing.assert_array_equal(found.correct[which], expected.correct[which])
    assert found.ids == expected.ids
    assert (found.nodes, found.unranked, found.baseline) == (expected.nodes, expected.unranked, "mean")
    np.testing.assert_array_equal(found.masking, expected.masking)


def test_parts_give_the_effect_of_one_batch(model, clips):
    generated = with_counterfactual(clips)
    sampled = generated.with_recipe(model.recipe)
    expected = stx.metrics.effect(
        model, sampled.batch(slice(None)), sampled.counterfactual().batch(slice(None)), windows=3
    )
    np.testing.assert_array_equal(stx.metrics.effect(model, sampled, windows=3).values, expected.values)
    with pytest.raises(InputError, match="counterfactual: got None"):
        stx.metrics.effect(model, sampled.batch([0]))
    found = dataset.effect(model, generated, windows=3, **WORK)
    assert np.abs(expected.values).max() > 0
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    np.testing.assert_array_equal(found.used(0.5), expected.used(0.5))
    np.testing.assert_allclose(found.groups(), expected.groups(), atol=1e-5)
    assert found.names == expected.regions.names
    assert found.to_frame().drop(columns="effect").equals(expected.to_frame().drop(columns="effect"))
    assert (found.ids, found.score) == (expected.ids, expected.score)
    np.testing.assert_array_equal(found.inferences, expected.inferences)
    # Of a class that is named; by itself it is the predicted one.
    for one in (0, 1):
        at_once = stx.metrics.effect(model, sampled, target=stx.Class(one), windows=3)
        of_class = dataset.effect(model, generated, target=one, windows=3, **WORK)
        assert (np.asarray(of_class.classes) == one).all()
        np.testing.assert_allclose(of_class.values, at_once.values, atol=1e-5)


def test_parts_give_the_explanations_of_one_batch(model, clips, tmp_path):
    found = dataset.explanations(model, clips, out=tmp_path / "maps", method="InputGradient", **WORK)
    batch = clips.with_recipe(model.recipe).batch(slice(None))
    expected = stx.InputGradient(model)(batch)
    assert found.samples == (4, 4, 3)
    np.testing.assert_allclose(np.concatenate([each.values for each in found]), expected.values, atol=1e-6)
    assert [name for each in found for name in each.ids] == clips.ids
    assert found[1:][0].ids == tuple(clips.ids[4:8])


@pytest.mark.parametrize("stopped", [0, 1, 2])
def test_a_call_that_is_stopped_goes_on_and_ends_with_the_same_bits(model, clips, tmp_path, monkeypatch, stopped):
    expected = dataset.class_importance(model, clips, **WORK)
    computed = []
    save = parts.save_part

    def stop(folder, number, some, arrays):
        if number == stopped:
            raise KeyboardInterrupt
        save(folder, number, some, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "save_part", stop)
        with pytest.raises(KeyboardInterrupt):
            dataset.class_importance(model, clips, out=tmp_path / "out", **WORK)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "save_part", lambda *given: (computed.append(given[1]), save(*given)))
        same(dataset.class_importance(model, clips, out=tmp_path / "out", **WORK), expected)
        assert computed == [0, 1, 2][stopped:]
        # And once more: nothing is left to compute.
        same(dataset.class_importance(model, clips, out=tmp_path / "out", **WORK), expected)
        assert len(computed) == 3 - stopped


@pytest.mark.parametrize("engine", ENGINES)
def test_processes_give_the_same_bits_also_where_one_is_killed(model, clips, tmp_path, monkeypatch, engine):
    if engine == "ray":
        pytest.importorskip("ray")
    expected = dataset.class_importance(model, clips, **WORK)
    killed = kill_once(monkeypatch, tmp_path / "site", "part-00001")
    found = dataset.class_importance(model, clips, out=tmp_path / "out", workers=2, engine=engine, **WORK)
    assert killed.exists()
    same(found, expected)


def test_a_folder_is_of_one_call(model, clips, tmp_path):
    out = tmp_path / "out"
    dataset.class_importance(model, clips, out=out, **WORK)
    with pytest.raises(InputError, match="results of another call: options differ"):
        dataset.class_importance(model, clips, out=out, seed=1, **WORK)
    with pytest.raises(InputError, match="another call: samples, clips differ"):
        dataset.class_importance(model, clips.subset(slice(1, None)), out=out, **WORK)
    other = stx.nn.STGCN(clips.graph, classes=2, channels=[4, 6], strides=[1, 2])
    other.recipe = RECIPE
    with pytest.raises(InputError, match="another call: model differ"):
        dataset.class_importance(other, clips, out=out, **WORK)
    # The same names and lengths, and other numbers.
    changed = np.array(clips._rows.x)
    changed[-1] *= 2
    changed = clips._with(rows=replace(clips._rows, x=changed))
    with pytest.raises(InputError, match="part-00002.npz is the result of other clips"):
        dataset.class_importance(model, changed, out=out, **WORK)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds 'thesis.tex', but no plan.json"):
        dataset.class_importance(model, clips, out=tmp_path / "full", **WORK)
    path = parts.part_path(out, 1)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"part-00001.npz is not readable.*Remove it"):
        dataset.class_importance(model, clips, out=out, **WORK)


class Foreign(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(25 * 3, 2)

    def forward(self, x, valid):
        return self.linear(x.flatten(-2)).mean((1, 2))


def test_what_cannot_be_done_is_said(model, clips, tmp_path):
    with pytest.raises(InputError, match="clips: got a Batch; expected Clips"):
        dataset.class_importance(model, clips.with_recipe(RECIPE).batch([0]), **WORK)
    with pytest.raises(InputError, match="out: got None; expected a folder"):
        dataset.class_importance(model, clips, workers=2, **WORK)
    with pytest.raises(InputError, match="a Foreign that other processes cannot load"):
        dataset.class_importance(Foreign(), clips.with_recipe(RECIPE), out=tmp_path / "a", workers=2, **WORK)
    own = stx.Clips.from_arrays(np.ones((3, 1, 16, 25, 3)), [0, 1, 0], graph=clips.graph)
    with pytest.raises(InputError, match="clips of your own arrays, which other processes cannot load"):
        dataset.class_importance(model, own, out=tmp_path / "b", workers=2, **WORK)
    with pytest.raises(InputError, match="these clips have no counterfactual"):
        dataset.effect(model, clips, **WORK)
    with pytest.raises(InputError, match="unknown set 'lest'"):
        dataset.masking_curve(model, clips, np.ones((2, 25)), nodes=2, sets=["lest"], **WORK)
    with pytest.raises(InputError, match="part: got 0"):
        dataset.class_importance(model, clips, part=0)


def test_foreign_models_are_taken_too(clips):
    torch.manual_seed(1)
    sampled = clips.with_recipe(RECIPE)
    found = dataset.class_importance(Foreign(), sampled, method="InputGradient", **WORK)
    assert found.counts.sum() > 0
    assert found.to_frame().loc[:, "head"].notna().any()


def test_a_worker_has_its_share_of_threads_and_the_caller_keeps_its_own():
    before = torch.get_num_threads()
    with _threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
