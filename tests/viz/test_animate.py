"""Films: every frame of a chart that plays, in order; and what is refused."""

import json
import os
import stat
import sys
from dataclasses import replace

import altair as alt
import numpy as np
import pytest
import vl_convert
from PIL import Image

from stexplain.errors import InputError
from stexplain.viz import animate, network, save, skeleton
from stexplain.viz.playing import at_stop, play_of, plays
from tests.viz.drawing import words


@pytest.fixture
def chart(explanation, coordinates):
    return skeleton(explanation, x=coordinates, height=160, width=200)


def test_a_chart_notes_what_plays_it(chart, graph):
    play = play_of(chart.to_dict())
    still = play.pop("still")
    assert play == {"signal": "at_frame", "stops": [float(frame) for frame in range(12)], "rate": 12 / 5}
    opens = chart.to_dict()["params"][0]["value"][0]["frame"]
    assert still == f"On paper: frame {opens}, where importance is greatest. On a screen all 12 times play."
    over_time = network(graph, np.eye(3, 5), time=[-10, -5, 0], time_unit="min")
    play = play_of(over_time.to_dict())
    assert play.pop("still").startswith("On paper: 10 min earlier,")
    assert play == {"signal": "at", "stops": [-10.0, -5.0, 0.0], "rate": 1.5}
    assert play_of(network(graph, np.eye(3, 5)[0]).to_dict()) is None


@pytest.mark.parametrize(("frame_rate", "every"), [(12, 1), (30, 1), (50, 2), (120, 4), (1000, 34)])
def test_a_clip_whose_length_is_known_plays_in_real_time(frame_rate, every):
    chart, frames = alt.Chart().mark_point(), [float(frame) for frame in range(2 * frame_rate)]
    plays(chart, "at", frames, seconds=2.0, opens="1.00 s")
    play = play_of(chart.to_dict(validate=False))
    assert play["stops"] == frames[::every]
    # Each picture lasts as long as the frames that it stands for.
    assert play["rate"] == pytest.approx(frame_rate / every, rel=1e-4)
    shown = f"all {len(frames)}" if every == 1 else f"{len(play['stops'])} of {len(frames)}"
    assert play["still"].endswith(f"On a screen {shown} times play.")


@pytest.mark.parametrize(("frame_rate", "rate"), [(6, 6), (10, 10), (25, 25), (240, 30)])
def test_the_last_frame_of_a_clip_lasts_as_long_as_the_others(explanation, coordinates, frame_rate, rate):
    timed = replace(explanation, time=np.arange(12) / frame_rate)
    play = play_of(skeleton(timed, x=coordinates, height=160, width=200).to_dict())
    # Twelve frames at 240 a second are over before anything is seen: they are slowed down.
    assert (len(play["stops"]), play["rate"]) == (12, pytest.approx(rate, rel=1e-4))


def test_opened_at_another_stop_it_shows_that_frame(chart, graph):
    svg = vl_convert.vegalite_to_svg(at_stop(chart.to_dict(), 9.0))
    assert ">frame 9<" in svg
    over_time = network(graph, np.eye(3, 5), time=[-10, -5, 0], time_unit="min")
    assert "10 min earlier" in words(over_time)
    assert ">last observation<" in vl_convert.vegalite_to_svg(at_stop(over_time.to_dict(), 0.0))


def test_a_gif_has_every_frame(chart, tmp_path):
    path = animate(chart, tmp_path / "clip.gif", scale=0.5, speed=2)
    with Image.open(path) as film:
        assert film.n_frames == 12
        # 12 frames in 5 seconds, twice as fast; GIF counts in hundredths of a second.
        assert film.info["duration"] == pytest.approx(5000 / 12 / 2, abs=10)
        film.seek(3)
        shown = np.asarray(film.convert("L"), np.float64)
    png = vl_convert.vegalite_to_png(at_stop(chart.to_dict(), 3.0), scale=0.5)
    (tmp_path / "frame.png").write_bytes(png)
    with Image.open(tmp_path / "frame.png") as picture:
        white = Image.new("RGBA", picture.size, "white")
        expected = np.asarray(Image.alpha_composite(white, picture.convert("RGBA")).convert("L"), np.float64)
    # GIF has 256 colours.
    assert np.abs(shown[: len(expected), : expected.shape[1]] - expected).mean() < 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip.gif", "frame.png"]


