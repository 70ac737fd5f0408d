"""Valid inputs, small ones: every public function here writes one of a format into a folder.

A reader is fuzzed with those that it reads; a test fails where a reader finds none here, so that a new format is a
function more.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray

from tests.data.skeleton_files import body, write_ntu, write_ucla

FRAMES, NODES = 24, 3
VALUES = np.random.default_rng(0).uniform(20, 70, (FRAMES, NODES))
ADJACENCY = np.array([[1, 0.5, 0], [0.5, 1, 0.25], [0, 0.25, 1]], np.float32)
IDS = ["11", "12", "13"]
EDGES = "source,target,weight\n12,11,0.5\n13,12,1\n"
SENSORS = "sensor,x,y,group\n11,0,1,north\n12,1,2,north\n13,2,0,south\n"
BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 0 -2 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 1
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.025
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0
0 0 0 0 0 0 0 90 0
"""


def _triple(protocol: int = 2) -> bytes:
    return pickle.dumps((IDS, {name: number for number, name in enumerate(IDS)}, ADJACENCY), protocol=protocol)


def _times() -> pd.DatetimeIndex:
    return pd.date_range("2012-03-01", periods=FRAMES, freq="5min", name="time")


# ---- series ----


def speeds_csv(folder: Path) -> None:
    pd.DataFrame(VALUES.round(2), index=_times(), columns=IDS).to_csv(folder / "speeds.csv")
    (folder / "edges.csv").write_text(EDGES)
    (folder / "sensors.csv").write_text(SENSORS)


def pems_stations(folder: Path) -> None:
    (folder / "d04_text_station_5min_2012_03_01.txt").write_text(
        "\n".join(
            f"{time:%m/%d/%Y %H:%M:%S},{station},4,101,N,ML,.3,50,100,{speed:.0f},.05,{speed:.1f},,,,,"
            for time, speeds in zip(_times(), VALUES, strict=True)
            for station, speed in zip(IDS, speeds, strict=True)
        )
    )
    (folder / "edges.csv").write_text(EDGES)


def two_row_csv(folder: Path) -> None:
    pd.DataFrame(
        np.repeat(VALUES.round(2), 2, axis=1),
        index=_times(),
        columns=pd.MultiIndex.from_product([IDS, ["speed", "flow"]], names=["sensor", "channel"]),
    ).to_csv(folder / "speeds.csv")
    (folder / "edges.csv").write_text(EDGES)


def speeds_csv_with_distances(folder: Path) -> None:
    pd.DataFrame(VALUES.round(2), index=_times(), columns=IDS).to_csv(folder / "speeds.csv")
    (folder / "distances.csv").write_text("from,to,distance\n11,12,110\n13,12,130\n12,11,120\n12,13,125\n")


def tgcn(folder: Path) -> None:
    pd.DataFrame(VALUES.round(2), columns=IDS).to_csv(folder / "los_speed.csv", index=False)
    np.savetxt(folder / "los_adj.csv", ADJACENCY, delimiter=",")


def basicts(folder: Path) -> None:
    values = np.stack([VALUES, VALUES, VALUES], axis=-1).astype(np.float32)
    values.tofile(folder / "data.dat")
    about = {"name": "A", "domain": "traffic", "shape": list(values.shape), "frequency (minutes)": 5}
    (folder / "desc.json").write_text(json.dumps(about))
    (folder / "adj_mx.pkl").write_bytes(_triple())


def pems(folder: Path) -> None:
    np.savez(folder / "pems04.npz", data=VALUES[..., None])
    (folder / "distance.csv").write_text("from,to,cost\n0,1,310.6\n2,1,33.9\n")


def pems_compressed_with_ids(folder: Path) -> None:
    np.savez_compressed(folder / "pems03.npz", data=VALUES[..., None])
    (folder / "pems03.txt").write_text("\n".join(IDS))
    (folder / "distance.csv").write_text("from,to,cost\n11,12,310.6\n13,12,33.9\n")


def largest(folder: Path) -> None:
    data = np.concatenate([VALUES[..., None], np.zeros((FRAMES, NODES, 2))], axis=-1)
    np.savez_compressed(folder / "his.npz", data=data, mean=np.float64(0.0), std=np.float64(1.0))
    np.save(folder / "idx_train.npy", np.arange(3, 12))
    np.save(folder / "sd_rn_adj.npy", ADJACENCY)


def metr_la(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "metr-la.h5", "w") as file:
        group = file.create_group("df")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group.create_dataset("axis0", data=np.array([name.encode() for name in IDS]))
        group.create_dataset("axis1", data=_times().to_numpy().astype("datetime64[ns]").astype(np.int64))
        group.create_dataset("block0_items", data=np.array([name.encode() for name in IDS]))
        group.create_dataset("block0_values", data=VALUES, compression="gzip", chunks=(8, NODES))
        group["axis1"].attrs["kind"] = np.bytes_(b"datetime64")
    (folder / "adj_mx.pkl").write_bytes(_triple(4))


