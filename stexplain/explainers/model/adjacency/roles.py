"""The roles of axes in an operation that mixes nodes: which is the sender's, the receiver's, of samples, of frames.

Every axis of a tensor is a list of *atoms*, the axes that are folded into it, each a letter and a size: `b`, `m`, `t`,
`n` where it follows the samples, instances, frames or nodes; empty otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from stexplain.explainers.model.adjacency.contraction import Contraction


class Atom(NamedTuple):
    """An axis, or one of those that are folded into one.

    Attributes:
        letter: what it follows; empty: channels, relations, or not known.
        size: its length.
    """

    letter: str
    size: int


Axes = tuple[tuple[Atom, ...], ...]
"""The atoms of every axis of a tensor."""
Index = tuple[int, int]
"""An atom of a contraction: the label of its axis, and its place in it."""


@dataclass(frozen=True)
class ProductRoles:
    """Which part each atom of a contraction has.

    Attributes:
        adjacency: the place of the operand that is one.
        signals: the place of the operand whose nodes are mixed.
        atoms: of each label.
        source: the atom of the nodes that send.
        target: the atom of the nodes that receive.
        relations: the atoms that number relations or heads.
        sample: the atom of the samples; none: they have no axis.
        frame: the atom of the frames; none: they have no axis.
        by_size: whether the axis of the source, and that of the target, is taken for the nodes by its size alone.
    """

    adjacency: int
    signals: int
    atoms: dict[int, tuple[Atom, ...]]
    source: Index
    target: Index
    relations: tuple[Index, ...]
    sample: Index | None
    frame: Index | None
    by_size: tuple[bool, bool] = (False, False)

    def axes_of(self, labels: Sequence[int]) -> list[Index]:
        """The atoms of an operand, in order."""
        return [(label, place) for label in labels for place in range(len(self.atoms[label]))]

    def sizes_of(self, indices: Sequence[Index]) -> list[int]:
        """The lengths of some atoms."""
        return [self.atoms[label][place].size for label, place in indices]

    def letter(self, index: Index) -> str:
        """What an atom follows."""
        return self.atoms[index[0]][index[1]].letter

    def without_frames(self) -> "ProductRoles":
        """The same without an axis of frames."""
        return replace(self, frame=None)

    def with_samples(self, samples: int) -> "ProductRoles":
        """The same for another number of samples."""
        return replace(self, atoms={label: _resized(atoms, samples) for label, atoms in self.atoms.items()})


@dataclass(frozen=True)
class MessageRoles:
    """What the axes of messages that are summed at their targets follow.

    Attributes:
        source: the atoms of the axis that the sources are picked from.
        target: the atoms of the axis that the targets lie on.
        rest: the atoms of all other axes of the messages, in order.
    """

    source: tuple[Atom, ...]
    target: tuple[Atom, ...]
    rest: tuple[Atom, ...]

    def without_frames(self) -> "MessageRoles":
        """The same without an axis of frames."""
        rest, target = (
            tuple(atom if atom.letter != "t" else Atom("", atom.size) for atom in atoms)
            for atoms in (self.rest, self.target)
        )
        return MessageRoles(self.source, target, rest)

    def with_samples(self, samples: int) -> "MessageRoles":
        """The same for another number of samples."""
        return MessageRoles(*(_resized(atoms, samples) for atoms in (self.source, self.target, self.rest)))


def _resized(atoms: tuple[Atom, ...], samples: int) -> tuple[Atom, ...]:
    return tuple(Atom("b", samples) if atom.letter == "b" else atom for atom in atoms)


def message_roles(axis: int, source_axis: tuple[Atom, ...] | None, out_axes: Axes, nodes: int) -> MessageRoles | str:
    """The roles in a sum of messages, or why it mixes no nodes as far as is known; empty where it surely does not.

    Args:
        axis: of the result, on which the targets lie.
        source_axis: the atoms of the axis that the sources are picked from; none where they are not known.
        out_axes: of the result.
        nodes: N.
    """
    # Rows that are picked by numbers of nodes, and summed by them, lie on axes of nodes if those have their number.
    target = _named(out_axes, axis, nodes)
    source = source_axis if source_axis is None or _nodes(source_axis) else _by_size(source_axis, nodes)
    if not _nodes(target):
        return ""
    if source is None or not _nodes(source):
        return "what its messages are sent by is not known"
    if [atom for atom in source if atom.letter] != [atom for atom in target if atom.letter]:
        return "the numbers of sources and targets do not count the same nodes, samples or frames"
    rest = tuple(atom for place, atoms in enumerate(out_axes) for atom in atoms if place != axis)
    return MessageRoles(source, target, rest)


def _named(axes: Axes, axis: int, nodes: int) -> tuple[Atom, ...]:
    """The atoms of an axis, that of the nodes by its size where no axis was found to follow them."""
    if any(_nodes(atoms) for atoms in axes):
        return axes[axis]
    return _by_size(axes[axis], nodes)


def _by_size(atoms: tuple[Atom, ...], nodes: int) -> tuple[Atom, ...]:
    return tuple(Atom("n", nodes) if atom == Atom("", nodes) else atom for atom in atoms)


def product_roles(
    form: Contraction, signal_axes: Sequence[Axes | None], out_axes: Axes, nodes: int, by_size: bool
) -> ProductRoles | str:
    """The roles in a product, or why it mixes no nodes as far as is known; empty where it surely does not.

    Args:
        form: the product.
        signal_axes: of each operand; none where they are not known.
        out_axes: of the result.
        nodes: N.
        by_size: whether an axis of N may be taken for that of the nodes where none was found to follow them: where all
            nodes are mixed, none does.
    """
    at_out = dict(zip(form.out, out_axes, strict=True))
    found = []
    unclear = ""
    for signals, axes in enumerate(signal_axes):
        if axes is None:
            continue
        at_signals = dict(zip(form.labels[signals], axes, strict=True))
        for adjacency, labels in enumerate(form.labels):
            if adjacency == signals:
                continue
            summed = [label for label in labels if label in at_signals and label not in at_out]
            added = [label for label in labels if label in at_out and label not in at_signals]
            ends: list[tuple[int, tuple[Atom, ...]] | None] = []
            # An axis that goes through as it is, is that of the nodes only if it is so on the way in.
            new = {label: atoms for label, atoms in at_out.items() if label not in at_signals or _nodes(atoms)}
            for own, candidates in ((at_signals, summed), (new, added)):
                named = _end(own, candidates, nodes)
                if named is not None and not _nodes(own[named[0]]) and not by_size:
                    unclear = f"an axis of size {nodes} may be that of the nodes, but does not follow them"
                    named = None
                ends.append(named)
            elsewhere = any(_nodes(atoms) for label, atoms in at_signals.items() if label not in summed)
            if by_size and None in ends and not elsewhere and _square(form, adjacency, summed, added, nodes):
                unclear = "which of its axes are those of the nodes is not known"
            if ends[0] is not None and ends[1] is not None:
                (source, source_atoms), (target, target_atoms) = ends[0], ends[1]
                sender, receiver = {**at_signals, source: source_atoms}, {**at_out, target: target_atoms}
                sized = (not _nodes(at_signals[source]), not _nodes(at_out[target]))
                found.append((adjacency, signals, sender, receiver, source, target, sized))
    if len({(signals, source, target) for _, signals, _, _, source, target, _ in found}) != 1:
        return "two operands could be the adjacency" if found else unclear
    # Several may hold weights of the same edges, as polynomials and attention do: their product is the adjacency.
    adjacency, signals, at_signals, at_out, summed_label, added_label, sized = found[0]
    atoms: dict[int, tuple[Atom, ...]] = {}
    for labels, operand in zip(form.labels, form.operands, strict=True):
        for label, size in zip(labels, operand.shape, strict=True):
            atoms.setdefault(label, (Atom("", size),))
    for label in atoms:
        # What either side knows of a shared axis holds for both.
        for known in (at_signals.get(label), at_out.get(label)):
            if known is not None and any(atom.letter for atom in known):
                atoms[label] = known
    sends, receives = _place(atoms, summed_label, "n"), _place(atoms, added_label, "n")
    result = ProductRoles(adjacency, signals, atoms, sends, receives, (), None, None, sized)
    indices = result.axes_of(list(atoms))
    frames = [index for index in indices if result.letter(index) == "t"]
    # Where frames are summed over too, a message is sent at the frame of its source.
    frames = [index for index in frames if index[0] in at_signals] or frames
    samples = [index for index in indices if result.letter(index) == "b"]
    result = replace(result, sample=samples[0] if samples else None, frame=frames[0] if frames else None)
    return replace(result, relations=_relations(form, result, (summed_label, added_label)))


def _relations(form: Contraction, roles: ProductRoles, ends: tuple[int, int]) -> tuple[Index, ...]:
    """The atoms of the adjacency that number relations: neither nodes, samples, frames nor channels."""
    own, signals = form.labels[roles.adjacency], form.labels[roles.signals]
    others = [
        index
        for index in roles.axes_of([label for label in signals if label not in own])
        if not roles.letter(index) and roles.sizes_of([index]) != [1]
    ]
    # Where no axis was found to follow the frames, one of these may be theirs.
    spare = len(others) > (roles.frame is None)
    result = []
    for index in roles.axes_of(own):
        label = index[0]
        # An axis that all three have is that of heads, or of channels where there is no other that could be.
        everywhere = label in signals and label in form.out
        if not roles.letter(index) and roles.sizes_of([index]) != [1] and (label in ends or not everywhere or spare):
            result.append(index)
    return tuple(result)


def _nodes(atoms: tuple[Atom, ...]) -> bool:
    return any(atom.letter == "n" for atom in atoms)


def _place(atoms: dict[int, tuple[Atom, ...]], label: int, letter: str) -> Index:
    return next((label, place) for place, atom in enumerate(atoms[label]) if atom.letter == letter)


def _square(form: Contraction, adjacency: int, summed: Sequence[int], added: Sequence[int], nodes: int) -> bool:
    sizes = dict(zip(form.labels[adjacency], form.operands[adjacency].shape, strict=True))
    return all(any(sizes[label] == nodes for label in labels) for labels in (summed, added))


def _end(
    axes: dict[int, tuple[Atom, ...]], candidates: Sequence[int], nodes: int
) -> tuple[int, tuple[Atom, ...]] | None:
    """Which of some labels is that of the nodes, and its atoms: the one that follows them; else by its size."""
    following = [label for label, atoms in axes.items() if _nodes(atoms)]
    if following:
        own = [label for label in candidates if label in following]
        return (own[0], axes[own[0]]) if len(own) == 1 and len(following) == 1 else None
    sized = [label for label, atoms in axes.items() if Atom("", nodes) in atoms]
    own = [label for label in candidates if label in sized and axes[label] == (Atom("", nodes),)]
    return (own[0], (Atom("n", nodes),)) if len(own) == 1 and len(sized) == 1 else None
