"""A file of the package or of its tests, or a folder of it, that grows too large to read is split by concept."""

from pathlib import Path

import stexplain

PACKAGE, TESTS = Path(stexplain.__file__).parent, Path(__file__).parent
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
        f"{root.name}/{path.relative_to(root).as_posix()}": len(path.read_text("utf-8").splitlines())
        for root, paths in ((PACKAGE, sources()), (TESTS, TESTS.rglob("*.py")))
        for path in paths
        if path.suffix == ".py"
    }
    assert {"stexplain/errors.py", "tests/test_sizes.py"} <= set(counts)
    assert {path: lines for path, lines in counts.items() if lines > LINES} == {}


def test_no_folder_has_too_many_files():
    counts: dict[str, int] = {}
    for path in sources():
        folder = path.parent.relative_to(PACKAGE).as_posix()
        counts[folder] = counts.get(folder, 0) + 1
    assert {folder: files for folder, files in counts.items() if files > FILES} == {}
