"""A card to begin with: that of another dataset, without what is true of that dataset alone."""

import json
import os
import re
from pathlib import Path

from stexplain.cards.files import card_path
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.reading import given_path

_HEAD = """# The card of {name}, begun as a copy of {like}: change what differs, then run `stexplain data check`
# with this folder. The folder's path is how commands find the card.
name = {quoted}

# About the data. A card may leave all of these out.
title = {quoted}
summary = ""
licence = "not stated"
url = ""
citation = ""
obtain = "The card does not say."

# The module that reads the files. A card of a series may leave it out where `stexplain data list` names the format.
{reader}

"""
# A table that is true of one dataset's download alone.
_FILES = re.compile(r"^\[files\]\n(?:\S.*\n)*\n?", re.MULTILINE)


def new_card(folder: Path, like: str) -> Path:
    """Writes a commented card that begins as a copy of a known one.

    Licence, citation and source are not copied: they are those of the other data. Nor are its generator and its list
    of excluded files.

    Args:
        folder: the new card's folder, which must not exist; its name is the card's name.
        like: the name or path of a dataset's card.

    Returns:
        The file that was written.

    Raises:
        CardError: where there is no card `like`.
        InputError: where `folder` exists.

    Example:
        >>> import tempfile
        >>> from stexplain.cards import any_card
        >>> card = any_card(new_card(Path(tempfile.mkdtemp()) / "mine", like="ntu"))
        >>> card.name, card.licence, len(card.graph.nodes)
        ('mine', 'not stated', 25)
    """
    source = card_path("datasets", like)
    folder = given_path(folder, "card")
    # A link that leads nowhere is in the way, too.
    if os.path.lexists(folder):
        raise InputError(f"card: {folder} exists. Give the name of a new folder; nothing is overwritten.")
    text = source.read_text("utf-8")
    first = re.search(r"^\[", text, re.MULTILINE)
    head, tables = (text[: first.start()], text[first.start() :]) if first else (text, "")
    # A comment directly above a table is the table's.
    comment = re.search(r"(?:^#.*\n)+\Z", head, re.MULTILINE)
    if comment and first:
        tables = comment.group() + tables
    reader = re.search(r"^reader = .*$", head, re.MULTILINE)
    head = _HEAD.format(
        name=folder.name,
        quoted=json.dumps(folder.name, ensure_ascii=False),
        like=source.parent.name,
        reader=reader.group() if reader else '# reader = "my_reader"',
    )
    with atomic_write(folder) as part:
        part.mkdir()
        (part / "card.toml").write_text(head + _FILES.sub("", tables), "utf-8")
    return folder / "card.toml"
