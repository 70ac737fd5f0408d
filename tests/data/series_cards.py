"""Cards of small series for the tests of readers."""

from pathlib import Path

from stexplain.cards import SeriesCard, series_card

CARD = """
name = "small"
title = "Small"
summary = "A small series"
licence = "none"
url = "https://example.org"
citation = "none"
obtain = "Write it."
reader = "{reader}"

[series]
channels = [{channels}]
target_channel = {first}
unit = "mph"
minutes = 5
{more}
window = 3
horizon = 2
"""


def small_card(folder: Path, reader: str, channels: tuple[str, ...] = ("speed",), more: str = "") -> SeriesCard:
    """A card of five-minute values, written to a folder and read."""
    named = ", ".join(f'"{name}"' for name in channels)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "card.toml"
    path.write_text(CARD.format(reader=reader, channels=named, first=f'"{channels[0]}"', more=more))
    return series_card(path)
