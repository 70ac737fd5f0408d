"""What to do with files of recordings that are not read: by their ending, or by their first line."""

from collections.abc import Sequence
from pathlib import Path

from stexplain.errors import InputError
from stexplain.reading.contents import readable

_TABLE = "a CSV with the columns sample, frame, person, joint, x, y, z, score"
_MOCAP = "Export C3D or BVH from the program that wrote it"
_ANGLES = "It holds angles of joints, and no positions. Export C3D"
REMEDIES = {
    ".mot": f"{_ANGLES}, or the positions of bodies as {_TABLE}.",
    ".sto": f"{_ANGLES}, or the positions of bodies as {_TABLE}.",
    ".fbx": "Export BVH from it, as Blender does.",
    ".glb": "Export BVH from it, as Blender does.",
    ".gltf": "Export BVH from it, as Blender does.",
    ".usd": "Export BVH from it, as Blender does.",
    ".mvnx": f"{_MOCAP}, MVN.",
    ".mvn": f"{_MOCAP}, MVN.",
    ".amc": "Convert it to BVH, with its .asf, as Blender does.",
    ".asf": "Convert it to BVH, with its .amc, as Blender does.",
    ".mat": "Save its array: np.save('x.npy', scipy.io.loadmat(path)['name']), or of version 7.3 "
    "h5py.File(path)['name'][:].T, and give axes=.",
    ".rds": f"Write {_TABLE}: write.csv(x, 'x.csv', row.names=FALSE) in R.",
    ".pt": "Save its array: np.save('x.npy', torch.load(path, weights_only=True).numpy()), and give axes=.",
    ".pth": "Save its array: np.save('x.npy', torch.load(path, weights_only=True).numpy()), and give axes=.",
    ".xlsx": "Write each sheet as CSV: pd.read_excel(path, sheet_name=0).to_csv('x.csv', index=False).",
    ".xls": "Write each sheet as CSV: pd.read_excel(path, sheet_name=0).to_csv('x.csv', index=False).",
    ".parquet": "Write it as CSV: pd.read_parquet(path).to_csv('x.csv', index=False).",
    ".feather": "Write it as CSV: pd.read_feather(path).to_csv('x.csv', index=False).",
    ".arff": "Take the .ts of the same series: the UEA archive has both.",
    ".tsf": "It holds series to be forecast: give load_sensors a DataFrame with a column for each.",
    ".zip": "Unpack it.",
    ".gz": "Unpack it: gunzip.",
    ".tar": "Unpack it.",
    ".7z": "Unpack it.",
    ".jsonl": "Join its lines: json.dump([json.loads(line) for line in open(path)], open('x.json', 'w')).",
    ".json": f"Of this form it is not known what its numbers are. Write {_TABLE}.",
    ".txt": f"Write {_TABLE}. Of numbers alone, a line for each frame: np.save('x.npy', np.loadtxt(path, delimiter=','"
    ").reshape(frames, joints, 3)), without delimiter= where blanks separate them, and give axes='t n c' and graph=.",
    ".mp4": "A video has no joints yet: run a pose estimator on it, such as MMPose or OpenPose.",
    ".avi": "A video has no joints yet: run a pose estimator on it, such as MMPose or OpenPose.",
}
"""By the ending of a file, in lower case."""
# The first cell of tables that are exports of capture systems, with a header of their own.
_HEADS = (
    "trajectories",
    "model outputs",
    "no_of_frames",
    "joints",
    "segments",
    "devices",
    "format version",
    "file_version",
)


def remedy_for(files: Sequence[Path]) -> str:
    """What to do with the files of a folder, by the ending that most of those have that are known; else empty.

    Example:
        >>> remedy_for([Path("a.fbx"), Path("notes.md")])
        'Export BVH from it, as Blender does.'
    """
    endings = [file.suffix.lower() for file in files if file.suffix.lower() in REMEDIES]
    return REMEDIES[max(sorted(set(endings)), key=endings.count)] if endings else ""


def refuse_export(path: Path) -> None:
    """Refuses a table of a capture system, whose header is not one line with a name for each column.

    Raises:
        InputError: with what to export.
    """
    with readable(path, "a file"), path.open("rb") as file:
        line = file.readline(1000).decode("utf-8-sig", "replace")
    first = line.replace("\t", ",").replace(";", ",").split(",")[0].strip().strip('":').lower()
    if first in _HEADS:
        raise InputError(
            f"path: {path} is an export of a motion capture system, with {line.strip()[:40]!r} as its first line. "
            f"{_MOCAP}, or write {_TABLE}."
        )
