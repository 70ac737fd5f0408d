"""Valid inputs, small ones, as pose estimators write them: more of the corpus, see `corpus`."""

import json
import pickle
from pathlib import Path

import numpy as np

from tests.fuzz.corpus import _walk


def coco_results(folder: Path) -> None:
    detections = [
        {"image_id": frame, "category_id": 1, "keypoints": _scored(4, 17)[frame], "score": 0.9} for frame in range(4)
    ]
    (folder / "results.json").write_text(json.dumps(detections))


def coco_annotations(folder: Path) -> None:
    names = ["hip", "knee", "foot"]
    category = {"id": 1, "name": "leg", "keypoints": names, "skeleton": [[1, 2], [2, 3]]}
    images = [
        {"id": 9 + frame, "file_name": f"walk/{frame:06d}.jpg", "width": 640, "height": 480} for frame in range(4)
    ]
    annotations = [
        {"id": frame, "image_id": 9 + frame, "category_id": 1, "track_id": 0, "keypoints": _scored(4, 3, 2)[frame]}
        for frame in range(4)
    ]
    content = {"info": {"fps": 25}, "images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content))


def alphapose(folder: Path) -> None:
    detections = [
        {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": _scored(4, 17)[frame], "score": 2.9,
         "box": [10.0, 10.0, 50.0, 90.0], "idx": [1.0]}
        for frame in range(4)
    ]  # fmt: skip
    (folder / "alphapose-results.json").write_text(json.dumps(detections))


def mmpose(folder: Path) -> None:
    frames = [
        {"frame_id": frame + 1, "instances": [{"keypoints": _walk(4, 3)[frame].round(4).tolist(),
                                               "keypoint_scores": [0.9, 0.8, 0.7], "bbox": [[1, 2, 3, 4]]}]}
        for frame in range(4)
    ]  # fmt: skip
    about = {"dataset_name": "leg", "num_keypoints": 3, "keypoint_id2name": {"0": "hip", "1": "knee", "2": "foot"},
             "skeleton_links": [[0, 1], [1, 2]]}  # fmt: skip
    (folder / "results_video.json").write_text(json.dumps({"meta_info": about, "instance_info": frames}))


def _scored(frames: int, joints: int, score: float = 0.8) -> list[list[float]]:
    """A walk as COCO writes it: x, y and score of every joint in one list, for each frame."""
    scores = np.full((frames, joints, 1), score)
    return np.concatenate([_walk(frames, joints), scores], 2).round(4).reshape(frames, -1).tolist()


def sleap(folder: Path) -> None:
    import h5py

    two = np.stack([_walk(6, 3), _walk(6, 3, seed=1) + 3])
    with h5py.File(folder / "mice.analysis.h5", "w") as file:
        # [tracks, frames, nodes, xy] as SLEAP writes it, for MATLAB.
        file["tracks"] = two.transpose(0, 3, 2, 1).astype(np.float64)
        file["track_occupancy"] = np.ones((6, 2), np.uint8)
        file["point_scores"] = np.full((2, 3, 6), 0.9)
        file["instance_scores"] = np.full((2, 6), 0.8)
        file["node_names"] = np.array([b"hip", b"knee", b"foot"])
        file["track_names"] = np.array([b"a", b"b"])
        file["edge_names"] = np.array([[b"hip", b"knee"], [b"knee", b"foot"]])


def deeplabcut(folder: Path) -> None:
    _write_deeplabcut(folder / "videoDLC_resnet50.h5", _walk(6, 3)[None], ["hip", "knee", "foot"])


def _write_deeplabcut(path: Path, values: np.ndarray, parts: list[str], names: tuple[str, ...] = ("",)) -> None:
    """A table of [individuals, frames, parts, 2] with scores of 0.9, as pandas writes it through PyTables."""
    import h5py

    several = names != ("",)
    keys = [(name, part, what) for name in names for part in parts for what in ("x", "y", "likelihood")]
    columns = [("DLC", *(key if several else key[1:])) for key in keys]
    scored = np.concatenate([values, np.full((*values.shape[:3], 1), 0.9)], 3)
    block = scored.transpose(1, 0, 2, 3).reshape(values.shape[1], -1)
    table = np.zeros(len(block), [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
    table["index"], table["values_block_0"] = np.arange(len(block)), block
    levels = ["scorer", *(["individuals"] if several else []), "bodyparts", "coords"]
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group["table"] = table
        info = {1: {"names": levels, "type": "MultiIndex"}, "index": {}, "values_block_0": {}}
        # Long attributes do not fit into the head of an object.
        group.attrs.create("info", np.bytes_(pickle.dumps(info, protocol=0)))
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        group["table"].attrs["index_kind"] = np.bytes_(b"integer")
        group["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, protocol=0))


def h36m(folder: Path) -> None:
    actions = {"Walking 1": _walk(5, 32, 3), "Walking": _walk(4, 32, 3, 1), "Eating 2": _walk(6, 32, 3, 2)}
    content = {"S1": actions, "S5": {"Eating": _walk(4, 32, 3, 3)}}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=np.array(content, dtype=object))


def azure_kinect(folder: Path) -> None:
    body = 1000 * _walk(4, 32, 3)
    frames = [
        {
            "bodies": [{"body_id": 1, "joint_positions": row.round(2).tolist()}],
            "frame_id": frame,
            "num_bodies": 1,
            "timestamp_usec": 33_333 * frame,
        }
        for frame, row in enumerate(body)
    ]
    content = {"k4abt_sdk_version": "1.1.0", "joint_names": [], "bone_list": [], "frames": frames}
    (folder / "recording.json").write_text(json.dumps(content))


def landmarks(folder: Path) -> None:
    frames = [
        {"frame": at, "landmarks": [dict(zip("xyz", row, strict=True)) | {"visibility": 0.9} for row in body]}
        for at, body in enumerate(_walk(4, 33, 3).round(4).tolist())
    ]
    (folder / "landmarks.json").write_text(json.dumps({"fps": 25, "frames": frames}))


def trc(folder: Path) -> None:
    lines = [
        "PathFileType\t4\t(X/Y/Z)\twalk.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "100.00\t100.00\t4\t3\tmm\t100.00\t1\t4",
        "Frame#\tTime\thip\t\t\tknee\t\t\tfoot\t\t",
        "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3",
        "",
    ]
    for at, row in enumerate((1000 * _walk(4, 3, 3)).reshape(4, -1).round(3).tolist()):
        lines.append("\t".join(map(str, [at + 1, at / 100, *row])))
    (folder / "walk.trc").write_text("\n".join(lines) + "\n")


def uea(folder: Path) -> None:
    lines = [
        "@problemName Steps", "@timeStamps false", "@missing false", "@univariate false", "@dimensions 3",
        "@equalLength true", "@seriesLength 5", "@classLabel true a b", "@data",
    ]  # fmt: skip
    for number, label in enumerate("abab"):
        cells = [",".join(map(str, row)) for row in _walk(5, 3, seed=number)[..., 0].T.round(4).tolist()]
        lines.append(":".join([*cells, label]))
    (folder / "Steps_TRAIN.ts").write_text("\n".join(lines) + "\n")