def seconds_of(path):
    with Image.open(path) as film:
        durations = []
        for frame in range(film.n_frames):
            film.seek(frame)
            durations.append(film.info["duration"])
    return durations


def test_a_gif_lasts_as_long_as_its_clip_however_frames_are_rounded(chart, tmp_path):
    """12 frames at 2.4 x 2.9 a second: 14.4 hundredths each, which are 14 or 15."""
    durations = seconds_of(animate(chart, tmp_path / "clip.gif", scale=0.3, speed=2.9))
    assert set(durations) == {140, 150}
    assert sum(durations) == pytest.approx(5000 / 2.9, abs=5)


def test_a_fast_gif_has_fewer_frames_because_browsers_slow_down_shorter_ones(chart, tmp_path):
    """12 frames at 2.4 x 50 a second are 4 at 40."""
    durations = seconds_of(animate(chart, tmp_path / "clip.gif", scale=0.3, speed=50))
    assert len(durations) == 4
    assert min(durations) >= 20
    assert sum(durations) == pytest.approx(100, abs=5)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ffmpeg is a script")
def test_an_mp4_gets_every_frame_through_ffmpeg(chart, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ffmpeg"
    # Stands in for ffmpeg: writes what it is given, and counts the bytes of the frames.
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nraw = sys.stdin.buffer.read()\n"
        "open(sys.argv[-1], 'w').write(json.dumps([sys.argv[1:], len(raw)]))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    path = animate(chart, tmp_path / "clip.mp4", scale=0.5)
    arguments, size = json.loads(path.read_text())
    width, height = map(int, arguments[arguments.index("-s") + 1].split("x"))
    assert size == 12 * width * height * 4  # RGBA
    assert width % 2 == height % 2 == 0
    assert "h264" in arguments
    assert float(arguments[arguments.index("-framerate") + 1]) == pytest.approx(12 / 5)


def test_an_mp4_without_ffmpeg_is_refused_with_the_remedy(chart, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"needs the program ffmpeg.*apt install.*\.gif or \.html"):
        animate(chart, tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_page_is_named(chart, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"needs matplotlib and Pillow.*stexplain\[plots\].*\.html"):
        animate(chart, tmp_path / "clip.gif")
    assert "data-autoplay" in animate(chart, tmp_path / "clip.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["clip.avi", "clip", "clip.png"])
def test_other_endings_are_refused(chart, tmp_path, name):
    with pytest.raises(InputError, match=r"use \.mp4, \.gif or \.html"):
        animate(chart, tmp_path / name)


def test_what_stands_still_is_refused(graph, tmp_path):
    with pytest.raises(InputError, match="does not change over time"):
        animate(network(graph, np.ones(5)), tmp_path / "a.gif")
    with pytest.raises(InputError, match="speed: got 0"):
        animate(network(graph, np.ones((2, 5))), tmp_path / "a.gif", speed=0)


def test_a_saved_page_has_the_player(chart, tmp_path):
    page = save(chart, tmp_path / "a.html").read_text("utf-8")
    assert "stexplain.draw(" in page
    assert '"usermeta"' in page
    assert 'data-autoplay="yes"' not in page


def test_an_explanation_animates_itself(explanation, coordinates, tmp_path):
    page = explanation.animate(tmp_path / "a.html", x=coordinates).read_text("utf-8")
    assert '"signal":"at_frame"' in page
    assert 'data-autoplay="yes"' in page
    forecast = replace(explanation, targets=np.array([-1, -1]), measures="score")
    page = forecast.animate(tmp_path / "b.html", sample=1).read_text("utf-8")
    assert '"signal":"at"' in page
    # It says which sample it shows, and of a forecast what the colours did to it.
    assert f"Sample {forecast.ids[1]}, one of 2." in page
    assert "Orange: raised it; blue: lowered it" in page
    with pytest.raises(InputError, match="sample: got 7; expected 0 to 1"):
        explanation.animate(tmp_path / "c.html", sample=7)
    with pytest.raises(InputError, match="has no graph"):
        replace(forecast, graph=None).animate(tmp_path / "c.html")
