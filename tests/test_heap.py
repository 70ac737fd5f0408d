"""What the C library holds free goes back to the system, and only where it has grown."""

import subprocess
import sys

import pytest

from stexplain import heap

MB = 2**20


# Pieces below 128 kB are on the heap, and a small block after each keeps the C library from giving them back.
SMALL_BLOCKS = """
import numpy as np
from stexplain import heap

MB = 2**20
before = heap.resident_bytes()
large, small = [], []
for number in range(1500):
    large.append(np.full(12_000, 1.0))  # 96 kB
    small.append(bytes([number % 256]) * 2000)
assert heap.resident_bytes() - before > 120 * MB
del large
freed = heap.resident_bytes()
assert heap.give_back()
assert freed - heap.resident_bytes() > 100 * MB
assert [block[0] for block in small] == [number % 256 for number in range(1500)]
"""


A_BLOCK = """
import numpy as np
from stexplain import heap

MB = 2**20
before = heap.resident_bytes()
block = np.ones(8 * MB)  # 64 MB
assert 60 * MB < heap.resident_bytes() - before < 80 * MB
assert block[-1] == 1
"""


@pytest.mark.skipif(heap._trim() is None, reason="only glibc has malloc_trim")
def test_freed_memory_between_small_blocks_is_given_back():
    # In a process of its own: what earlier tests left free would be taken first, and not be on top.
    subprocess.run([sys.executable, "-c", SMALL_BLOCKS], check=True)


def resident(monkeypatch, sizes):
    """Makes the process hold these megabytes, one after the other, and 100 after memory was given back."""
    series, trims, trimmed = iter(sizes), [], []

    def held():
        if trimmed:
            trimmed.clear()
            return 100 * MB
        return next(series) * MB

    def give_back():
        trims.append(True)
        trimmed.append(True)
        return True

    monkeypatch.setattr(heap, "resident_bytes", held)
    monkeypatch.setattr(heap, "give_back", give_back)
    return trims


@pytest.mark.parametrize(
    ("sizes", "trims"),
    [
        # The first item's end gives back, for the least that is held: 100. The next batch takes 50: at most
        # 100 + 50 + 64 = 214.
        ([400, 150, 200, 214, 214], 1),
        ([400, 150, 200, 215, 150], 2),
        # After the second time a batch took 80: at most 100 + 80 + 64 = 244.
        ([400, 150, 215, 180, 244], 2),
        ([400, 150, 215, 180, 245], 3),
        # Half of a batch of 200 is more than 64: at most 100 + 200 + 100 = 400.
        ([400, 300, 390, 400, 400], 1),
        ([400, 300, 390, 401, 300], 2),
    ],
)
def test_memory_is_given_back_where_it_grows_beyond_a_batch(monkeypatch, sizes, trims):
    given = resident(monkeypatch, sizes)
    assert list(heap.settled(range(5))) == [0, 1, 2, 3, 4]
    assert len(given) == trims


def test_a_single_batch_pays_for_nothing(monkeypatch):
    given = resident(monkeypatch, [])
    items = heap.settled([7])
    assert next(items) == 7
    assert not given


def test_systems_that_do_not_say_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap, "resident_bytes", lambda: None)
    monkeypatch.setattr(heap, "give_back", lambda: pytest.fail("nothing is known"))
    assert list(heap.settled("abc")) == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says what a process holds")
def test_resident_memory_grows_by_what_is_written():
    # In a process of its own: elsewhere what earlier tests held may be freed between the two measurements.
    subprocess.run([sys.executable, "-c", A_BLOCK], check=True)
