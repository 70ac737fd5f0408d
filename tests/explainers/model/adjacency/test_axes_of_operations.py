"""Which axis has which part in an operation that mixes nodes, from what each axis of its tensors follows."""

import pytest
import torch

from stexplain.explainers.model.adjacency.contraction import contraction_of
from stexplain.explainers.model.adjacency.roles import Atom, MessageRoles, message_roles, product_roles

NODES = 5
SIZES = {"b": 2, "t": 3, "n": NODES, "c": 4, "m": 7, "k": 6}


def axes(letters):
    """Such as ``"b t (n k)"``: c and k follow nothing; ``?`` has the size of the nodes and follows nothing."""
    found, group = [], None
    for letter in letters.replace(" ", ""):
        if letter in "()":
            if group is not None:
                found.append(tuple(group))
            group = [] if letter == "(" else None
            continue
        atom = Atom(letter if letter in "btnm" else "", NODES if letter == "?" else SIZES[letter])
        if group is None:
            found.append((atom,))
        else:
            group.append(atom)
    return tuple(found)


def roles(equation, *letters, out, by_size=True):
    """Of an einsum whose operands follow so much; ``""``: not known, as of what a model holds."""
    terms = equation.split("->")[0].split(",")
    sizes = {}
    for term, own in zip(terms, letters, strict=True):
        for label, atoms in zip(term, axes(own) if own else [None] * len(term), strict=True):
            sizes.setdefault(label, NODES if atoms is None else torch.Size([one.size for one in atoms]).numel())
    operands = [torch.ones([sizes[label] for label in term]) for term in terms]
    form = contraction_of("einsum", (equation, *operands), {})
    return product_roles(form, [axes(own) if own else None for own in letters], axes(out), NODES, by_size)


def told(found):
    """The labels of source and target, relations, samples and frames."""
    letter = lambda index: None if index is None else chr(index[0])  # noqa: E731
    ends = letter(found.source), letter(found.target)
    return (*ends, "".join(map(letter, found.relations)), letter(found.sample), letter(found.frame))


@pytest.mark.parametrize(
    ("equation", "letters", "out", "expected"),
    [
        ("uv,btuc->btvc", ("", "btnc"), "btnc", ("u", "v", "", "b", "t")),
        ("vu,ucb->vcb", ("", "ncb"), "ncb", ("u", "v", "", "b", None)),
        # Where all nodes are mixed none is followed: by their number.
        ("uv,btuc->btvc", ("", "bt?c"), "bt?c", ("u", "v", "", "b", "t")),
        ("uv,btuc->btvc", ("", "btnc"), "bt?c", ("u", "v", "", "b", "t")),
        ("uv,btuc->btvc", ("", "bt?c"), "btnc", ("u", "v", "", "b", "t")),
        # Relations, given or computed; weights of each sample and frame.
        ("kuv,btuc->btkvc", ("", "btnc"), "bt?nc", ("u", "v", "k", "b", "t")),
        ("btuv,btuc->btvc", ("btnn", "btnc"), "btnc", ("u", "v", "", "b", "t")),
        ("bthuv,bthuc->bthvc", ("btknn", "btknc"), "btknc", ("u", "v", "h", "b", "t")),
        # What all three have are heads, or channels where nothing else could be; or frames, where none are known.
        ("btuvc,btuc->btvc", ("btnnc", "btnc"), "btnc", ("u", "v", "", "b", "t")),
        ("huv,bthuc->bthvc", ("", "btknc"), "btknc", ("u", "v", "h", "b", "t")),
        ("huv,bhuc->bhvc", ("", "bknc"), "bknc", ("u", "v", "", "b", None)),
        ("bhuv,bhuc->bhvc", ("bknn", "bknc"), "bknc", ("u", "v", "", "b", None)),
        # Frames that are summed over too: a message is sent at the frame of its source.
        ("tsuv,bsuc->btvc", ("", "btnc"), "btnc", ("u", "v", "", "b", "s")),
    ],
)
def test_products(equation, letters, out, expected):
    if equation.startswith("tsuv"):
        form = contraction_of("einsum", (equation, torch.ones(3, 3, 5, 5), torch.ones(2, 3, 5, 4)), {})
        found = product_roles(form, [None, axes("btnc")], axes("btnc"), NODES, True)
    else:
        found = roles(equation, *letters, out=out)
    assert told(found) == expected
    assert found.adjacency == 0
    assert found.signals == 1
    assert found.letter(found.source) == found.letter(found.target) == "n"


