"""Which format a file or folder of skeletons has, by its names and first bytes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stexplain.data.skeletons import arrays, pickles, table, ts_file
from stexplain.data.skeletons.keypoints import (
    azure_kinect,
    coco,
    h36m,
    hdf5_poses,
    kinetics,
    landmarks,
    mmpose,
    openpose,
)
from stexplain.data.skeletons.keypoints.json_kinds import json_kind
from stexplain.data.skeletons.keypoints.other_formats import remedy_for
from stexplain.data.skeletons.mocap import bvh_and_c3d, trc
from stexplain.data.skeletons.take import XYZ, Take
from stexplain.errors import InputError
from stexplain.reading import is_there, regular_file
from stexplain.reading.contents import files_under

FORMATS = {
    "skeleton": "NTU's text, *.skeleton, of any names",
    "pyskl": "pyskl's and MMAction2's annotations, *.pkl",
    "ctrgcn": "CTR-GCN's *.npz with x_train, y_train, ...",
    "stgcn": "ST-GCN's *.npy beside *label*.pkl",
    "kinetics": "Kinetics-skeleton, a *.json a clip",
    "openpose": "OpenPose, a *_keypoints.json a frame",
    "coco": "COCO's results, or annotations of the frames of videos, *.json",
    "alphapose": "AlphaPose, an alphapose-results.json a video",
    "h36m": "VideoPose3D's Human3.6M, *.npz with positions_3d or positions_2d",
    "hdf5-poses": "SLEAP's *.analysis.h5, DeepLabCut's *.h5",
    "mmpose": "MMPose's predictions of a video, *.json",
    "azure-kinect": "Azure Kinect's body tracking, a *.json a recording",
    "landmarks": "MediaPipe's landmarks frame by frame, a *.json a recording",
    "ts": "UEA's and UCR's *.ts, with graph= and classes (sktime, aeon)",
    "arrays": "*.npz or *.npy with stated axes",
    "table": "*.csv: a row per joint (x, y, z, score), or per frame (left_knee_x, ...)",
    "bvh": "BVH motion capture",
    "c3d": "C3D motion capture",
    "trc": "TRC, markers of OpenSim, OpenCap and capture systems",
}
"""The formats that `load_skeletons` reads."""
_ONE_EACH = (
    "skeleton", "kinetics", "openpose", "hdf5-poses", "mmpose", "bvh", "c3d", "azure-kinect", "landmarks", "trc",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A file or folder of a known format.

    Attributes:
        format: one of `FORMATS`.
        files: that hold recordings, in order.
    """

    format: str
    files: list[Path]

    @property
    def one_each(self) -> bool:
        """Whether each file, of OpenPose each folder of frames, is one recording."""
        return self.format in _ONE_EACH


def find_format(path: Path, others: Collection[Path] = (), *, labelled: bool = False) -> Found:
    """The format of a file, or of the files of a folder and its subfolders.

    Args:
        path: of the file or folder.
        others: files that hold no recordings, such as one of labels.
        labelled: whether labels are given.

    Raises:
        InputError: where there is nothing, nothing that is known, or more than one format.
    """
    if not path.exists():
        raise InputError(f"path: there is no {path}.")
    files = [path] if path.is_file() else sorted(one for one in files_under(path) if not _is_hidden(one, path))
    by_format: dict[str, list[Path]] = {}
    names = {one.suffix.lower() for one in files}
    for file in files:
        kind = _kind(file, names)
        if kind:
            by_format.setdefault(kind, []).append(regular_file(file))
    # A table beside recordings holds their labels.
    if len(by_format) > 1:
        by_format.pop("table", None)
    if not by_format:
        remedy = remedy_for(files)
        raise InputError(
            f"path: {path} holds no skeletons in a supported format. {remedy}{' ' * bool(remedy)}Supported are:\n  "
            + "\n  ".join(f"{name}: {title}" for name, title in FORMATS.items())
        )
    if len(by_format) > 1:
        raise InputError(
            f"path: {path} holds {' and '.join(sorted(by_format))}; expected one format. Name a subfolder."
        )
    ((kind, found),) = by_format.items()
    if kind == "table" and len(found) > 1:
        found = table.tables_of_recordings(found, others, labelled=labelled)
    if kind == "ts":
        ts_file.refuse_variants(found)
    return Found(kind, found)


