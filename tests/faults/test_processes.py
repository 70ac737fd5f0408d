"""Where an explanation may be made: a running event loop, as in a notebook, and workers of the caller's own."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from stexplain.data.store.prepare import prepare
from tests.data.skeleton_files import body, write_ntu
from tests.faults.in_worker import explained, into


def in_a_worker(kind):
    context = multiprocessing.get_context(kind)
    queue = context.Queue()
    process = context.Process(target=into, args=(queue,))
    process.start()
    found = queue.get(timeout=120)
    process.join(60)
    assert process.exitcode == 0
    return found


def test_a_spawned_worker_gives_what_this_process_gives():
    np.testing.assert_array_equal(in_a_worker("spawn"), explained())


_FORK = """
    import multiprocessing, sys, torch
    from tests.explainers.our_models import batch, small_model
    from stexplain.explainers.methods import STGGradCAM
    from stexplain.explainers.targets import Class

    torch.set_num_threads(2)

    def explained(queue):
        with STGGradCAM(small_model()) as explain:
            queue.append(explain(batch(64, 2, 8), target=Class(1)).values.sum())
        assert torch.get_num_threads() == 2

    here = []
    explained(here)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=explained, args=([],))
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        sys.exit("it hangs")
    sys.exit(process.exitcode)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not fork, or not safely")
def test_a_worker_that_was_forked_after_threads_ran_does_not_hang():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FORK)],
        env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_in_a_running_event_loop(tmp_path):
    """As a notebook has one: explanations, and work in processes."""
    for number in range(3):
        write_ntu(tmp_path / "raw", f"S001C001P001R00{1 + number}A007", {4: body(6, number)})

    async def cell():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(tick())
        await asyncio.sleep(0.01)
        here = explained()
        there = await asyncio.to_thread(explained)
        summary = prepare("ntu", tmp_path / "raw", tmp_path / "store", workers=2, progress=False)
        other.cancel()
        return here, there, summary.kept, ticks

    here, there, kept, ticks = asyncio.run(cell())
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(here, explained())
    assert kept == 3
    assert ticks > 1
    assert threading.active_count() < 20