@pytest.mark.parametrize(
    ("equation", "letters", "out", "by_size", "why"),
    [
        # Weights of channels, as many as nodes: the nodes go through as they are.
        ("btnc,cd->btnd", ("btn?", ""), "btn?", True, ""),
        ("btnc,cd->btnd", ("btn?", ""), "btn?", False, ""),
        # Nodes pooled, or spread, by weights of other sizes.
        ("btnc,cd->btnd", ("btnc", "ck"), "btnk", True, ""),
        # Of a layer with weights, size alone does not tell.
        ("btuc,uv->btvc", ("bt?c", ""), "bt?c", False, "may be that of the nodes, but does not follow them"),
        ("btuc,uv->btvc", ("btnc", ""), "bt?c", False, "may be that of the nodes, but does not follow them"),
        # Two axes of that size on the way in: either may be.
        ("buc,uv->bvc", ("b??", ""), "b??", True, "which of its axes are those of the nodes is not known"),
    ],
)
def test_products_that_mix_no_nodes_or_are_not_known(equation, letters, out, by_size, why):
    found = roles(equation, *letters, out=out, by_size=by_size)
    assert isinstance(found, str)
    assert why in found
    assert bool(why) == bool(found)


def test_roles_for_other_samples_and_without_frames():
    found = roles("btuv,btuc->btvc", "btnn", "btnc", out="btnc")
    other = found.with_samples(9)
    assert other.sizes_of([other.sample, other.source, other.frame]) == [9, NODES, 3]
    assert found.sizes_of([found.sample]) == [2]
    assert found.without_frames().frame is None
    assert found.without_frames().sample == found.sample
    messages = MessageRoles(axes("(tn)")[0], axes("(tn)")[0], axes("bc")[0] + axes("bct")[2])
    assert messages.without_frames().rest == (Atom("b", 2), Atom("", 3))
    assert messages.without_frames().target == (Atom("", 3), Atom("n", NODES))
    assert messages.with_samples(9).rest[0] == Atom("b", 9)
    assert messages.rest[0] == Atom("b", 2)


@pytest.mark.parametrize(
    ("axis", "source", "out", "expected"),
    [
        (2, "n", "btnc", ("n", "n", "btc")),
        (0, "(bn)", "(bn)tc", ("bn", "bn", "tc")),
        # By their number, where no axis was found to follow the nodes.
        (2, "?", "bt?c", ("n", "n", "btc")),
        (2, "?", "btnc", ("n", "n", "btc")),
        (2, "n", "bt?c", ("n", "n", "btc")),
        # Relations beside the nodes, at either end.
        (2, "(nk)", "btnc", ("nk", "n", "btc")),
        (2, "n", "bt(kn)c", ("n", "kn", "btc")),
        # Sums of samples, of channels, or of an axis beside that of the nodes.
        (0, "b", "btnc", ""),
        (3, "c", "btnc", ""),
        (3, "n", "btn?", ""),
        (2, None, "btnc", "what its messages are sent by is not known"),
        (2, "c", "btnc", "what its messages are sent by is not known"),
        (2, "(tn)", "btnc", "do not count the same nodes, samples or frames"),
        (0, "n", "(bn)tc", "do not count the same nodes, samples or frames"),
    ],
)
def test_sums_of_messages(axis, source, out, expected):
    found = message_roles(axis, None if source is None else axes(source)[0], axes(out), NODES)
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert expected in found
        assert bool(expected) == bool(found)
    else:
        sizes = {SIZES[letter]: letter for letter in "ck"}
        parts = [
            "".join(atom.letter or sizes[atom.size] for atom in part)
            for part in (found.source, found.target, found.rest)
        ]
        assert tuple(parts) == expected
