"""Which axis of a deep layer follows the nodes, found from a layer before it that is known.

Behind several graph convolutions every node changes every other, and some of them more than itself: from the input it
no longer can be known which index of a layer is which node. From the output of one layer to that of the next there is
one such step, or none. So nodes are changed there, copy by copy, and every layer found is a start for those behind it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from stexplain.axes import CHANNELS
from stexplain.errors import StexplainError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.layer_names import floating_tensors, split_name, with_tensor
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.axes import TensorAxes, axes_of, layout_of
from stexplain.explainers.model.probe.observe import Collect, observed_twice
from stexplain.explainers.model.probe.outputs import ModuleOutputs, module_outputs
from stexplain.explainers.model.probe.plan import Change, Plan, node_changes, plan_of
from stexplain.explainers.model.probe.responses import Factor, factors_of, joined_factors
from stexplain.explainers.model.probe.rows import LayerAxes

STARTS = 3
"""So many known layers before each one whose nodes are open are tried, each alone."""


class Evidence(Protocol):
    """What is known of a tensor, and from which copies."""

    axes: TensorAxes
    plan: Plan


def may_hide_nodes(one: "TensorAxes | LayerAxes", nodes: int) -> bool:
    """Whether a tensor may have an axis of nodes that was not found.

    Args:
        one: what is known of it.
        nodes: how many there are, N.
    """
    if nodes == 1 or one.nodes:
        return False
    if one.layout is None:
        return True
    # Axes of channels whose size is a multiple of N may hold them.
    by_dimension = zip(one.layout.groups, one.shape, strict=True)
    return any(size % nodes == 0 for group, size in by_dimension if set(group) <= set(CHANNELS))


def find_nodes(
    caller: ModelCaller, model_input: ModelInput, evidence: Mapping[str, Evidence], once: Collection[str]
) -> None:
    """Looks for the nodes of layers that may hide them, from layers before them; what is found is entered.

    All layers whose nodes are known are changed together, each from its unchanged values, in the same node of the same
    copy: so each layer behind is reached from the nearest one, by all ways at once. What is found is a start of the
    next round. Then only the layer right before each open one is changed, and the one before that.

    Args:
        caller: of the model.
        model_input: samples; one of them is copied.
        evidence: of each layer's first or only tensor, and of further ones, in the order in which modules finish.
        once: the layers that ran once.
    """
    nodes = model_input.sizes["n"]
    order = list(evidence)
    # What does not depend on the input, such as an adjacency that is passed on, follows none of its nodes.
    left = [name for name in order if evidence[name].axes.factors and may_hide_nodes(evidence[name].axes, nodes)]
    all_at_once, back = True, 1
    while left and back <= STARTS:
        # Those behind all that is open reach nothing of it.
        starts = _starts(order[: order.index(left[-1])], evidence, once)
        changed = list(starts)
        if not all_at_once:
            # By one way alone a node may stand out that does not where it comes by several: all other layers give what
            # they gave. So what is behind another start is not reached, and all that is open is looked at together.
            before = {name: [start for start in starts if order.index(start) < order.index(name)] for name in left}
            changed = list(dict.fromkeys(some[-back] for some in before.values() if len(some) >= back))
        if changed:
            _from_layers(caller, model_input, starts, changed, {name: evidence[name] for name in left})
        open_before, left = left, [name for name in left if may_hide_nodes(evidence[name].axes, nodes)]
        if len(left) == len(open_before):
            # Once all together tell nothing more, they hardly will behind one that was found alone.
            back += not all_at_once
            all_at_once = False
        elif not all_at_once:
            back = 1


def _starts(names: Sequence[str], evidence: Mapping[str, Evidence], once: Collection[str]) -> dict[str, TensorAxes]:
    """The axes of the layers, in order, whose nodes are known, and can be changed."""
    starts = {}
    for name in names:
        axes = evidence[name].axes
        # Not one of several tensors of a module: which of them the next module takes is not known.
        if name in once and axes.nodes and axes.layout is not None and not split_name(name)[1]:
            starts[name] = axes
    return starts


def _from_layers(
    caller: ModelCaller,
    model_input: ModelInput,
    starts: Mapping[str, TensorAxes],
    changed_layers: Collection[str],
    left: Mapping[str, Evidence],
) -> None:
    """Changes the nodes of some layers, holds the other starts, and looks at those behind them."""
    like = next(iter(left.values())).plan
    sizes = {axis: model_input.sizes[axis] for axis in "mtnc"}
    plan = plan_of(node_changes(sizes), sizes)
    if like.one_by_one:
        plan = plan.one_after_another(like.samples)
    modules = list(dict.fromkeys(split_name(name)[0] for name in left))
    # Nothing is changed in the input: what is changed lies inside of the model.
    unchanged = replace(plan, changes=(Change(nothing=True),) * len(plan.changes))
    try:
        seen = observed_twice(caller, model_input, _changing(starts, changed_layers, plan, modules), unchanged)
    except StexplainError:
        # A model that does not run with other values inside: nothing is learned.
        return
    for name, one in left.items():
        if name not in seen.reference.calls:
            continue
        reference, changed = seen.pair(lambda outputs, name=name: outputs.last(name))  # type: ignore[misc]
        factors, _ = factors_of(reference, changed, plan)
        if factors is None or not _are_alike(factors, one.axes.unnamed):
            continue
        # What the nodes of the input did is left out.
        frames_alone = replace(
            one.plan,
            changes=tuple(Change(nothing=True) if each.node is not None else each for each in one.plan.changes),
        )
        joined = frames_alone.joined(plan)
        axes = axes_of(joined_factors(list(one.axes.unnamed), factors), joined, one.axes.shape)
        if axes.nodes:
            one.axes, one.plan = _with_known_time(axes, one.axes), joined


def _with_known_time(axes: TensorAxes, before: TensorAxes) -> TensorAxes:
    """Axes whose nodes were found now, with what a longer clip showed of time before."""
    # Where instances are open, too, there is no layout whatever the time.
    if axes.timing.known or axes.open_axes or before.timing.kind == "unknown":
        return axes
    if before.timing.kind == "none":
        # No axis grew with the clip: what is left are channels.
        named = [replace(factor, letter="") if factor.letter == "t" else factor for factor in axes.factors]
        layout, sizes, why = layout_of(named)
        return replace(
            axes, layout=layout, timing=before.timing, why=why, frames=False, factors=tuple(named), sizes=sizes
        )
    in_time = [(factor.dimension, factor.size) for factor in before.factors if factor.letter == "t"]
    places = [
        place
        for place, factor in enumerate(axes.factors)
        if factor.letter in ("", "t") and (factor.dimension, factor.size) in in_time
    ]
    if len(places) != 1:
        return axes
    named = [replace(factor, letter="t") if [place] == places else factor for place, factor in enumerate(axes.factors)]
    layout, sizes, why = layout_of(named)
    return replace(axes, layout=layout, timing=before.timing, why=why, frames=True, factors=tuple(named), sizes=sizes)


def _changing(
    starts: Mapping[str, TensorAxes], changed_layers: Collection[str], plan: Plan, modules: Sequence[str]
) -> Collect[ModuleOutputs]:
    """What `observed_twice` gathers, with the outputs of some layers changed in all passes but the first."""
    passes = 0
    unchanged: dict[str, Tensor] = {}

    @contextmanager
    def one_pass(model: nn.Module) -> Iterator[ModuleOutputs]:
        nonlocal passes
        # One copy after the other is the first sample of a batch in a pass of its own.
        changes = plan.changes[passes - 1 : passes] if plan.one_by_one else plan.changes
        with ExitStack() as hooks:
            for name, axes in starts.items():
                if not passes:
                    hook = _kept_output(unchanged, name)
                else:
                    hook = _changed_output(unchanged[name], axes, plan, changes if name in changed_layers else ())
                hooks.callback(model.get_submodule(name).register_forward_hook(hook).remove)
            passes += 1
            try:
                with module_outputs(model, modules) as outputs:
                    yield outputs
            except BaseException:
                # The passes begin again, in another type or one by one.
                passes = 0
                raise

    return one_pass


_Hook = Callable[[nn.Module, Any, Any], Any]


def _kept_output(kept: dict[str, Tensor], name: str) -> _Hook:
    def keep(_module: nn.Module, _arguments: object, output: object) -> None:
        kept[name] = next(iter(floating_tensors(output).values())).detach().clone()

    return keep


def _changed_output(unchanged: Tensor, axes: TensorAxes, plan: Plan, changes: Sequence[Change]) -> _Hook:
    """A hook that gives the unchanged output but for a node per copy, whatever was changed before the layer."""
    assert axes.layout is not None
    # Where each value of a batch lies in the output: a batch does not tell the sizes of several axes of channels.
    numbers = torch.arange(unchanged.numel(), device=unchanged.device).view(unchanged.shape)
    known = {axis: plan.sizes[axis] for axis in "mn"}
    places = axes.layout.to_batch(numbers, **{**axes.sizes, **known, "b": plan.samples})
    batch = unchanged.flatten()[places]
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(batch.shape[1:], generator=generator, dtype=torch.float64, device="cpu").to(batch)
    # As large as the values differ, channel by channel: far more would saturate what follows.
    noise = noise * (batch.std((0, 1, 2, 3)) + 1e-3 * batch.abs().max())
    for copy, one in enumerate(changes):
        if one.node is not None:
            batch[copy, one.instance, :, one.node] += noise[one.instance, :, one.node]
    changed = torch.empty_like(batch.flatten())
    changed[places.flatten()] = batch.flatten()
    changed = changed.view(unchanged.shape)

    def change(_module: nn.Module, _arguments: object, output: object) -> object:
        path = next(iter(floating_tensors(output)))
        return with_tensor(output, path, changed.clone())

    return change


def with_nodes_of_first_call(axes: TensorAxes, reference: Tensor, changed: Tensor, plan: Plan) -> TensorAxes:
    """The axes of all calls of a module, by how its first call follows the nodes: later ones have mixed them again.

    Args:
        axes: of the outputs of all calls, along a further last axis.
        reference: the output of the first call, of unchanged copies.
        changed: the same of changed ones.
        plan: of the copies.
    """
    factors, _ = factors_of(reference, changed, plan)
    if factors is None or not _are_alike(factors, axes.unnamed[:-1]):
        return axes
    tests = plan.node_tests

    def replaced(every: Factor, first: Factor) -> Factor:
        if every.response is None or first.response is None or every.strength is None or first.strength is None:
            return every
        response, strength = every.response.copy(), every.strength.copy()
        response[tests], strength[tests] = first.response[tests], first.strength[tests]
        return replace(every, response=response, strength=strength)

    *each_call, calls = axes.unnamed
    found = axes_of([*map(replaced, each_call, factors), calls], plan, axes.shape)
    return found if found.nodes else axes


def _are_alike(some: Sequence[Factor], others: Sequence[Factor]) -> bool:
    """Whether factors may be of one tensor: of the same sizes, but for as many samples as there were copies."""

    def sizes(several: Sequence[Factor]) -> list[int | str]:
        return [each.letter or each.size for each in several]

    return sizes(some) == sizes(others)
