"""A small file of each format of landmarks, markers and archives becomes a store by the command, with its numbers."""

import numpy as np
import pytest
from typer.testing import CliRunner

from stexplain.cli.main import app
from stexplain.data import load_dataset, load_skeletons
from tests.fuzz import keypoint_files


@pytest.mark.parametrize(("name", "joints"), [("azure_kinect", 32), ("landmarks", 33), ("trc", 3), ("uea", 3)])
def test_a_store_holds_what_the_file_does(tmp_path, name, joints):
    graph = tmp_path / "leg.csv"
    graph.write_text("joint,parent\nhip,\nknee,hip\nfoot,knee\n")
    raw = tmp_path / "raw"
    for label in ("walk", "sit", "run"):
        folder = raw if name == "uea" else raw / label
        folder.mkdir(parents=True, exist_ok=True)
        getattr(keypoint_files, name)(folder)
        if name != "uea":
            (path,) = folder.iterdir()
            path.rename(path.with_stem(f"{label}-1"))
    options = ["--graph", str(graph)] if joints == 3 else []
    ended = CliRunner().invoke(
        app, ["data", "prepare", "skeletons", str(raw), "--out", str(tmp_path / "store"), *options]
    )
    assert ended.exit_code == 0, ended.output
    clips = load_skeletons(raw, graph=graph if options else None)
    # The one file of the archive is its training part.
    splits = ["own/train+validation"] if name == "uea" else ["by-fold/train+validation", "by-fold/test"]
    parts = [load_dataset(tmp_path / "store", split=split) for split in splits]
    found = {part[n].id: part[n].x for part in parts for n in range(len(part))}
    assert sorted(found) == sorted(clips.ids)
    for clip in clips:
        frames = clip.x.shape[1]
        np.testing.assert_allclose(found[clip.id][: len(clip.x), :frames], clip.x, rtol=1e-5)
        assert clip.x.shape[2] == joints
