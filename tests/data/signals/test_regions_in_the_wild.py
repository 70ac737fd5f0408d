"""Files of atlas time series as programs write them: the first volume is kept, and what is not read has a remedy."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.signals.region_files import _OTHERS
from stexplain.errors import DataError, InputError

pytestmark = pytest.mark.filterwarnings("ignore:graph:UserWarning")
HOW = {"train": "all", "tr": 2.0, "density": 0.5}


def abide(folder, marked="#{}", join="\t", count=2):
    """As the preprocessed connectomes of ABIDE are: each name marked by #."""
    made = np.random.default_rng(0).normal(size=(count, 20, 4)).round(4)
    for number, one in enumerate(made):
        lines = [join.join(marked.format(2001 + region) for region in range(4))] if marked else []
        lines += ["\t".join(f"{value:.4f}" for value in row) for row in one]
        (folder / f"Pitt_005000{number}_rois_aal.1D").write_text("\n".join(lines) + "\n")
    return made


@pytest.mark.parametrize("join", ["\t", " ", "  "])
@pytest.mark.parametrize("count", [1, 2])
def test_names_that_are_marked_by_a_hash_are_no_comment(tmp_path, join, count):
    made = abide(tmp_path, join=join, count=count)
    clips = stx.load_regions(tmp_path, **HOW)
    assert clips.graph.nodes == ("2001", "2002", "2003", "2004")
    for clip, one in zip(clips, made, strict=True):
        np.testing.assert_allclose(clip.x[0, ..., 0], one, rtol=1e-6)


@pytest.mark.parametrize("first", ["# written by 3dROIstats", "## a", ""])
def test_a_comment_is_no_line_of_names(tmp_path, first):
    made = abide(tmp_path, marked="")
    for path in tmp_path.iterdir():
        path.write_text(f"{first}\n{path.read_text()}" if first else path.read_text())
    clips = stx.load_regions(tmp_path, **HOW)
    assert clips[0].x.shape == (1, 20, 4, 1)
    np.testing.assert_allclose(clips[1].x[0, ..., 0], made[1], rtol=1e-6)


def test_names_that_are_not_as_many_are_refused(tmp_path):
    abide(tmp_path)
    path = next(tmp_path.iterdir())
    path.write_text(path.read_text().replace("#2004", ""))
    with pytest.raises(DataError, match="its first line names 3 regions; expected 4"):
        stx.load_regions(tmp_path, **HOW)


@pytest.mark.parametrize("ending", _OTHERS)
@pytest.mark.parametrize("whole", [True, False])
def test_volumes_and_surfaces_are_refused_with_what_to_do(tmp_path, ending, whole):
    (tmp_path / f"sub-01{ending}").write_bytes(b"x")
    with pytest.raises(InputError) as raised:
        stx.load_regions(tmp_path if whole else tmp_path / f"sub-01{ending}", **HOW)
    assert _OTHERS[ending] in str(raised.value)


@pytest.mark.parametrize("header", [True, False])
def test_tables_with_decimal_commas(tmp_path, header):
    values = np.random.default_rng(0).normal(size=(3, 40, 3)).round(4)
    values[..., 1:] += values[..., :1]
    values = values.round(4)
    for number, one in enumerate(values):
        table = pd.DataFrame(one, columns=["a", "b", "c"]).map(lambda cell: f"{cell:.4f}".replace(".", ","))
        table.to_csv(tmp_path / f"sub-0{number}.csv", sep=";", index=False, header=header)
    clips = stx.load_regions(tmp_path, train="all", density=0.67)
    np.testing.assert_allclose(clips[1].x[0, :, :, 0], values[1], rtol=1e-5)


def test_runs_that_are_turned_round_are_said():
    values = np.random.default_rng(0).normal(size=(2, 6, 60))
    values += values[:, :, :1]
    with pytest.warns(UserWarning, match=r"has 6 times of 60 regions: is it turned round\?"):
        stx.load_regions(values, train="all", density=0.9)


@pytest.mark.parametrize("whole", [True, False])
def test_the_uea_archives_series_are_signals(tmp_path, whole):
    made = np.random.default_rng(0).normal(size=(3, 20, 4)).round(4)
    header = "@problemName Hand\n@timeStamps false\n@dimensions 4\n@classLabel true left right\n@data\n"
    for part, numbers in (("TRAIN", (0, 1)), ("TEST", (2,))):
        lines = [
            ":".join(",".join(map(str, row)) for row in made[n].T) + f":{'left' if n else 'right'}" for n in numbers
        ]
        (tmp_path / f"Hand_{part}.ts").write_text(header + "\n".join(lines) + "\n")
    names = ["Hand_TEST 0", "Hand_TRAIN 0", "Hand_TRAIN 1"] if whole else ["Hand_TRAIN 0", "Hand_TRAIN 1"]
    path = tmp_path if whole else tmp_path / "Hand_TRAIN.ts"
    clips = stx.load_regions(path, train=["Hand_TRAIN 0", "Hand_TRAIN 1"], density=0.5, tr=2.0)
    assert clips.ids == names
    assert [clips.classes[label] for label in clips.labels] == ["left", "right", "left"][-len(names) :]
    for number, values in enumerate(made[[2, 0, 1]] if whole else made[:2]):
        np.testing.assert_allclose(clips[number].x[0, :, :, 0], values, rtol=1e-5)


def test_a_ts_file_that_is_broken_is_refused(tmp_path):
    (tmp_path / "Hand_TRAIN.ts").write_text("@dimensions 4\n@classLabel true left right\n@data\n1,2:3,4:left\n")
    with pytest.raises(DataError, match=r"Hand_TRAIN\.ts, line 4: got 2 dimensions; expected 4"):
        stx.load_regions(tmp_path, **HOW)
