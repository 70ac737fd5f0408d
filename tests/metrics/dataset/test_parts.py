"""The parts of a dataset and their files, without a model: which clips, what is computed anew, what is refused."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import DataError, InputError
from stexplain.metrics.dataset.parts import count, each_part, keep_plan, load_part, part_of, part_path, save_part

GRAPH = stx.STGraph.from_edges(["a", "b"], [("a", "b")], center="a")
X = np.random.default_rng(0).random((7, 1, 4, 2, 3))
CLIPS = stx.Clips.from_arrays(X, [0, 1, 0, 1, 1, 0, 1], graph=GRAPH)


@pytest.mark.parametrize(("samples", "size", "parts"), [(7, 3, 3), (6, 3, 2), (1, 3, 1), (3, 3, 1), (4, 1, 4)])
def test_the_last_part_holds_what_is_left(samples, size, parts):
    assert count(samples, size) == parts
    clips = CLIPS.subset(slice(samples))
    held = [part_of(clips, number, size) for number in range(parts)]
    assert [len(one) for one in held] == [*[size] * (parts - 1), samples - size * (parts - 1)]
    joined = np.concatenate([one.batch(slice(None)).x for one in held])
    np.testing.assert_array_equal(joined, clips.batch(slice(None)).x)


def test_a_result_comes_back_from_its_file(tmp_path):
    part = part_of(CLIPS, 1, 3)
    save_part(tmp_path, 1, part, {"sums": np.arange(4.0)})
    assert part_path(tmp_path, 1).name == "part-00001.npz"
    found = load_part(tmp_path, 1, part)
    assert list(found) == ["sums"]
    np.testing.assert_array_equal(found["sums"], np.arange(4.0))
    with pytest.raises(InputError, match=r"part-00001.npz is the result of other clips than those given"):
        load_part(tmp_path, 1, part_of(CLIPS, 0, 3))
    np.savez(part_path(tmp_path, 2), sums=np.zeros(1))
    with pytest.raises(InputError, match="other clips"):
        load_part(tmp_path, 2, part)
    part_path(tmp_path, 1).write_bytes(part_path(tmp_path, 1).read_bytes()[:-40])
    with pytest.raises(DataError, match=r"part-00001.npz is not readable.*Remove it"):
        load_part(tmp_path, 1, part)


def test_a_result_that_is_code_is_not_run(tmp_path):
    part = part_of(CLIPS, 0, 3)
    np.savez(part_path(tmp_path, 0), content=np.array(part.content()), sums=np.array([{}], object))
    with pytest.raises(DataError, match=r"is not readable.*allow_pickle"):
        load_part(tmp_path, 0, part)


def test_parts_that_are_kept_are_not_computed_again(tmp_path):
    computed = []

    def compute(part, number):
        computed.append(number)
        return {"sum": part.batch(slice(None)).x.sum().numpy(), "number": np.array(number)}

    plain = list(each_part(CLIPS, 3, compute))
    assert computed == [0, 1, 2]
    assert sum(float(one["sum"]) for one in plain) == pytest.approx(X.sum(), rel=1e-5)
    kept = list(each_part(CLIPS, 3, compute, folder=tmp_path))
    assert computed == [0, 1, 2] * 2
    part_path(tmp_path, 1).unlink()
    again = list(each_part(CLIPS, 3, compute, folder=tmp_path))
    assert computed == [*[0, 1, 2] * 2, 1]
    for one, other, third in zip(plain, kept, again, strict=True):
        assert one == other == third


def test_a_folder_is_of_one_plan(tmp_path):
    plan = {"measure": "effect", "options": {"windows": (1, 2)}, "samples": 7}
    keep_plan(tmp_path, plan, {"threads": 1})
    # Where others find the model decides no number; what a plan holds besides is left alone.
    keep_plan(tmp_path, plan, {"threads": 9})
    keep_plan(tmp_path, {"samples": 7}, {})
    with pytest.raises(InputError, match=r"out: .* holds results of another call: options, samples differ"):
        keep_plan(tmp_path / ".", {"options": {"windows": [1, 3]}, "samples": 8}, {})
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "lock").touch()
    keep_plan(empty, plan, {})
    other = tmp_path / "other"
    other.mkdir()
    for name in ("b", "a", "lock"):
        (other / name).touch()
    with pytest.raises(InputError, match=r"holds 'a', but no plan.json"):
        keep_plan(other, plan, {})
