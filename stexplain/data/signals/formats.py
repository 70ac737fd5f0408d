"""Every format that is read as it is: what it holds, the call, the command, and the extra it needs."""

from dataclasses import dataclass
from pathlib import Path

from stexplain.data.skeletons.formats import FORMATS as SKELETONS


@dataclass(frozen=True)
class Format:
    """A format of files, or objects of another library.

    Attributes:
        name: a word for it.
        content: ``"skeletons"``, ``"trials"`` (clips of other signals) or ``"series"``.
        files: what it is, in a line.
        call: in Python.
        command: on the command line; empty: Python alone.
        extra: the extra of this package that it needs; empty: none.
    """

    name: str
    content: str
    files: str
    call: str
    command: str = ""
    extra: str = ""


_PREPARE = "stexplain data prepare skeletons RAW --out DIR"
_REGIONS = "stexplain data prepare regions RAW --train SUBJECTS --out DIR"
_EEG = "stexplain data prepare eeg RAW --out DIR"
# A card that names no reader reads any series; commands take the folder of the card.
_CARD = "stexplain bench roads --card my-card --data PATH"
_SENSORS = "load_sensors(path)"
_EXTRAS = {"bvh": "mocap", "c3d": "mocap", "hdf5-poses": "traffic"}

FORMATS: tuple[Format, ...] = (
    *(
        Format(name, "skeletons", files, "load_skeletons(path)", _PREPARE, _EXTRAS.get(name, ""))
        for name, files in SKELETONS.items()
    ),
    Format("mne-epochs", "trials", "EEG and MEG: epochs of MNE", "load_eeg(epochs)", "", "eeg"),
    Format("mne-evoked", "trials", "EEG and MEG: averages of MNE, one or a list", "load_eeg(evokeds)", "", "eeg"),
    Format(
        "eeg-files",
        "trials",
        "EEG, MEG: MNE's *-epo.fif, *-ave.fif, EEGLAB's *.set",
        "load_eeg(path)",
        _EEG,
        "eeg",
    ),
    Format("regions", "trials", "brain regions: arrays [subjects, time, regions], npz", "load_regions(path)", _REGIONS),
    Format(
        "region-tables",
        "trials",
        "a folder of csv, tsv, txt, 1D or npy, a run each; a .ts",
        "load_regions(folder)",
        _REGIONS,
    ),
    Format("mne-raw", "series", "EEG and MEG: a recording of MNE", "load_eeg(raw)", "", "eeg"),
    Format("in-memory", "series", "DataFrame, xarray Dataset or DataArray, array", "load_sensors(values)", "", ""),
    Format("libcity", "series", "LibCity's *.geo, *.rel, *.dyna and config.json", _SENSORS, _CARD),
    Format("basicts", "series", "BasicTS' data.dat, desc.json and adj_mx.pkl", _SENSORS, _CARD),
    Format("tsl", "series", "tsl's and DCRNN's *.h5, columns sensor or (sensor, channel)", _SENSORS, _CARD, "traffic"),
    Format("netcdf", "series", "*.nc, a channel for each variable over (time, node)", _SENSORS, _CARD, "netcdf"),
    Format("zarr", "series", "zarr, as netCDF", _SENSORS, _CARD, "netcdf"),
    Format("pems", "series", "PEMS' *.npz or an *.npy, [time, nodes, channels]", _SENSORS, _CARD),
    Format("pems-stations", "series", "PeMS' *text_station*.txt of 5 minutes or hours, or a folder", _SENSORS, _CARD),
    Format("wide-csv", "series", "a *.csv, a row for each time and a column for each sensor", _SENSORS, _CARD),
    Format("two-row-csv", "series", "a *.csv whose two first lines name sensor and channel", _SENSORS, _CARD),
)
"""All of them, by what they hold."""

_AS_FRAME = "Read it, and give the DataFrame: load_sensors(pd.{})."
_UNPACK = "Unpack it."
_OTHERS = {
    ".txt": _AS_FRAME.format(r"read_csv(path, sep=r'\s+', header=None)"),
    ".xlsx": _AS_FRAME.format("read_excel(path, index_col=0)"),
    ".xls": _AS_FRAME.format("read_excel(path, index_col=0)"),
    ".feather": _AS_FRAME.format("read_feather(path).set_index('time')"),
    ".pkl": "Where you trust who wrote it, give what it holds: load_sensors(pd.read_pickle(path)).",
    ".mat": "Give its array: load_sensors(scipy.io.loadmat(path)['name']), or of version 7.3 "
    "h5py.File(path)['name'][:].T.",
    ".rds": "Write it as CSV in R: write.csv(x, 's.csv', row.names=FALSE).",
    ".rdata": "Write it as CSV in R: write.csv(x, 's.csv', row.names=FALSE).",
    ".pt": "Give its array: load_sensors(torch.load(path, weights_only=True)).",
    ".json": "Read it, and give a DataFrame with a column for each sensor.",
    ".gz": _UNPACK,
    ".zip": _UNPACK,
    ".tar": _UNPACK,
}


def remedy_for_series(path: Path) -> str:
    """What to do with a file of a series that is not read, with a blank behind it; empty where it is not known.

    Example:
        >>> remedy_for_series(Path("speeds.xlsx"))
        'Read it, and give the DataFrame: load_sensors(pd.read_excel(path, index_col=0)). '
    """
    if "text_station_raw" in path.name:
        return "Of PeMS take the station files of five minutes or hours: each lane by itself is no node. "
    said = _OTHERS.get(path.suffix.lower(), "")
    return f"{said} " if said else ""
