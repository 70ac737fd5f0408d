"""A few kills of each work, always at the same changes of files; `python -m tests.faults.kills` has many, at random."""

import multiprocessing
import os
import sys
import time

import pytest

from tests.faults import kills
from tests.faults.kills import Failed, Kill, Killer, descendants
from tests.faults.works import WORKS

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="kills and looks at processes as Linux has"
)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_killed_work_resumes_to_the_same_files(work, tmp_path):
    killer = Killer(work, tmp_path / "work")
    assert killer.changes > 10
    # The second falls into what the first left, or at its end.
    twice = [Kill(change=killer.changes * 2 // 5), Kill(change=killer.changes * 2 // 5)]
    assert killer.trial(twice) >= 1


def test_a_work_that_does_not_resume_is_found(tmp_path):
    killer = Killer(next(one for one in WORKS if one.name == "prepare"), tmp_path / "work")
    (name, expected), *_ = [(name, each) for name, each in killer.expected.items() if name.endswith("x.npy")]
    killer.expected[name] = expected[::-1]
    with pytest.raises(Failed, match=f"other files: {name}"):
        killer.trial([Kill(change=3)])


def test_a_work_that_hangs_is_found(monkeypatch):
    killer = object.__new__(Killer)
    killer.work = WORKS[0]
    monkeypatch.setattr(kills, "IDLE", 1)
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    process.start()
    with pytest.raises(Failed, match="recognition, asleep: hangs after"):
        killer._wait(process, "asleep")
    process.join()
    assert process.exitcode


def test_descendants_are_those_of_this_process():
    assert os.getpid() in descendants(os.getppid())
    assert os.getpid() not in descendants(os.getpid())