def _dataset() -> xarray.Dataset:
    variables = {"speed": (("time", "node"), VALUES.astype(np.float32), {"units": "mph"})}
    return xarray.Dataset(variables, {"time": _times(), "node": IDS, "lon": ("node", np.arange(3.0))})


def netcdf_classic(folder: Path) -> None:
    _dataset().to_netcdf(folder / "speeds.nc", engine="scipy")
    (folder / "edges.csv").write_text(EDGES)


def netcdf_4(folder: Path) -> None:
    compressed = {"speed": {"zlib": True, "chunksizes": (8, NODES)}}
    _dataset().to_netcdf(folder / "speeds.nc", engine="h5netcdf", encoding=compressed)
    (folder / "edges.csv").write_text(EDGES)


def zarr_2(folder: Path) -> None:
    _dataset().to_zarr(folder / "speeds.zarr", consolidated=False, zarr_format=2)
    (folder / "edges.csv").write_text(EDGES)


def libcity(folder: Path) -> None:
    geo = [f'{name},Point,"[{number}, 1.0]"' for number, name in enumerate(IDS)]
    (folder / "a.geo").write_text("geo_id,type,coordinates\n" + "\n".join(geo) + "\n")
    (folder / "a.rel").write_text("rel_id,type,origin_id,destination_id,cost\n0,geo,12,11,0.5\n1,geo,13,12,1\n")
    rows = [
        f"{NODES * frame + place},state,{time:%Y-%m-%dT%H:%M:%SZ},{name},{VALUES[frame, place]:.2f}"
        for frame, time in enumerate(_times())
        for place, name in enumerate(IDS)
    ]
    (folder / "a.dyna").write_text("dyna_id,type,time,entity_id,speed\n" + "\n".join(rows) + "\n")
    (folder / "config.json").write_text(json.dumps({"info": {"data_col": ["speed"], "weight_col": "cost",
                                                             "init_weight_inf_or_zero": "zero"}}))  # fmt: skip


def tables_with_arrays_of_links(folder: Path) -> None:
    pd.DataFrame(VALUES.round(2), index=_times(), columns=IDS).to_csv(folder / "speeds.csv")
    np.savez_compressed(folder / "adj.npz", adj=ADJACENCY)


# ---- regions of a brain ----


def region_tables(folder: Path) -> None:
    for number, ending in enumerate(("csv", "tsv")):
        table = pd.DataFrame(VALUES.round(3) + number, columns=["V1", "V2", "M1"])
        name = f"sub-{number}_bold"
        table.to_csv(folder / f"{name}.{ending}", sep={"csv": ",", "tsv": "\t"}[ending], index=False)
        (folder / f"{name}.json").write_text('{"RepetitionTime": 2.0}')
    np.save(folder / "sub-2_bold.npy", VALUES.astype(np.float32))
    (folder / "sub-2_bold.json").write_text('{"RepetitionTime": 2.0}')


def region_arrays(folder: Path) -> None:
    about = {"subjects": np.array(["a", "b"]), "labels": np.array([0, 1]), "tr": np.array(2.0)}
    np.savez_compressed(folder / "regions.npz", data=np.stack([VALUES, VALUES + 1]), **about)


# ---- trials of EEG ----


def trials_of_mne(folder: Path) -> None:
    _trials().save(folder / "sub-1-epo.fif", verbose="error")


def trials_packed(folder: Path) -> None:
    _trials().save(folder / "sub-2-epo.fif.gz", verbose="error")


def trials_of_eeglab(folder: Path) -> None:
    from scipy.io import savemat

    names = ("Fz", "Cz", "Pz", "Oz")
    places = [{"labels": name, "X": 0.1, "Y": 0.02 * number, "Z": 0.05} for number, name in enumerate(names)]
    event = [{"type": "tone", "latency": 1.0 + 20 * number, "epoch": 1.0 + number} for number in range(3)]
    epoch = [{"event": 1.0 + number, "eventlatency": 0.0, "eventtype": "tone"} for number in range(3)]
    about = {
        "nbchan": 4.0,
        "trials": 3.0,
        "pnts": 20.0,
        "srate": 100.0,
        "xmin": -0.1,
        "xmax": 0.09,
        "chaninfo": {"nosedir": "+X"},
    }
    values = np.random.default_rng(0).normal(size=(4, 20, 3))
    savemat(folder / "sub-3.set", {"EEG": {**about, "chanlocs": places, "event": event, "epoch": epoch, "data": values,
                                           "times": np.arange(20.0), "ref": "common", "setname": "a"}})  # fmt: skip


def _trials() -> Any:
    import mne

    about = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg").set_montage("colin27_1020")
    values = np.random.default_rng(0).normal(size=(4, 4, 20)) * 1e-5
    events = np.stack([np.arange(4) * 50, np.zeros(4, int), np.array([1, 2, 1, 2])], 1)
    return mne.EpochsArray(values, about, events, tmin=-0.1, event_id={"left": 1, "right": 2}, verbose="error")


