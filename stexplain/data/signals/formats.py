"""Every format that is read as it is: what it holds, the call, the command, and the extra it needs."""

from dataclasses import dataclass

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
_MOTION = ("bvh", "c3d")

FORMATS: tuple[Format, ...] = (
    *(
        Format(name, "skeletons", files, "load_skeletons(path)", _PREPARE, "mocap" if name in _MOTION else "")
        for name, files in SKELETONS.items()
    ),
    Format("mne-epochs", "trials", "EEG and MEG: epochs of MNE", "load_eeg(epochs)", "", "eeg"),
    Format("eeg-files", "trials", "EEG and MEG: MNE's *-epo.fif, EEGLAB's *.set", "load_eeg(path)", _EEG, "eeg"),
    Format("regions", "trials", "brain regions: arrays [subjects, time, regions], npz", "load_regions(path)", _REGIONS),
    Format(
        "region-tables", "trials", "a folder of csv, tsv, txt, 1D or npy, a run each", "load_regions(folder)", _REGIONS
    ),
    Format("mne-raw", "series", "EEG and MEG: a recording of MNE", "load_eeg(raw)", "", "eeg"),
    Format("libcity", "series", "LibCity's *.geo, *.rel, *.dyna and config.json", _SENSORS, _CARD),
    Format("basicts", "series", "BasicTS' data.dat, desc.json and adj_mx.pkl", _SENSORS, _CARD),
    Format("tsl", "series", "tsl's and DCRNN's *.h5, columns sensor or (sensor, channel)", _SENSORS, _CARD, "traffic"),
    Format("netcdf", "series", "*.nc, a channel for each variable over (time, node)", _SENSORS, _CARD, "netcdf"),
    Format("zarr", "series", "zarr, as netCDF", _SENSORS, _CARD, "netcdf"),
    Format("pems", "series", "PEMS' *.npz or an *.npy, [time, nodes, channels]", _SENSORS, _CARD),
    Format("wide-csv", "series", "a *.csv, a row for each time and a column for each sensor", _SENSORS, _CARD),
)
"""All of them, by what they hold."""
