import pytest

from stexplain.cards import card_names, dataset_card, import_object, is_series_card, series_card
from stexplain.data import load_dataset
from stexplain.data.store.prepare import prepare
from stexplain.errors import CardError
from tests.data.skeleton_files import body, write_ntu

SERIES = [name for name in card_names("datasets") if is_series_card(name)]
RECORDINGS = [name for name in card_names("datasets") if name not in SERIES]


@pytest.mark.parametrize("name", SERIES)
def test_a_series_card_is_consistent(name):
    card = series_card(name)
    assert card.name == name == card.path.parent.name
    assert callable(import_object(card.reader, name).read)
    if card.planted is not None:
        assert callable(import_object(card.planted, name).generate)
    assert card.obtain.strip()
    assert card.licence.strip()
    with pytest.raises(CardError, match=rf"card: got '{name}', a series; expected a dataset of recordings"):
        dataset_card(name)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_card_is_consistent(name):
    card = dataset_card(name)
    graph = card.graph
    assert len(set(graph.nodes)) == len(graph.nodes)
    assert {node for edge in graph.edges for node in edge} == set(graph.nodes)
    assert set(graph.positions) == set(graph.nodes)
    assert graph.center is None or graph.center in graph.nodes
    assert sorted(node for nodes in graph.groups.values() for node in nodes) in ([], sorted(graph.nodes))
    assert len(set(card.class_names)) == len({entry.id for entry in card.classes}) == len(card.classes)
    for protocol in card.protocols.values():
        other_field = protocol.validation.field != protocol.train.field
        assert other_field or set(protocol.validation.values) < set(protocol.train.values)


def test_a_card_of_recordings_is_no_series_card():
    with pytest.raises(CardError, match="card: got 'ntu', a dataset of recordings with classes; expected a series"):
        series_card("ntu")
    with pytest.raises(CardError, match="Did you mean 'ntu'"):
        series_card("ntuu")


@pytest.mark.parametrize("name", ["ntu", "ntu120", "nw-ucla"])
def test_a_body_is_a_symmetric_tree(name):
    graph = dataset_card(name).graph
    assert len(graph.edges) == len(graph.nodes) - 1

    def mirrored(node):
        return node.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")

    edges = {frozenset(edge) for edge in graph.edges}
    assert {frozenset(map(mirrored, edge)) for edge in edges} == edges
    for node, (x, y) in graph.positions.items():
        assert graph.positions[mirrored(node)] == (-x, y)
        if node.startswith("left"):
            assert x > 0  # seen from the front, the person's left is on the right


def test_ntu_equals_the_release():
    card = dataset_card("ntu")
    released = (
        "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 19-18 20-19 "
        "22-23 23-8 24-25 25-12"
    )
    edges = [f"{card.graph.nodes.index(a) + 1}-{card.graph.nodes.index(b) + 1}" for a, b in card.graph.edges]
    assert edges == released.split()
    assert [entry.id for entry in card.classes] == [f"A{number:03d}" for number in range(1, 61)]
    assert [entry.instances for entry in card.classes] == [1] * 49 + [2] * 11
    assert (card.axes.instances, card.axes.frame_rate) == (2, 30.0)


def test_the_groups_of_ntu_have_the_order_of_the_papers_figures():
    graph = dataset_card("ntu").graph
    order = [graph.nodes.index(node) for nodes in graph.groups.values() for node in nodes]
    assert order == [4, 5, 6, 7, 21, 22, 8, 9, 10, 11, 23, 24, 3, 2, 20, 1, 0, 12, 13, 14, 15, 16, 17, 18, 19]


def test_ntu_120_goes_on_where_ntu_60_ends():
    small, large = dataset_card("ntu"), dataset_card("ntu120")
    assert large.classes[:60] == small.classes
    assert [entry.id for entry in large.classes] == [f"A{number:03d}" for number in range(1, 121)]
    assert {entry.id for entry in large.classes[60:] if entry.instances == 2} == {f"A{n}" for n in range(106, 121)}
    assert large.graph == small.graph
    subjects, setups = large.protocols["xsub"].train.values, large.protocols["xset"].train.values
    assert len(subjects) == len(set(subjects)) == 53
    assert set(small.protocols["xsub"].train.values) <= set(subjects) <= set(range(1, 107))
    assert setups == list(range(2, 33, 2))


def test_ntu_120_is_prepared_and_split(tmp_path):
    for setup, subject, action in ((1, 1, 1), (2, 3, 61), (32, 103, 120), (31, 106, 106)):
        write_ntu(tmp_path / "raw", f"S{setup:03d}C001P{subject:03d}R001A{action:03d}", {1: body(6, action)})
    write_ntu(tmp_path / "raw", "S003C001P001R001A002", {1: body(6, 99)})
    (tmp_path / "raw" / "NTU_RGBD120_samples_with_missing_skeletons.txt").write_text("S003C001P001R001A002\n")
    summary = prepare("ntu120", tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    assert (summary.kept, summary.excluded) == (4, {"listed as missing": 1})
    test = load_dataset("ntu120", tmp_path / "store", "xset/test")
    assert test.table["setup"].tolist() == [1, 31]
    assert load_dataset("ntu120", tmp_path / "store", "xsub/train+validation").table["subject"].tolist() == [1, 103]
