"""What a library says, or does not, of a variable that it cannot read."""

from pathlib import Path

import pytest

from stexplain.data.signals import netcdf
from stexplain.errors import DataError


class Unreadable:
    name = "speed"

    def __init__(self, error):
        self.error = error

    def to_numpy(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "it needs more memory than there is"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError("NetCDF: HDF error\nin a filter"), "NetCDF: HDF error"),
    ],
)
def test_an_error_of_the_library_becomes_one_line(error, said):
    with pytest.raises(DataError, match=rf"^a\.nc: speed could not be read: {said}\.$"):
        netcdf._values(Unreadable(error), Path("a.nc"))
