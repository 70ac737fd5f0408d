"""A file or folder of the package that grows too large to read is split by concept."""

from pathlib import Path

import stexplain

PACKAGE = Path(stexplain.__file__).parent
LINES, FILES = 350, 16


def sources() -> list[Path]:
    """The package's own files; `_cards` holds copies of the cards in an installed wheel."""
    return [
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and not {"__pycache__", "_cards"} & set(path.relative_to(PACKAGE).parts)
    ]


def test_no_file_has_too_many_lines():
    counts = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in sources()
        if path.suffix == ".py"
    }
    assert {path: lines for path, lines in counts.items() if lines > LINES} == {}


def test_no_folder_has_too_many_files():
    counts: dict[str, int] = {}
    for path in sources():
        folder = path.parent.relative_to(PACKAGE).as_posix()
        counts[folder] = counts.get(folder, 0) + 1
    assert {folder: files for folder, files in counts.items() if files > FILES} == {}
