"""Labels of subjects are joined by their names, however these are written, and never by place without a word."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:graph:UserWarning")
GRAPH = stx.STGraph.from_edges(["a", "b"], [("a", "b")])
NUMBERS = (50002, 50003, 50004)
TABLE = pd.DataFrame({"SITE_ID": "PITT", "SUB_ID": [50004, 50002, 50003], "subject": [1, 2, 3], "DX_GROUP": [1, 2, 1]})
EXPECTED = ["2", "1", "1"]


def folder(tmp_path, name="sub-00{}_task-rest_timeseries.tsv"):
    (tmp_path / "runs").mkdir()
    for seed, number in enumerate(NUMBERS):
        run = pd.DataFrame(np.random.default_rng(seed).normal(size=(20, 2)), columns=["a", "b"])
        run.to_csv(tmp_path / "runs" / name.format(number), sep="\t", index=False)
        # What fMRIPrep regresses out is no run.
        run.to_csv(tmp_path / "runs" / f"sub-00{number}_desc-confounds_timeseries.tsv", sep="\t", index=False)
    return tmp_path / "runs"


def classes_of(path, labels):
    clips = stx.load_regions(path, labels=labels, graph=GRAPH)
    return [clips.classes[label] for label in clips.labels]


@pytest.mark.parametrize(
    "labels",
    [
        TABLE,
        TABLE.assign(SUB_ID=["0050004", "0050002", "0050003"]),
        TABLE.assign(SUB_ID=["sub-50004", "sub-50002", "sub-50003"]),
        dict(zip(TABLE["SUB_ID"], TABLE["DX_GROUP"], strict=True)),
        TABLE.set_index("SUB_ID")["DX_GROUP"],
    ],
)
def test_a_number_is_that_of_the_file(tmp_path, labels):
    with pytest.warns(
        UserWarning, match=r"3 of 3 runs are joined by a number.*'sub-0050002_task-rest_timeseries' with"
    ):
        assert classes_of(folder(tmp_path), labels) == EXPECTED


def test_so_it_is_in_names_of_sites_and_in_a_csv(tmp_path):
    path = folder(tmp_path, "Pitt_00{}_rois_cc200.tsv")
    TABLE.to_csv(tmp_path / "phenotypic.csv", index=False)
    files = {f"Pitt_00{number}": label for number, label in zip(TABLE["SUB_ID"], TABLE["DX_GROUP"], strict=True)}
    for labels in (tmp_path / "phenotypic.csv", files):
        with pytest.warns(UserWarning, match="joined by a number or the beginning of a name"):
            assert classes_of(path, labels) == EXPECTED


def test_names_that_are_the_same_are_joined_without_a_word(tmp_path):
    labels = pd.DataFrame({"participant_id": [f"sub-00{n}" for n in (50004, 50002, 50003)], "diagnosis": [1, 2, 1]})
    assert classes_of(folder(tmp_path), labels) == EXPECTED
    with pytest.raises(InputError, match="got none for 'sub-0050003_task-rest_timeseries' \\(1 of 3 runs\\)"):
        classes_of(tmp_path / "runs", labels[:2])


def test_a_subject_without_a_label_is_named(tmp_path):
    with pytest.raises(InputError, match="got none for 'sub-0050003_task-rest_timeseries' \\(1 of 3 runs\\)"):
        classes_of(folder(tmp_path), TABLE[:2])


def test_numbers_that_several_have_join_nothing(tmp_path):
    twice = {"50002": "x", "0050002": "y", "50003": "x", "50004": "y"}
    with pytest.raises(InputError, match="got none for 'sub-0050002_task-rest_timeseries' \\(1 of 3"):
        classes_of(folder(tmp_path), twice)


def test_the_places_of_a_table_are_no_numbers_of_subjects(tmp_path):
    column = TABLE["DX_GROUP"].set_axis([50004, 50003, 50002])
    with pytest.raises(InputError, match="3 of 3 runs"):
        classes_of(folder(tmp_path), column)


def test_a_list_beside_files_says_whose_each_is(tmp_path):
    said = "taken in the order of the files: the first, 'sub-0050002_task-rest_timeseries', is 1, and the last"
    with pytest.warns(UserWarning, match=said):
        assert classes_of(folder(tmp_path), [1, 2, 1]) == ["1", "2", "1"]
