"""Folders that are one thing stay within themselves: no name and no link in them leads to files of others."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from stexplain.errors import DataError


def leads_out(name: str) -> bool:
    r"""Whether a path within a folder would be one outside of it, on any system.

    Example:
        >>> [leads_out(name) for name in ("a/b.csv", "../b.csv", "/etc/b.csv", "C:\\b.csv")]
        [False, True, True, True]
    """
    found = (PurePosixPath(name), PureWindowsPath(name))
    return "\0" in name or any(path.root or path.drive or ".." in path.parts for path in found)


def inside(name: str, source: Path, remedy: str = "Fetch the folder again.") -> str:
    """A path that a file names, within the file's folder.

    Args:
        name: as the file has it.
        source: the file.
        remedy: what to do, for the message.

    Raises:
        DataError: where it leads out of the folder: anybody's files would be read, copied or written over.

    Example:
        >>> inside("tables/a.csv", Path("run/results.json"))
        'tables/a.csv'
        >>> inside("../a.csv", Path("run/results.json"))
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: run/results.json: got '../a.csv'; expected a path within its folder. Fetch ...
    """
    if leads_out(name):
        shown = name if len(name) <= 80 else f"{name[:80]}..."
        raise DataError(f"{source}: got {shown!r}; expected a path within its folder. {remedy}")
    return name


def refuse_links_out(folder: Path, remedy: str = "Put the files themselves there.") -> None:
    """Refuses a folder in which a link leads out of it: what is read, or written, would be somebody else's.

    The folder itself may be a link, and links may lead anywhere inside of it.

    Args:
        folder: that is one thing, such as a store or the folder of a run.
        remedy: what to do, for the message.

    Raises:
        DataError: naming the first such link.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "log.txt").symlink_to("/etc/passwd")
        >>> refuse_links_out(folder)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../log.txt is a link to /etc/passwd, out of the folder ...; expected ...
    """
    home = folder.resolve()
    # Folders that are links are listed, and not gone into.
    for path in folder.rglob("*"):
        if _is_link(path):
            try:
                leads = path.resolve()
            except (OSError, RuntimeError):
                # Links in a circle lead nowhere: who reads them says so.
                continue
            if not leads.is_relative_to(home):
                raise DataError(
                    f"{path} is a link to {leads}, out of the folder {folder}; expected a file in it. {remedy}"
                )


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except PermissionError:
        # In a folder that may not be entered: who reads what is in it says so.
        return False