# ---- recordings of cards ----


def ntu(folder: Path) -> None:
    for subject in (1, 2):
        write_ntu(folder, f"S001C001P{subject:03d}R001A007", {4: body(6, subject)})
    write_ntu(folder, "S001C001P003R001A008", {4: body(5, 3), 5: body(5, 4)})


def nw_ucla(folder: Path) -> None:
    random = np.random.default_rng(0)
    for subject in (1, 2):
        for view in (1, 3):
            xyz = random.normal(size=(6, 20, 3)).astype(np.float32)
            write_ucla(folder, f"a01_s{subject:02d}_e00_v{view:02d}", xyz)


def planted_graph(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number in (1, 2):
        np.save(folder / f"f1_r{number:03d}_fall-a.npy", random.normal(size=(8, 40, 3)).astype(np.float32))


# ---- skeletons of any kind ----


def _walk(frames: int, joints: int, channels: int = 2, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    start = random.uniform(0.1, 1, (joints, channels))
    start[:, 1] = np.linspace(0.1, 1, joints)
    return (start + random.normal(0, 0.02, (frames, joints, channels)).cumsum(0)).astype(np.float32)


def tidy_table(folder: Path) -> None:
    rows = ["sample,frame,person,joint,x,y,score,label,subject"]
    for number, sample in enumerate(("a", "b")):
        for frame in range(5):
            for joint, (x, y) in zip(("hip", "knee", "foot"), _walk(5, 3, seed=number)[frame], strict=True):
                rows.append(f"{sample},{frame},0,{joint},{x:.4f},{y:.4f},1,{'up' if number else 'down'},{number}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


def arrays_npz(folder: Path) -> None:
    x = np.stack([_walk(6, 17, seed=number) for number in range(3)])
    np.savez(folder / "a.npz", x=x, y=[2, 0, 2], ids=["p", "q", "r"])


def arrays_npy(folder: Path) -> None:
    np.save(folder / "b.npy", np.stack([_walk(6, 25, 3, number) for number in range(2)]))


def ctrgcn(folder: Path) -> None:
    two = np.zeros((2, 8, 2, 25, 3), np.float32)
    two[:, :, 0] = [_walk(8, 25, 3), _walk(8, 25, 3, 1)]
    labels = np.eye(60)[[5, 7]]
    flat = two.reshape(2, 8, 150)
    np.savez(folder / "NTU60.npz", x_train=flat[:1], y_train=labels[:1], x_test=flat[1:], y_test=labels[1:])


def pyskl(folder: Path) -> None:
    made = []
    for number in range(2):
        keypoint = _walk(9, 17, seed=number)[None].astype(np.float16)
        score = np.full(keypoint.shape[:3], 0.9, np.float16)
        made.append(
            {"frame_dir": f"v{number}", "label": number, "img_shape": (1080, 1920), "total_frames": 9,
             "keypoint": keypoint, "keypoint_score": score}
        )  # fmt: skip
    content = {"split": {"train": ["v0"], "val": ["v1"]}, "annotations": made}
    (folder / "a.pkl").write_bytes(pickle.dumps(content, protocol=4))


def stgcn_arrays(folder: Path) -> None:
    data = np.zeros((2, 3, 10, 18, 2), np.float32)
    data[:, :2, :8, :, 0] = [_walk(8, 18, seed=number).transpose(2, 0, 1) for number in range(2)]
    data[:, 2, :8, :, 0] = 0.8
    np.save(folder / "val_data.npy", data)
    (folder / "val_label.pkl").write_bytes(pickle.dumps((["x.skeleton", "y"], [4, 2])))


def openpose(folder: Path) -> None:
    for frame in range(4):
        flat = np.concatenate([_walk(4, 25)[frame], np.full((25, 1), 0.7)], 1)
        people = [{"person_id": [-1], "pose_keypoints_2d": flat.reshape(-1).round(4).tolist()}]
        path = folder / "clip7" / f"clip7_{frame:012d}_keypoints.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": 1.3, "people": people}))


def kinetics(folder: Path) -> None:
    one = _walk(4, 18).round(4)
    data = [
        {"frame_index": frame + 1, "skeleton": [{"pose": one[frame].reshape(-1).tolist(), "score": [0.5] * 18}]}
        for frame in range(4)
    ]
    (folder / "abc.json").write_text(json.dumps({"data": data, "label": "zumba", "label_index": 399}))


def bvh(folder: Path) -> None:
    (folder / "walk.bvh").write_text(BVH)


def c3d(folder: Path) -> None:
    import ezc3d

    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    made["parameters"]["POINT"]["LABELS"]["value"] = ["knee", "foot", "hip"]
    made["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    made["data"]["points"] = np.concatenate([1000 * _walk(4, 3, 3).transpose(2, 1, 0), np.ones((1, 3, 4))])
    made.write(str(folder / "trial.c3d"))
