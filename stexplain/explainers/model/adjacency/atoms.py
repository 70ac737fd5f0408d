"""The measured axes of a tensor as atoms, with what matters for products added: nodes that are stacked by relation."""

from stexplain.explainers.model.adjacency.roles import Atom, Axes
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.following import follows
from stexplain.explainers.model.probe.plan import Plan
from stexplain.explainers.model.probe.responses import Factor


def atoms_of(axes: TensorAxes, plan: Plan) -> Axes:
    """The atoms of every axis.

    Args:
        axes: as measured.
        plan: of the copies.
    """
    result: list[list[Atom]] = [[] for _ in axes.shape]
    has_nodes = any(factor.letter == "n" for factor in axes.factors)
    for factor in axes.factors:
        if factor.letter == "t" and axes.timing.kind != "global" and _alike(factor, plan):
            # All positions see the same frames, as the channels of a call at one frame do: it is not time.
            result[factor.dimension].append(Atom("", factor.size))
        elif not factor.letter and not has_nodes:
            result[factor.dimension] += _stacked(factor, plan)
        else:
            result[factor.dimension].append(Atom(factor.letter, factor.size))
    return tuple(tuple(atoms) or (Atom("", 1),) for atoms in result)


def _alike(factor: Factor, plan: Plan) -> bool:
    """Whether every index of an axis changes with the same frames, apart from those that change with none."""
    if factor.response is None:
        return True
    seen = factor.response[plan.frame_tests] > 0
    seen = seen[:, seen.any(0)]
    return bool((seen == seen[:, :1]).all())


def _stacked(factor: Factor, plan: Plan) -> list[Atom]:
    """The atoms of an axis of nodes, several times over: each relation by itself must follow them.

    The largest change of all relations, which tells folded axes elsewhere, may be anywhere where their edges differ.
    """
    nodes, tests = plan.sizes["n"], plan.node_tests
    copies, rest = divmod(factor.size, nodes)
    if factor.response is None or rest or copies < 2:
        return [Atom("", factor.size)]
    labels = [node for copy in tests if (node := plan.changes[copy].node) is not None]
    clarity = []
    for outer in (copies, 1):
        folded = factor.response.reshape(len(factor.response), outer, nodes, copies // outer)[tests]
        each = [
            follows(folded[:, i, :, j], folded[:, i, :, j] ** 2, labels)
            for i in range(outer)
            for j in range(copies // outer)
        ]
        # A relation without self loops need not follow; most must.
        clarity.append(sum(each) if sum(value > 0 for value in each) * 2 > copies else 0.0)
    outside, inside = clarity
    if outside == inside:
        return [Atom("", factor.size)]
    both = [Atom("", copies), Atom("n", nodes)]
    return both if outside > inside else both[::-1]