def _is_hidden(file: Path, root: Path) -> bool:
    """Whether a file is one of the system's: .ipynb_checkpoints, macOS' __MACOSX and ._walk.bvh."""
    return any(part.startswith(".") or part == "__MACOSX" for part in file.relative_to(root).parts)


def _kind(file: Path, names: set[str]) -> str:
    suffix = file.suffix.lower()
    if suffix in (".skeleton", ".bvh", ".c3d", ".trc", ".ts"):
        return suffix[1:]
    if suffix == ".json":
        if file.stem.endswith("_keypoints"):
            return "openpose"
        return json_kind(file)
    if suffix in (".h5", ".hdf5", ".slp"):
        return "hdf5-poses"
    if suffix == ".pkl":
        # The labels of ST-GCN lie beside its array.
        return "" if ".npy" in names or "label" in file.stem else "pyskl"
    if suffix == ".npy":
        return "stgcn" if labels_of(file) is not None else "arrays"
    if suffix == ".npz":
        return "ctrgcn" if arrays.is_ctrgcn(file) else "h36m" if h36m.is_h36m(file) else "arrays"
    return "table" if suffix in (".csv", ".tsv") else ""


def labels_of(data: Path) -> Path | None:
    """ST-GCN's list of labels beside an array, ``train_label.pkl`` of ``train_data.npy``; none where there is none."""
    for stem in (data.stem.replace("data", "label"), data.stem.replace("data_joint", "label"), "label"):
        beside = data.with_name(f"{stem}.pkl")
        if stem != data.stem and is_there(beside):
            return beside
    return None


def places(found: Found, root: Path) -> list[Path]:
    """The path of each recording: where its file lies, called as the recording is.

    Args:
        found: by `find_format`.
        root: the folder that was given.
    """
    if found.format == "openpose":
        known = list(openpose.videos(root))
    else:
        known = [coco.place_of(file) if found.format == "alphapose" else file for file in found.files]
    # A recording that is called as the folder that was given lies in no class.
    return [place if place.is_relative_to(root) else root / place.name for place in known]


def read_takes(found: Found, root: Path, *, axes: str | None, nodes: int | None) -> Iterator[Take]:
    """Every recording, in order.

    Args:
        found: by `find_format`.
        root: the folder that was given, or the file.
        axes: of arrays; see `read_arrays`.
        nodes: of the graph, where known.

    Raises:
        DataError: where a file is broken.
        InputError: where the axes of an array are not known.
    """
    if found.format == "openpose":
        yield from openpose.read_openpose(root if root.is_dir() else root.parent)
        return
    for file in found.files:
        if found.format == "skeleton":
            from stexplain.data.readers import ntu_skeleton

            recording = ntu_skeleton.read(file)
            yield Take(file.stem, recording.values, XYZ, skeletons=("kinect-v2",))
        elif found.format == "kinetics":
            yield kinetics.read_kinetics(file)
        elif found.format in ("coco", "alphapose"):
            yield from coco.read_coco(file)
        elif found.format == "h36m":
            yield from h36m.read_h36m(file)
        elif found.format == "hdf5-poses":
            yield hdf5_poses.read_hdf5_poses(file)
        elif found.format == "mmpose":
            yield mmpose.read_mmpose(file)
        elif found.format == "pyskl":
            yield from pickles.read_pyskl(file)
        elif found.format == "stgcn":
            labels = labels_of(file)
            assert labels is not None
            yield from pickles.read_stgcn(file, labels)
        elif found.format == "ctrgcn":
            yield from arrays.read_ctrgcn(file)
        elif found.format == "arrays":
            yield from arrays.read_arrays(file, axes, nodes)
        elif found.format == "table":
            yield from table.read_table(file)
        elif found.format == "bvh":
            yield bvh_and_c3d.read_bvh(file)
        elif found.format == "c3d":
            yield bvh_and_c3d.read_c3d(file)
        elif found.format == "azure-kinect":
            yield azure_kinect.read_azure_kinect(file)
        elif found.format == "landmarks":
            yield landmarks.read_landmarks(file)
        elif found.format == "ts":
            yield from ts_file.read_ts(file, axes, nodes)
        else:
            yield trc.read_trc(file)
