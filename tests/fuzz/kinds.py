"""Kinds of bad input that people meet and that no random change finds: every one in the place of every file.

A case is a folder of valid files, one of them, and a kind. Some kinds change what the file says, and may be refused or
read. Others say the same in another way (`SAME`): what they give is what the valid file gives, or they are
refused; read as something else, they would be wrong without a word.
"""

from collections.abc import Mapping
from pathlib import Path

from tests.fuzz.damage.contents import CONTENTS
from tests.fuzz.damage.places import PLACES

MOST_FILES = 10
"""Of a folder, so many files: those of a zarr folder are much alike."""
SAME = {
    "byte order mark", "ends of lines of Windows", "ends of lines of old Macs", "no last end of line", "UTF-16",
    "empty lines at the end", "UTF-16 unmarked", "zero bytes at the end", "separator at each end", "separators mixed",
    "two separators at each end", "semicolons", "tabs", "a space after each separator", "decimal commas", "packed",
    "decimal commas, semicolons", "thousands quoted", "every field quoted", "a comment first", "first line twice",
    "a link out of the folder", "beside it: of a Mac", "beside it: of Windows", "beside it: of an editor",
    "beside it: of a Mac, as the file itself", "cut by one byte", "packed and cut", "a key twice",
    "without its first line", "last column twice",
}  # fmt: skip
"""What says the same in another way, or cannot be understood: it gives the same, or is refused."""
NAMELESS = {"without its first line"}
"""Of these names are gone: it is the numbers alone that are the same."""


def cases(seeds: list[dict[str, bytes]]) -> list[tuple[int, str, str]]:
    """Every seed, file and kind that is one for it."""
    return [
        (number, name, kind)
        for number, files in enumerate(seeds)
        for name in sorted(files)[:MOST_FILES]
        for kind in [*CONTENTS, *PLACES]
        if kind in PLACES or CONTENTS[kind](name, files[name]) is not None
    ]


def apply(kind: str, folder: Path, files: Mapping[str, bytes], name: str) -> None:
    """Changes one file of a folder in which all are valid."""
    if kind in PLACES:
        PLACES[kind](folder / name)
        return
    content = CONTENTS[kind](name, files[name])
    assert content is not None
    (folder / name).write_bytes(content)
