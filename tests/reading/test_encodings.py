"""Text that is not in UTF-8: what says by itself how it is written is read right, all else is refused in words."""

import shutil
from functools import partial
from pathlib import Path

import pytest

import stexplain as stx
from stexplain.cards import any_card, card_path
from stexplain.data import load_regions, load_skeletons
from stexplain.data.readers.number_table import has_header
from stexplain.data.signals.region_files import _names_columns
from stexplain.data.skeletons.graph_file import read_skeleton
from stexplain.errors import StexplainError
from tests.fuzz import corpus

REGIONS = stx.STGraph.from_edges(["Br\u00fccke", "V2", "M1"], [("Br\u00fccke", "V2"), ("V2", "M1")])
OTHERS = ("utf-16", "utf-32", "utf-16-le", "latin-1")
LEG = stx.STGraph.from_edges(["h\u00fcfte", "knee", "foot"], [("h\u00fcfte", "knee"), ("knee", "foot")])


def _read(name, folder):
    """What is read of a format, down to its names and values."""
    if name == "series":
        found = stx.load_sensors(folder / "speeds.csv")
        return found.graph.nodes, found.graph.edges.tolist(), found[0].x.tolist()
    if name == "libcity":
        found = stx.load_sensors(folder)
        return found.graph.nodes, found.graph.edges.tolist(), found[0].x.tolist()
    if name == "regions":
        found = load_regions(folder, train="all", graph=REGIONS)
        return found.graph.nodes, found[0].x.tolist()
    if name == "skeleton graph":
        return read_skeleton(folder / "leg.csv").nodes
    if name == "card":
        return any_card(folder / "nw").title
    found = load_skeletons(folder, graph=LEG if name == "table" else None)
    return found.graph.nodes, found.ids, found[0].x.tolist()


def _write(name, folder):
    if name == "series":
        corpus.speeds_csv(folder)
        for path in folder.glob("*.csv"):
            # One sensor's name, as a whole cell of each table.
            lines = path.read_text().splitlines()
            cells = [["Z\u00fcrich" if cell == "11" else cell for cell in line.split(",")] for line in lines]
            path.write_text("\n".join(map(",".join, cells)) + "\n")
    elif name == "table":
        corpus.tidy_table(folder)
        path = folder / "table.csv"
        path.write_text(path.read_text().replace("hip", "h\u00fcfte"))
    elif name == "regions":
        corpus.region_tables(folder)
        (folder / "sub-2_bold.npy").unlink()
        for path in (*folder.glob("*.csv"), *folder.glob("*.tsv")):
            path.write_text(path.read_text().replace("V1", "Br\u00fccke"))
    elif name == "skeleton graph":
        (folder / "leg.csv").write_text("joint,parent\nh\u00fcfte,\nknee,h\u00fcfte\n")
    elif name == "card":
        shutil.copytree(card_path("datasets", "nw-ucla").parent, folder / "nw")
        path = folder / "nw" / "card.toml"
        path.write_text(path.read_text("utf-8") + "\n# \u00fc\n", "utf-8")
    else:
        getattr(corpus, name)(folder)
        for path in folder.rglob("*.*"):
            path.write_text(path.read_text().replace("Leg", "L\u00e9g").replace("zumba", "z\u00fcmba"))


FORMATS = ("series", "libcity", "table", "regions", "openpose", "kinetics", "bvh", "skeleton graph", "card")


@pytest.fixture(params=FORMATS)
def format_and_folder(request, tmp_path):
    _write(request.param, tmp_path)
    return request.param, tmp_path


def _recode(folder: Path, encoding: str) -> list[Path]:
    text = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".npy"]
    for path in text:
        path.write_bytes(path.read_text("utf-8").encode(encoding))
    return text


def test_a_byte_order_mark_changes_nothing(format_and_folder):
    name, folder = format_and_folder
    before = _read(name, folder)
    _recode(folder, "utf-8-sig")
    assert _read(name, folder) == before


@pytest.mark.parametrize("encoding", OTHERS)
def test_another_encoding_is_read_right_or_refused_in_words(format_and_folder, encoding):
    name, folder = format_and_folder
    before = _read(name, folder)
    text = _recode(folder, encoding)
    # JSON says by its first bytes how it is written; in Latin-1 all without accents is UTF-8 too.
    if name == "openpose" or (name, encoding) == ("libcity", "latin-1"):
        assert _read(name, folder) == before
        return
    with pytest.raises(StexplainError) as refused:
        _read(name, folder)
    assert any(str(path) in str(refused.value) for path in (folder, *text))


@pytest.mark.parametrize("read", [partial(stx.load_sensors, links="none"), read_skeleton])
def test_the_remedy_is_to_save_it_in_utf_8(tmp_path, read):
    (tmp_path / "a.csv").write_bytes("joint,parent\nh\u00fcfte,\n".encode("latin-1"))
    with pytest.raises(
        StexplainError, match=r"a\.csv could not be .*: the byte 0xfc is not text in UTF-8\. Save it in UTF-8"
    ):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("read", [has_header, _names_columns])
def test_the_first_row_of_numbers_is_no_header_for_its_byte_order_mark(tmp_path, read):
    (tmp_path / "a.csv").write_bytes("1,2\n3,4\n".encode("utf-8-sig"))
    assert not read(tmp_path / "a.csv")
