"""A card of one's own: begun as a copy, or written in the few lines that differ."""

import pytest

from stexplain.cards import any_card, card_names, dataset_card, new_card
from stexplain.errors import CardError, DataError, InputError
from stexplain.graph import skeleton_named, skeleton_names

GRAPH = 'graph = { nodes = ["hip", "knee"], edges = [["knee", "hip"]] }'

SHORT = """
name = "short"
reader = "stexplain.data.readers.nw_ucla"
classes = ["walk", "run"]
graph = { nodes = ["hip", "knee"], edges = [["knee", "hip"]] }
axes = { channels = ["x", "y"], frame_rate = 25.0 }
[protocols.cs]
title = "cross-subject"
train = { field = "subject", values = [1, 2] }
validation = { field = "subject", values = [2] }
"""


@pytest.mark.parametrize("like", card_names("datasets"))
def test_a_new_card_keeps_the_content_and_nothing_that_is_of_the_other_data_alone(tmp_path, like):
    known, path = any_card(like), new_card(tmp_path / "mine", like)
    card = any_card(path)
    own = {"name", "title", "summary", "licence", "url", "citation", "obtain", "planted", "files"}
    assert card.model_dump(exclude=own) == known.model_dump(exclude=own)
    assert (card.name, card.title, card.licence, card.planted) == ("mine", "mine", "not stated", None)
    assert not getattr(card, "files", None)
    # The comments inside tables are there.
    tables = known.path.read_text("utf-8").split("\n[", 1)[1].splitlines()
    assert {line for line in tables if "#" in line} <= set(path.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.symlink_to("nowhere"), "card: .*mine exists"),
        (lambda folder: folder.symlink_to(folder.name), "card: got .* symbolic links"),
        (lambda folder: folder.write_text("a file"), "card: .*mine exists"),
    ],
)
def test_a_new_card_where_something_is(tmp_path, make, message):
    make(tmp_path / "mine")
    with pytest.raises(InputError, match=message):
        new_card(tmp_path / "mine", "ntu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_a_new_card_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="could not be written"):
        new_card(tmp_path / "file" / "mine", "ntu")
    with pytest.raises(InputError, match="name too long"):
        new_card(tmp_path / ("n" * 300), "ntu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_new_card_overwrites_nothing(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists"):
        new_card(tmp_path / "mine", "ntu")
    with pytest.raises(CardError, match="Did you mean 'ntu'"):
        new_card(tmp_path / "other", "ntuu")
    assert not (tmp_path / "other").exists()


def test_ten_lines_are_a_card(tmp_path):
    (tmp_path / "card.toml").write_text(SHORT)
    card = dataset_card(tmp_path)
    assert [(entry.id, entry.name, entry.instances) for entry in card.classes] == [
        ("walk", "walk", 1),
        ("run", "run", 1),
    ]
    assert (card.axes.unit, card.axes.instances, card.licence, card.title) == ("", 1, "not stated", "short")


@pytest.mark.parametrize(
    ("line", "place", "example"),
    [
        ('classes = ["walk", "run"]', "classes", 'classes = ["walk", "run"]'),
        ('reader = "stexplain.data.readers.nw_ucla"', "reader", 'reader = "stexplain'),
        ('channels = ["x", "y"], ', "axes.channels", 'channels = ["x", "y", "z"]'),
        ('nodes = ["hip", "knee"], ', "graph.nodes", 'nodes = ["hip", "knee", "ankle"]'),
    ],
)
def test_what_is_missing_is_said_with_an_example(tmp_path, line, place, example):
    assert line in SHORT
    (tmp_path / "card.toml").write_text(SHORT.replace(line, ""))
    with pytest.raises(CardError) as caught:
        dataset_card(tmp_path)
    assert f"  {place}: required, but missing. For example: {example}" in str(caught.value)


@pytest.mark.parametrize("name", skeleton_names())
@pytest.mark.parametrize("form", ['graph = "{}"', 'graph = {{ skeleton = "{}" }}'])
def test_a_graph_may_be_a_known_skeleton(tmp_path, name, form):
    (tmp_path / "card.toml").write_text(SHORT.replace(GRAPH, form.format(name)))
    graph, skeleton = dataset_card(tmp_path).graph, skeleton_named(name)
    assert (tuple(graph.nodes), tuple(graph.edges)) == (skeleton.joints, skeleton.bones)
    assert (graph.center, graph.positions) == (skeleton.center, dict(skeleton.positions))
    assert {group: tuple(joints) for group, joints in graph.groups.items()} == dict(skeleton.groups)


def test_a_table_wins_over_its_skeleton_except_in_what_the_data_are(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text(SHORT.replace(GRAPH, 'graph = { skeleton = "coco-17", center = "left hip" }'))
    assert dataset_card(path).graph.center == "left hip" != skeleton_named("coco-17").center
    path.write_text(SHORT.replace(GRAPH, 'graph = { skeleton = "coco-17", nodes = ["hip"] }'))
    with pytest.raises(CardError, match="graph: got skeleton and nodes; expected one of them. Leave out nodes"):
        dataset_card(path)
    path.write_text(SHORT.replace(GRAPH, 'graph = "coco17"'))
    with pytest.raises(CardError, match="graph: got skeleton 'coco17'; expected .* Did you mean 'coco-17'"):
        dataset_card(path)


def test_a_card_whose_protocols_select_by_subject_groups_by_subject(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text(SHORT)
    assert dataset_card(path).grouping == {"subject": ["subject"]}
    path.write_text("grouping = {}" + SHORT)
    assert dataset_card(path).grouping == {}
    path.write_text(SHORT.replace('field = "subject"', 'field = "camera"'))
    assert dataset_card(path).grouping == {}
