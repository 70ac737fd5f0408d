"""What is shown of long work, on a terminal and where it is piped."""

import io
import sys

import pytest
import torch
from torch import nn

from stexplain import layers
from stexplain import progress as module
from stexplain.progress import Progress


class Clock:
    """Stands where the clock of the system does, and is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (300, 2.0, "working: 300 of 400, 150.0/s, 0:01 left"),
        (20, 20.0, "working: 20 of 400, 1.0/s, 6:20 left"),
        (4, 10.0, "working: 4 of 400, 2.5 s each, 16:30 left"),
        (1, 40.0, "working: 1 of 400, 40 s each, 266:00 left"),
    ],
)
def test_slow_work_tells_the_seconds_of_a_step(done, seconds, said):
    shown = Progress("working", 400, shown=False)
    shown.update(done)
    assert shown.line(seconds) == said


def test_steps_of_a_run_before_are_not_counted_in_the_rate():
    shown = Progress("working", 400, shown=False, completed=100)
    shown.update(150)
    assert shown.line(10.0) == "working: 150 of 400, 5.0/s, 0:50 left"
    shown.update(100)
    assert shown.line(10.0) == "working: 100 of 400"


def test_a_pipe_gets_a_line_now_and_then(clock, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with Progress("working", 4, every=20.0) as shown:
        for _ in range(4):
            clock.now += 15.0
            shown.advance()
    assert out.getvalue().splitlines() == [
        "working: 2 of 4, 15 s each, 0:30 left",
        "working: 4 of 4, 15 s each, 0:00 left",
    ]


def test_a_bar_shows_the_note_and_the_rate(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("training", 10) as shown:
        clock.now += 2.0
        shown.update(8, note="loss 0.31")
        assert shown._bar.tasks[0].fields["note"] == "loss 0.31, 4.0/s"


def test_one_bar_is_shown_at_a_time(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with Progress("outer", 2, every=0.0), Progress("inner", 2, every=0.0) as inner:
        inner.advance()
    assert out.getvalue() == ""


class Bar:
    """Stands where rich's bar does, and keeps what it is told."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.passes = 0

    def add_task(self, what, **_):
        return what

    def start(self):
        self.shown.append("started")

    def update(self, task, *, completed, **_):
        self.passes = completed

    def stop(self):
        self.shown.append("stopped")


@pytest.mark.parametrize(("terminal", "slow"), [(True, True), (True, False), (False, True)])
def test_measuring_layers_shows_its_passes_on_a_terminal_where_it_takes_long(monkeypatch, clock, terminal, slow):
    bar = Bar()
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setattr(Progress, "_terminal_bar", lambda shown: bar)

    class Slow(nn.Module):
        def forward(self, x):
            clock.now += 10.0 if slow else 0.001
            return x.relu().mean((2, 3))

    table = layers(nn.Sequential(nn.Conv2d(2, 4, 1), Slow()), torch.randn(2, 2, 6, 5), inputs="b c t n")
    assert len(table) == 2
    assert bar.shown == (["started", "stopped"] if terminal and slow else [])
    assert (bar.passes > 1) == terminal
