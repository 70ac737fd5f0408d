"""Which format a file or folder of skeletons has, by its names and first bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stexplain.data.skeletons import arrays, json_files, motion_capture, pickles, table
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
    "arrays": "*.npz or *.npy with stated axes",
    "table": "*.csv: a row per joint (x, y, z, score), or per frame (left_knee_x, ...)",
    "bvh": "BVH motion capture",
    "c3d": "C3D motion capture",
}
"""The formats that `load_skeletons` reads."""


@dataclass(frozen=True)
class Found:
    """A file or folder of a known format.

    Attributes:
        format: one of `FORMATS`.
        files: that hold recordings, in order.
    """

    format: str
    files: list[Path]


def find_format(path: Path) -> Found:
    """The format of a file, or of the files of a folder and its subfolders.

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
        raise InputError(
            f"path: {path} holds no skeletons in a supported format. Supported are:\n  "
            + "\n  ".join(f"{name}: {title}" for name, title in FORMATS.items())
        )
    if len(by_format) > 1:
        raise InputError(
            f"path: {path} holds {' and '.join(sorted(by_format))}; expected one format. Name a subfolder."
        )
    ((kind, found),) = by_format.items()
    return Found(kind, found)


def _is_hidden(file: Path, root: Path) -> bool:
    """Whether a file is one of the system's: .ipynb_checkpoints, macOS' __MACOSX and ._walk.bvh."""
    return any(part.startswith(".") or part == "__MACOSX" for part in file.relative_to(root).parts)


def _kind(file: Path, names: set[str]) -> str:
    suffix = file.suffix.lower()
    if suffix in (".skeleton", ".bvh", ".c3d"):
        return suffix[1:]
    if suffix == ".json":
        if file.stem.endswith("_keypoints"):
            return "openpose"
        return "kinetics" if json_files.is_kinetics(file) else ""
    if suffix == ".pkl":
        # The labels of ST-GCN lie beside its array.
        return "" if ".npy" in names or "label" in file.stem else "pyskl"
    if suffix == ".npy":
        return "stgcn" if labels_of(file) is not None else "arrays"
    if suffix == ".npz":
        return "ctrgcn" if arrays.is_ctrgcn(file) else "arrays"
    return "table" if suffix in (".csv", ".tsv") else ""


def labels_of(data: Path) -> Path | None:
    """ST-GCN's list of labels beside an array, ``train_label.pkl`` of ``train_data.npy``; none where there is none."""
    for stem in (data.stem.replace("data", "label"), data.stem.replace("data_joint", "label"), "label"):
        beside = data.with_name(f"{stem}.pkl")
        if stem != data.stem and is_there(beside):
            return beside
    return None


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
        yield from json_files.read_openpose(root if root.is_dir() else root.parent)
        return
    for file in found.files:
        if found.format == "skeleton":
            from stexplain.data.readers import ntu_skeleton

            recording = ntu_skeleton.read(file)
            yield Take(file.stem, recording.values, XYZ, skeletons=("kinect-v2",))
        elif found.format == "kinetics":
            yield json_files.read_kinetics(file)
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
            yield motion_capture.read_bvh(file)
        else:
            yield motion_capture.read_c3d(file)
