"""EEG and MEG through MNE: epochs as clips, a continuous recording as a series, electrodes as the graph."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked, warn_caller
from stexplain.checking.implausible import implausible_sensors
from stexplain.data.clips import Clips
from stexplain.data.series import WindowedSeries
from stexplain.data.signals.eeg.bad_channels import say_bad
from stexplain.data.signals.eeg.evoked import as_epochs, is_evoked
from stexplain.data.signals.eeg.files import read_epochs
from stexplain.data.signals.eeg.overlaps import overlapping_epochs
from stexplain.data.times.measured import Measured
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.reading import given_path, naming
from stexplain.wording import an

# FIFF's numbers of units, which MNE's channels carry.
_UNITS = {107: "V", 112: "T", 201: "T/m", 6: "M"}
# Columns that clips have of their own.
_OWN = ("id", "label", "frames", "instances", "group", "subject", "event", "sample")
# As MNE's own rejection by annotations reads them.
_BAD = re.compile("(bad|edge)", re.IGNORECASE)


@checked
def load_eeg(
    data: Any,
    *,
    picks: str | Sequence[str] | None = None,
    unit: str | None = None,
    graph: STGraph | None = None,
    nearest: int = 4,
    subject: str | None = None,
    window: int = 12,
    horizon: int = 12,
    stride: int = 1,
) -> "Clips | WindowedSeries":
    """Epochs of MNE as clips, or a continuous recording as a series; electrodes are nodes.

    Epochs ``[trials, N, T]`` become one clip each: x ``[1, T, N, 1]``, the class by the name of the event, seconds from
    the event as the time axis of explanations. Channels in ``info["bads"]`` are not observed. What an annotation that
    begins with BAD (or EDGE) overlaps is left out, as MNE's own rejection does: the epoch, or of a recording the
    windows; a warning says how much.

    Args:
        data: `mne.Epochs` or `EpochsArray`; averages over trials, a list of `mne.Evoked`, of which the comment is the
            class; a mapping from subjects to such; or an `mne.io.Raw`. Or the path of a file of epochs (``-epo.fif``,
            EEGLAB's ``.set``) or averages (``-ave.fif``), or of a folder: ``sub-...`` in names is a subject.
        picks: channels, as MNE takes them, such as ``"eeg"``; none: all that are data, which must be of one kind.
        unit: to convert to, such as ``"uV"``; none: MNE's own, volts of EEG.
        graph: over the channels by their names; none: each electrode with its `nearest` of the montage, by distances in
            the head, with the weights of `STGraph.from_distances`.
        nearest: how many neighbours an electrode has at least.
        subject: whose epochs these are; none: what ``info["subject_info"]`` says. Clips of one subject are one group.
        window: of a recording, how many frames a window reads.
        horizon: how many frames after it are predicted.
        stride: from one window to the next.

    Returns:
        `Clips` of epochs; a `WindowedSeries` of a recording.

    Raises:
        InputError: where `data` is none of these, channels are of several kinds, positions are missing, or recordings
            of several subjects differ in channels, rate or time.

    Example:
        >>> import mne
        >>> info = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg").set_montage("colin27_1020")
        >>> epochs = mne.EpochsArray(np.random.default_rng(0).normal(size=(6, 4, 50)), info, tmin=-0.2, verbose=False)
        >>> clips = load_eeg(epochs, nearest=2)
        >>> clips[0].x.shape, clips.classes, clips.measured.units
        ((1, 50, 4, 1), ['1'], ('V',))
        >>> clips[0].measured.seconds(50)[[0, 20]].tolist()
        [-0.2, 0.0]
    """
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        raise InputError(
            f"data: got {an(type(data).__name__)}; expected mne.Epochs, a list of mne.Evoked, an mne.io.Raw, or "
            "a path. An array of trials x electrodes x samples goes in as it is, explain(model, array, inputs='b n t', "
            "graph=graph); with subjects and labels by Clips.from_arrays."
        )
    try:
        import mne
    except ImportError as error:
        raise InputError("data: EEG is read through MNE. Install it: pip install 'stexplain[eeg]'.") from error
    path = given_path(data, "data") if isinstance(data, str | Path) else None
    if path is not None:
        data = read_epochs(path)
    if isinstance(data, mne.io.BaseRaw):
        say_bad(data)
        return _series(data, picks, unit, graph, nearest, window, horizon, stride)
    first = data[0] if isinstance(data, list | tuple) and data else data
    recordings = dict(data) if isinstance(data, Mapping) else {subject or _subject(first): data}
    recordings = {name: as_epochs(one, name) if is_evoked(one) else one for name, one in recordings.items()}
    if not recordings or not all(isinstance(one, mne.BaseEpochs) for one in recordings.values()):
        kinds = ", ".join(sorted({type(one).__name__ for one in recordings.values()})) or "nothing"
        raise InputError(
            f"data: got {kinds}; expected mne.Epochs, averages of them (a list of mne.Evoked), an "
            "mne.io.Raw, or a mapping from subjects to epochs. Of a file of epochs, or a folder of them, give "
            "its path; a recording is read by mne.io.read_raw."
        )
    return _clips(recordings, picks, unit, graph, nearest, path)


def _clips(
    recordings: Mapping[str, Any],
    picks: str | Sequence[str] | None,
    unit: str | None,
    graph: STGraph | None,
    nearest: int,
    path: Path | None,
) -> Clips:
    values: list[NDArray[np.float32]] = []
    observed: list[NDArray[np.bool_]] = []
    rows: list[dict[str, Any]] = []
    classes = list(dict.fromkeys(str(name) for epochs in recordings.values() for name in epochs.event_id))
    first: tuple[Any, ...] | None = None
    for subject, epochs in recordings.items():
        picked = _picked(epochs, picks)
        about = (picked.ch_names, float(picked.info["sfreq"]), float(picked.times[0]), len(picked.times))
        if first is None:
            first, (kind, measured) = about, _measured(picked, unit, float(picked.times[0]))
            with naming(path):
                own = _electrodes(picked, nearest) if graph is None else graph
            order = _order(picked.ch_names, own)
        if about != first:
            which = next(number for number, pair in enumerate(zip(about, first, strict=True)) if pair[0] != pair[1])
            what = ("channels", "sampling rate", "first time", "number of frames")[which]
            raise InputError(
                f"data: the {what} of {subject!r} is {about[which]}, of the first subject {first[which]}; expected the "
                "same. Use pick, resample or crop of MNE."
            )
        good = np.array([name not in epochs.info["bads"] for name in own.nodes])
        signals = picked.get_data(copy=False, **({} if unit is None else {"units": unit}))
        names = {code: str(name) for name, code in epochs.event_id.items()}
        kept = [number for number, spans in enumerate(_bad_spans(epochs, len(signals))) if not spans]
        _say_left_out(len(signals) - len(kept), len(signals), "epochs", subject)
        with naming(path):
            _check_finite(
                signals, kept, [name for name in own.nodes if name not in epochs.info["bads"]], picked, subject
            )
        metadata = epochs.metadata
        for number in kept:
            # [N, T] -> [1, T, N, 1].
            values.append(_single(signals[number][order].T[None, :, :, None]))
            observed.append(np.broadcast_to(good, values[-1].shape[:3]))
            row = {"subject": subject, "event": names[int(epochs.events[number, 2])]}
            row["id"] = "/".join(filter(None, [subject, str(epochs.selection[number])]))
            if metadata is not None:
                extra = metadata.iloc[number].to_dict()
                row |= {f"{key} (metadata)" if key in _OWN else str(key): value for key, value in extra.items()}
            rows.append(row)
    if not rows:
        raise InputError("data: no epoch is left: all were dropped, or overlap what is annotated as bad.")
    labels = [classes.index(row["event"]) for row in rows]
    ids = [str(row.pop("id")) for row in rows]
    columns = dict.fromkeys(key for row in rows for key in row)
    fields = {name: [row.get(name, "") for row in rows] for name in columns}
    if any(fields["subject"]):
        # Trials of one person are not independent.
        fields["group"] = list(fields["subject"])
    else:
        del fields["subject"]
        fields |= overlapping_epochs(next(iter(recordings.values())), kept)
    partial = not all(mask.all() for mask in observed)
    _say_implausible(np.concatenate([value[0, ..., 0] for value in values]), own, good)
    return Clips.from_arrays(
        [np.where(mask[..., None], value, 0) for value, mask in zip(values, observed, strict=True)],
        labels,
        graph=own,
        classes=classes,
        observed=observed if partial else None,
        ids=ids,
        channels=[kind],
        fields=fields,
        measured=measured,
    )


def _single(values: Any) -> NDArray[np.float32]:
    # What is not observed may be any number, also one beyond the largest of these.
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _check_finite(signals: Any, kept: Sequence[int], good: Sequence[str], picked: Any, subject: str) -> None:
    """Refuses observed values that are no numbers, or too large for 32 bits.

    Raises:
        InputError: naming the first epoch and channel with one.
    """
    for name in good:
        channel = _single(signals[:, picked.ch_names.index(name)])
        if lacking := [number for number in kept if not np.isfinite(channel[number]).all()]:
            of = f" of {subject!r}" if subject else ""
            raise InputError(
                f"data: channel {name!r} holds NaN or infinity in {len(lacking)} of {len(kept)} epochs{of}, the first "
                f"number {picked.selection[lacking[0]]}; expected numbers. Drop these epochs, or mark the channel as "
                f"bad: info['bads'] = [{name!r}]."
            )


def _say_implausible(values: Any, graph: STGraph, good: NDArray[np.bool_]) -> None:
    """Names channels that never change or repeat another, as dead or bridged ones do, and are not marked as bad."""
    nodes = [name for name, kept in zip(graph.nodes, good, strict=True) if kept]
    for sentence in implausible_sensors(values[:, good], nodes, what="channels") if nodes else ():
        warn_caller(f"EEG: {sentence}. Mark them: data.info['bads'] = [...].")


def _series(
    raw: Any,
    picks: str | Sequence[str] | None,
    unit: str | None,
    graph: STGraph | None,
    nearest: int,
    window: int,
    horizon: int,
    stride: int,
) -> WindowedSeries:
    picked = _picked(raw, picks)
    kind, measured = _measured(picked, unit, 0.0)
    own = _electrodes(picked, nearest) if graph is None else graph
    # NaN where an annotation says bad.
    order = _order(picked.ch_names, own)
    signals = picked.get_data(reject_by_annotation="NaN", **({} if unit is None else {"units": unit}))[order]
    bad_frames = np.isnan(signals).all(0)
    _say_implausible(signals.T, own, np.array([name not in raw.info["bads"] for name in own.nodes]))
    names = np.array([name in raw.info["bads"] for name in own.nodes])
    series = WindowedSeries(
        signals.T.astype(np.float32),
        window=window,
        horizon=horizon,
        stride=stride,
        graph=own,
        time=_times(raw),
        observed=np.broadcast_to(~names, signals.T.shape),
        channels=[kind],
        measured=measured,
    )
    # The number of bad frames before each frame: windows with none have the same at both ends.
    before = np.r_[0, np.cumsum(bad_frames)]
    clean = before[series.starts] == before[series.starts + window + horizon]
    if not clean.any():
        raise InputError(
            "data: every window overlaps what is annotated as bad. Shorten `window`, or look at raw.plot()."
        )
    _say_left_out(int((~clean).sum()), len(series), "windows", "")
    return series.subset(np.flatnonzero(clean))


def _picked(data: Any, picks: str | Sequence[str] | None) -> Any:
    """A copy with the channels that are requested, bad ones among them."""
    try:
        picked = data.copy().load_data().pick("data" if picks is None else picks, exclude=[])
    except (ValueError, KeyError) as error:
        raise InputError(
            f"picks: {str(error).rstrip('.')}. The channels are {', '.join(data.ch_names[:8])}, ..."
        ) from error
    kinds = picked.get_channel_types(unique=True)
    if len(kinds) > 1:
        raise InputError(
            f"picks: got channels of the kinds {', '.join(kinds)}, which differ in units and places; expected one "
            f"kind. Give picks={kinds[0]!r}."
        )
    return picked


def _measured(picked: Any, unit: str | None, start: float) -> tuple[str, Measured]:
    """The kind of the channels, and what they are measured in."""
    code = int(picked.info["chs"][0]["unit"])
    own = (_UNITS.get(code, "") if unit is None else unit,)
    kind = str(picked.get_channel_types(unique=True)[0])
    return kind, Measured(own if own[0] else (), float(picked.info["sfreq"]), start)


def _electrodes(picked: Any, nearest: int) -> STGraph:
    """Each electrode with its nearest by distances in the head, drawn from above, the nose up."""
    montage = picked.get_montage()
    places = {} if montage is None else montage.get_positions()["ch_pos"]
    lacking = [name for name in picked.ch_names if not np.isfinite(places.get(name, np.full(3, np.nan))).all()]
    if lacking:
        raise InputError(
            f"data: got no position of {len(lacking)} of {len(picked.ch_names)} channels ({', '.join(lacking[:3])}); "
            "expected a montage, of which the graph is made. Set one: data.set_montage('colin27_1020'), pick the "
            "channels that have one, or give graph=."
        )
    points = np.array([places[name] for name in picked.ch_names])
    return STGraph.from_coordinates(points, picked.ch_names, nearest=nearest, positions=seen_from_above(points))


def seen_from_above(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a head ``[N, 3]`` (x to the right, y to the nose, z up, centre at 0) on a plane, ``[N, 2]``.

    Azimuthal equidistant, as topographic maps are drawn: the vertex at 0, the height of the ears at distance 1.

    Example:
        >>> seen_from_above(np.array([[0.0, 0, 0.1], [0.1, 0, 0], [0, 0.1, 0]])).round(3).tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    across = np.hypot(points[:, 0], points[:, 1])
    angle = np.arctan2(across, points[:, 2]) / (np.pi / 2)
    # The vertex has no direction; any is right at distance 0.
    direction = points[:, :2] / np.where(across > 0, across, 1)[:, None]
    return np.asarray(direction * angle[:, None])


def _order(names: Sequence[str], graph: STGraph) -> list[int]:
    """Where each node of the graph is among the channels."""
    for name in graph.nodes:
        if name not in names:
            raise InputError(f"graph: its node {name!r} is not a channel of the data ({', '.join(names[:5])}, ...).")
    return [list(names).index(name) for name in graph.nodes]


def _bad_spans(epochs: Any, count: int) -> list[list[str]]:
    """The descriptions of the bad annotations that each epoch overlaps."""
    if epochs.annotations is None:
        return [[] for _ in range(count)]
    return [
        [str(each[2]) for each in spans if _BAD.match(str(each[2]))] for spans in epochs.get_annotations_per_epoch()
    ]


def _say_left_out(gone: int, total: int, what: str, subject: str) -> None:
    if gone:
        of = f" of {subject!r}" if subject else ""
        warn_caller(f"EEG: {gone} of {total} {what}{of} overlap an annotation that begins with BAD or EDGE: excluded.")


def _subject(epochs: Any) -> str:
    about = getattr(epochs, "info", {}).get("subject_info") or {}
    return str(about.get("his_id") or "")


def _times(raw: Any) -> pd.DatetimeIndex | None:
    """The time of each frame, in UTC; none where the recording's date or a whole number of nanoseconds is missing."""
    step = 1e9 / float(raw.info["sfreq"])
    if raw.info["meas_date"] is None or abs(step - round(step)) > 1e-6:
        return None
    start = pd.Timestamp(raw.info["meas_date"]) + pd.Timedelta(round(raw.first_samp * step), unit="ns")
    return pd.date_range(start, periods=len(raw.times), freq=pd.Timedelta(round(step), unit="ns"))
