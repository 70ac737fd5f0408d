"""Finds what mixes nodes in a model: the operations of a forward pass, with the measured roles of their axes."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.backend.dgl import dgl_installed, import_dgl
from stexplain.errors import InputError
from stexplain.explainers.model.adjacency.call_frames import frames_of_calls
from stexplain.explainers.model.adjacency.contraction import Contraction
from stexplain.explainers.model.adjacency.events import Key, Scatter, Site
from stexplain.explainers.model.adjacency.importance import edges_of, ends_of
from stexplain.explainers.model.adjacency.measured import Measured, measured_calls
from stexplain.explainers.model.adjacency.names import Kind
from stexplain.explainers.model.adjacency.own import OWN
from stexplain.explainers.model.adjacency.roles import Index, MessageRoles, ProductRoles
from stexplain.explainers.model.adjacency.unfollowed.by_size import basis_of, by_size_alone
from stexplain.explainers.model.adjacency.unfollowed.find import find_unfollowed
from stexplain.explainers.model.arguments.values import tensors_in
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.plan import FEW_FRAMES, Plan, first_plan, plan_of, single_frames


@dataclass
class Call:
    """One call of an operation.

    Attributes:
        roles: of its axes; none where they are not known, or the call does not depend on the input.
        frames: the frame that each position stands for, ``[T']``; none where that is not known, or there is no axis.
        edges: how many it has.
    """

    roles: ProductRoles | MessageRoles | None = None
    frames: NDArray[np.float64] | None = None
    edges: int = 0


@dataclass
class Mixing:
    """An operation that mixes nodes, and all its calls in a forward pass.

    Attributes:
        name: of the tensor that holds the weights, or the place where they are computed; no two have one.
        kind: where it comes from.
        site: where it runs.
        shape: of the weights, for one sample.
        axes: of the weights, in words.
        relations: how many there are.
        per_sample: whether the weights differ between samples.
        per_frame: whether they differ between frames.
        calls: by where they run and their number there.
        ran: how often anything ran at the site, what mixes no nodes among it.
        why: the reason where it is not known what its axes are.
        by_size: whether its ends are taken for nodes by their number alone.
    """

    name: str
    kind: Kind
    site: Site
    shape: tuple[int, ...] = ()
    axes: str = ""
    relations: int = 1
    per_sample: bool = False
    per_frame: bool = False
    calls: dict[Key, Call] = field(default_factory=dict)
    ran: int = 0
    why: str = ""
    by_size: bool = False

    @property
    def edges(self) -> int:
        """The largest number of edges of a call."""
        return max((call.edges for call in self.calls.values()), default=0)


@dataclass
class Listing:
    """What mixes nodes in a forward pass.

    Attributes:
        mixings: in the order in which they run.
        one_by_one: whether samples must be explained one at a time, as not all operations have an axis of samples.
        whole: whether they must be explained all at once, as the model takes no other number of samples.
        inferences: how many samples went through the model to find out.
    """

    mixings: list[Mixing]
    one_by_one: bool
    whole: bool
    inferences: int


def find_mixings(caller: ModelCaller, model_input: ModelInput) -> Listing:
    """The operations that mix nodes in a forward pass, measured on changed copies of one sample.

    Args:
        caller: of the model, which is frozen.
        model_input: samples.

    Raises:
        InputError: where there is one node only, or the model does not run.
    """
    assert caller.model is not None
    if model_input.sizes["n"] < 2:
        raise InputError("the input has one node: there are no edges. Is n missing in `inputs`?")
    if dgl_installed() and any(isinstance(module, OWN) for module in caller.model.modules()):
        # It is imported at its first use: the function to be watched must be there before.
        import_dgl()
    model_input, plan = _copied_as(caller, model_input)
    calls, inferences = measured_calls(caller, model_input, plan)
    if any(call.mixed_samples for call in calls):
        # An operation that runs once per sample has no axis of samples: copies one after the other have none at all.
        first = model_input.rows(slice(0, 1), caller.inputs)
        plan = first_plan({axis: first.sizes[axis] for axis in "mtnc"}).one_after_another(1)
        calls, more = measured_calls(caller, first, plan)
        inferences += more
    calls, more = _with_global_frames(caller, model_input, calls)
    inferences += more
    calls = [_unless_basis(call) for call in calls]
    mixings = _distinct(_by_site(calls, model_input.sizes["t"]))
    doubtful = {calls[place].event.key for place in by_size_alone(calls)}
    for mixing in mixings:
        mixing.by_size = not doubtful.isdisjoint(mixing.calls)
    known = [call.roles for mixing in mixings for call in mixing.calls.values() if call.roles is not None]
    one_by_one = not all(_has_samples(roles) for roles in known)
    found, more = _unfollowed(caller, model_input, mixings)
    inferences += more
    mixings = _distinct(mixings + found)
    return Listing(mixings, one_by_one, bool(calls) and calls[0].plan.one_by_one and not one_by_one, inferences)


def _unless_basis(call: Measured) -> Measured:
    if not isinstance(call.event.form, Contraction) or not isinstance(call.roles, ProductRoles):
        return call
    why = basis_of(call.event.form, call.roles)
    return replace(call, roles=None, why=why) if why else call


def _unfollowed(caller: ModelCaller, model_input: ModelInput, mixings: list[Mixing]) -> tuple[list[Mixing], int]:
    """Where values pass between nodes beside these operations, by nothing whose edges could be explained."""
    roles = {key: call.roles for mixing in mixings for key, call in mixing.calls.items() if call.roles is not None}
    found, inferences = find_unfollowed(caller, model_input, roles, {mixing.site for mixing in mixings if mixing.why})
    reasons = {each.site: each.why for each in found if each.followed}
    for mixing in mixings:
        mixing.why = mixing.why or reasons.get(mixing.site, "")
    beside = [each for each in found if not each.followed]
    return [Mixing(each.site.where, "computed", each.site, why=each.why) for each in beside], inferences


def _copied_as(caller: ModelCaller, model_input: ModelInput) -> tuple[ModelInput, Plan | None]:
    """The samples, with how shared arguments follow copies of them; and a plan where the whole batch alone runs."""
    if not tensors_in(dict(model_input.shared)):
        return model_input, None
    x = caller.inputs.to_batch(model_input.x, **model_input.sizes)
    copies = caller._copies(model_input, torch.cat([x, x]))
    if len(copies) == 1:
        return replace(model_input, way=copies[0].way), None
    # Such as a graph that holds the edges of this very batch: its first sample is changed, again and again.
    sizes = {axis: model_input.sizes[axis] for axis in "mtnc"}
    return model_input, first_plan(sizes).one_after_another(model_input.sizes["b"])


def _with_global_frames(
    caller: ModelCaller, model_input: ModelInput, calls: list[Measured]
) -> tuple[list[Measured], int]:
    """The calls with an axis of frames also where each position sees all of a long clip, and its own frame most."""
    frames = model_input.sizes["t"]
    if frames <= FEW_FRAMES or all(call.has_frames or not call.mixes for call in calls):
        return calls, 0
    plan = calls[0].plan
    one_by_one = plan.one_by_one
    # Frames of long clips were changed many at a time: now some are changed alone.
    changes = [*(plan.changes[copy] for copy in plan.node_tests), *single_frames(frames)]
    further = plan_of(changes, plan.sizes)
    if one_by_one:
        further = further.one_after_another(plan.samples)
    samples = model_input.rows(slice(0, 1), caller.inputs) if one_by_one and plan.samples == 1 else model_input
    again, inferences = measured_calls(caller, samples, further)
    found = {call.event.key: call for call in again if call.has_frames and call.roles is not None}
    return [
        found.get(call.event.key, call) if call.mixes and not call.has_frames else call for call in calls
    ], inferences


def _has_samples(roles: ProductRoles | MessageRoles) -> bool:
    if isinstance(roles, ProductRoles):
        return roles.sample is not None
    return any(atom.letter == "b" for atom in (*roles.rest, *roles.target))


def _by_site(calls: Sequence[Measured], frames: int) -> list[Mixing]:
    # Sums that did not go on but scaled their own edges are no messages: known at the end of the pass only.
    messages = [call for call in calls if not (isinstance(call.event.form, Scatter) and call.event.form.normaliser)]
    at_site: dict[Site, list[Measured]] = {}
    named: dict[tuple[Site, str], list[Measured]] = {}
    for call in messages:
        at_site.setdefault(call.event.site, []).append(call)
        named.setdefault((call.event.site, _named(call)[0]), []).append(call)
    of_calls: dict[Key, float] = {}
    # One line may mix by several tensors at each frame, or by another one at each frame.
    for own in (*named.values(), *at_site.values()):
        of_calls = {**frames_of_calls(own, frames), **of_calls}
    ran = Counter(call.event.site for call in calls)
    groups: dict[tuple[Site, str, bytes | None], list[Measured]] = {}
    for call in messages:
        name, site = _named(call)[0], call.event.site
        if call.event.key in of_calls and len(named[site, name]) < frames:
            name = re.sub(r"\[\d+\]$", "", name)
        # Layers that are called in a loop of one line are distinguished by the frames that their positions stand for.
        place = (site, name, None if call.frames is None else call.frames.tobytes())
        groups.setdefault(place, []).append(call)
    mixings = []
    for (site, name, _), own in groups.items():
        if not any(call.mixes for call in own):
            continue
        # What is the same at all calls is decided by the first that mixes nodes.
        shown = next((call for call in own if call.roles is not None), None) or next(call for call in own if call.mixes)
        mixing = Mixing(name, _named(shown)[1], site, ran=ran[site])
        mixings.append(mixing)
        mixing.shape, mixing.axes, mixing.relations = _described(shown)
        mixing.why = next((call.why for call in own if call.why), "")
        for call in own:
            mixing.calls[call.event.key] = known = Call(call.roles, call.frames, _edges(call))
            if call.event.key in of_calls and call.roles is not None:
                # Channels of the input and of a state, side by side, see other frames and may look like time.
                known.roles = call.roles.without_frames()
                known.frames = np.asarray([of_calls[call.event.key]])
        words = mixing.axes.replace("(", " ").replace(")", " ").split()
        mixing.per_sample = "sample" in words or any(call.varies for call in own)
        mixing.per_frame = "frame" in words or _differ(own)
    return mixings


def _differ(calls: Sequence[Measured]) -> bool:
    """Whether calls, one per frame, have different weights."""
    weights = [
        call.event.form.operands[call.roles.adjacency]
        for call in calls
        if isinstance(call.event.form, Contraction) and isinstance(call.roles, ProductRoles) and not call.has_frames
    ]
    return any(
        first.shape != other.shape or not torch.equal(first.to_dense(), other.to_dense())
        for first, other in pairwise(weights)
        if first is not other
    )


def _edges(call: Measured) -> int:
    form = call.event.form
    if not isinstance(form, Contraction):
        if not isinstance(call.roles, MessageRoles):
            return 0
        # A list of edges of all samples and frames repeats each.
        source, target, relation = ends_of(form, call.roles)
        return int(np.unique(torch.stack([relation, source, target]).cpu().numpy(), axis=1).shape[1])
    if not isinstance(call.roles, ProductRoles):
        return 0
    places, _ = edges_of(form, call.roles)
    return len(places[call.roles.source])


def _described(call: Measured) -> tuple[tuple[int, ...], str, int]:
    """Shape, axes in words and number of relations of the weights, for one sample."""
    form, roles = call.event.form, call.roles
    if not isinstance(form, Contraction):
        relations = 1
        if isinstance(roles, MessageRoles):
            relations = int(np.prod([atom.size for atom in (*roles.source, *roles.target) if not atom.letter]))
        return (len(form.target),), "edge", relations
    if not isinstance(roles, ProductRoles):
        return (), "", 0
    one = roles.with_samples(1)
    shape, words = [], []
    for label in form.labels[roles.adjacency]:
        own = one.axes_of([label])
        names = [_word(index, one) for index in own]
        shape.append(int(np.prod(one.sizes_of(own))))
        words.append(names[0] if len(names) == 1 else f"({' '.join(names)})")
    return tuple(shape), " ".join(words), int(np.prod(one.sizes_of(roles.relations)))


def _word(index: Index, roles: ProductRoles) -> str:
    if index == roles.source:
        return "source"
    if index == roles.target:
        return "target"
    if index in roles.relations:
        return "relation"
    return {"b": "sample", "t": "frame", "m": "instance", "n": "node"}.get(roles.letter(index), "channel")


def _named(call: Measured) -> tuple[str, Kind]:
    """The name and kind of the tensor that holds the weights."""
    event = call.event
    if isinstance(event.module, OWN) and not isinstance(event.form, Contraction):
        learned = hasattr(event.module, "importance")
        name = "importance" if learned else "adjacency"
        return f"{event.site.module}.{name}".lstrip("."), "parameter" if learned else "buffer"
    given = event.names[call.roles.adjacency] if isinstance(call.roles, ProductRoles) else event.names[0]
    if isinstance(event.form, Contraction) and call.roles is None:
        # Of calls that do not depend on the input, or are not known.
        given = next((name for name in event.names if name is not None), None)
    if given is None:
        return event.site.where, "computed"
    # Of an edge_index [2, E] the targets are a row.
    name = re.sub(r"\[[01]\]$", "", given.name) if isinstance(event.form, Scatter) else given.name
    return name, given.kind


def _distinct(mixings: list[Mixing]) -> list[Mixing]:
    """The same with names of their own: a tensor that is used in several places is named with the place."""
    counts = Counter(mixing.name for mixing in mixings)
    for mixing in mixings:
        if counts[mixing.name] > 1 and mixing.kind != "computed":
            mixing.name = f"{mixing.name} in {mixing.site.where}"
    counts = Counter(mixing.name for mixing in mixings)
    numbers: Counter[str] = Counter()
    for mixing in mixings:
        if counts[mixing.name] > 1:
            numbers[mixing.name] += 1
            mixing.name = f"{mixing.name} ({numbers[mixing.name]})"
    return mixings
