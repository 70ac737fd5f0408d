"""What the outputs of a model's modules stand for, measured: as much as it takes, and no more."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.errors import StexplainError
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.layer_names import packed_sequence, split_name
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.axes import axes_of, tensor_axes
from stexplain.explainers.model.probe.clips import cut, grows, repeated, sees_both_ends, with_longer, without_time
from stexplain.explainers.model.probe.confirm import agrees, check_plan
from stexplain.explainers.model.probe.downstream import find_nodes, may_hide_nodes, with_nodes_of_first_call
from stexplain.explainers.model.probe.observe import Observed, observed_twice
from stexplain.explainers.model.probe.outputs import ModuleOutputs, module_outputs, named_outputs
from stexplain.explainers.model.probe.plan import Change, Plan, ends_plan, further_plan
from stexplain.explainers.model.probe.pooled import Operations, PooledKept, operations, pooled_over_time
from stexplain.explainers.model.probe.responses import alike, factors_of, joined_factors
from stexplain.explainers.model.probe.rows import Evidence, LayerAxes, row_of, shape_for

PART = 128
"""Of longer clips so many frames are measured first."""
LONGEST = 1024
"""A clip is made longer up to so many frames."""


@dataclass
class LayerProbe:
    """Measures the layers of a model.

    Attributes:
        caller: of the model.
        model_input: samples; the model runs on copies of one of them.
        pooled: the operations whose results are kept while the input changes, as they are of all frames together.
    """

    caller: ModelCaller
    model_input: ModelInput
    pooled: tuple[int, ...] = ()
    _sizes: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._sizes = {axis: self.model_input.sizes[axis] for axis in "mtnc"}

    def measure(self, layers: Sequence[str] | None = None) -> list[LayerAxes]:
        """What layers stand for, in the order in which they finish.

        Args:
            layers: names, with keys in brackets or without; none: every tensor that a module returns, other than the
                model's own output.

        Raises:
            InputError: where the model does not run on the samples, or a layer returns a packed sequence.
        """
        if self._sizes["t"] < 3 * PART // 2:
            return self._measured(layers, longer=True)
        # Most layers see less than a part of a long clip: they are measured on that, and checked on the whole.
        part = LayerProbe(self.caller, cut(self.model_input, self.caller.inputs, PART))
        try:
            rows = part._measured(layers, longer=False)
        except StexplainError:
            # A model for clips of one length.
            return self._measured(layers, longer=True)
        checked = self.checked([row for row in rows if row.known])
        left = [row.name for row in rows if row.name not in checked]
        found = checked | {row.name: row for row in (self._measured(left, longer=True) if left else [])}
        return [found[row.name] for row in rows if row.name in found]

    def checked(self, rows: Sequence[LayerAxes]) -> dict[str, LayerAxes]:
        """The layers, known otherwise, that a few copies of the whole clip do not contradict, by name.

        Args:
            rows: what is known.
        """
        if not rows:
            return {}
        modules = list(dict.fromkeys(split_name(row.name)[0] for row in rows))
        found: dict[str, LayerAxes] = {}
        while modules:
            seen = self._observed(self.model_input, modules, check_plan(self._sizes), exact=False)
            for row in rows:
                if row.name in seen.reference.calls and (same := self._agreeing(seen, row)):
                    found[row.name] = same
            modules = seen.reference.left_out
        return found

    def _agreeing(self, seen: Observed[ModuleOutputs], row: LayerAxes) -> LayerAxes | None:
        """A layer with the shape that it has for the whole clip; none where something contradicts."""
        assert row.layout is not None
        outputs, timing, frames = seen.reference, row.timing, self._sizes["t"]
        if row.by_frame and not outputs.may_be_frames(row.name):
            return None
        layout = Layout(f"{row.layout.pattern} t") if row.by_frame else row.layout
        tensor_of = _tensor_of(row.name, row.by_frame)
        shape = list(tensor_of(outputs).shape)
        inner = {letter: size for letter, size in row.sizes.items() if letter != "t"}
        position = None
        if row.frames:
            assert timing.stride is not None
            assert timing.offset is not None
            position = (timing.stride, timing.offset)
        if not agrees(*seen.pair(tensor_of), seen.plan, layout, inner, position):
            return None
        sizes = layout.sizes(tuple(shape), **{**inner, "b": seen.plan.samples, "m": self._sizes["m"]})
        if timing.kind == "global" and sizes["t"] != frames:
            return None
        for dimension, letters in enumerate(layout.groups):
            if "b" in letters:
                shape[dimension] = shape[dimension] // seen.plan.samples * self.model_input.sizes["b"]
        # What saw all of the part sees all of the clip.
        sees = frames if timing.sees is not None and timing.sees >= PART and timing.kind != "aligned" else timing.sees
        return replace(
            row,
            shape=tuple(shape[:-1] if row.by_frame else shape),
            calls=len(outputs.calls[row.name]),
            timing=replace(timing, sees=sees),
            sizes={letter: size for letter, size in sizes.items() if letter in row.sizes},
        )

    def _measured(self, layers: Sequence[str] | None, *, longer: bool) -> list[LayerAxes]:
        modules = None if layers is None else list(dict.fromkeys(split_name(layer)[0] for layer in layers))
        found: list[LayerAxes] = []
        while modules is None or modules:
            seen = self._observed(self.model_input, modules, None)
            for layer in layers or ():
                if layer in seen.reference.packed:
                    raise packed_sequence(layer)
            found += self._layers(seen, layers, longer=longer)
            # Those that no memory was left for; where none ran, there is nothing left to do.
            modules = seen.reference.left_out
        nodes = self._sizes["n"]
        if layers is not None and any(may_hide_nodes(one, nodes) for one in found):
            # The nodes of a deep layer are found from the layers before it.
            every = {one.name: one for one in self._measured(None, longer=longer)}
            found = [every.get(one.name, one) if may_hide_nodes(one, nodes) else one for one in found]
        return found

    def _observed(
        self, model_input: ModelInput, modules: Sequence[str] | None, plan: Plan | None, *, exact: bool = True
    ) -> Observed[ModuleOutputs]:
        def collect(model: nn.Module) -> AbstractContextManager[ModuleOutputs]:
            return module_outputs(model, modules)

        if self.pooled:
            collect = PooledKept(self.pooled, modules or ()).around
        return observed_twice(self.caller, model_input, collect, plan, exact=exact, open_relu=True)

    def _layers(self, seen: Observed[ModuleOutputs], layers: Sequence[str] | None, *, longer: bool) -> list[LayerAxes]:
        outputs = seen.reference
        names = list(outputs.calls) if layers is None else named_outputs(outputs, layers)
        evidence: dict[tuple[str, bool], Evidence] = {}
        for name in names:
            for stacked in [False, True][: 1 + outputs.may_be_frames(name)]:
                evidence[name, stacked] = self._evidence(seen, name, stacked)
        self._further(evidence)
        # Once more where strides and offsets are left over that some frames would tell from each other.
        self._further(
            {key: one for key, one in evidence.items() if one.axes.timing.more_frames or one.axes.timing.every}
        )
        self._without_pooling(evidence)
        if longer:
            self._longer(evidence)
        if self._sizes["n"] > 1:
            of_last = {name: one for (name, stacked), one in evidence.items() if not stacked}
            once = {name for name, calls in outputs.calls.items() if len(calls) == 1}
            find_nodes(self.caller, self.model_input, of_last, once)
        return [self._layer(name, outputs, evidence) for name in names]

    def _evidence(self, seen: Observed[ModuleOutputs], name: str, stacked: bool) -> Evidence:
        reference, changed = seen.pair(_tensor_of(name, stacked))
        axes = tensor_axes(reference, changed, seen.plan)
        if stacked and may_hide_nodes(axes, self._sizes["n"]):
            axes = with_nodes_of_first_call(axes, *seen.pair(lambda outputs: outputs.calls[name][0]), seen.plan)
        return Evidence(shape_for(reference, axes, seen.plan, self.model_input.sizes["b"]), axes, seen.plan)

    def _further(self, evidence: dict[tuple[str, bool], Evidence]) -> None:
        """Looks again, with further copies, at what is open."""
        waiting = {key: one for key, one in evidence.items() if one.open}
        if not waiting:
            return
        kinds = {one.axes.timing.kind for one in waiting.values()}
        plan = further_plan(
            self._sizes,
            [frame for one in waiting.values() for frame in one.axes.timing.more_frames],
            frames_again="unknown" in kinds,
            all_see_all=bool({"unknown", "global"} & kinds),
            nodes=self._sizes["n"] > 1 and any(not one.axes.nodes for one in waiting.values()),
            every=any(one.axes.timing.every for one in waiting.values()),
        )
        if not [change for change in plan.changes if not change.nothing]:
            return
        modules = list(dict.fromkeys(split_name(name)[0] for name, _ in waiting))
        seen = self._observed(self.model_input, modules, plan)
        for (name, stacked), one in waiting.items():
            if name not in seen.reference.calls:
                continue
            factors, _ = factors_of(*seen.pair(_tensor_of(name, stacked)), seen.plan)
            if factors is not None and alike(factors, one.axes.unnamed):
                one.plan = one.plan.joined(seen.plan)
                one.axes = axes_of(joined_factors(list(one.axes.unnamed), factors), one.plan, one.axes.shape)

    def _without_pooling(self, evidence: dict[tuple[str, bool], Evidence]) -> None:
        """Looks at what grows with the clip, and at what positions see apart from what is pooled over all of it."""
        waiting = {key: one for key, one in evidence.items() if one.axes.timing.kind == "unknown"}
        if not waiting or any(one.plan.one_by_one for one in waiting.values()):
            return
        modules = list(dict.fromkeys(split_name(name)[0] for name, _ in waiting))

        def collect(model: nn.Module) -> AbstractContextManager[tuple[Operations, ModuleOutputs]]:
            return operations(model, modules)

        one_copy = Plan((Change(nothing=True),), self._sizes, 1)
        try:
            (short, outputs), (long, longer) = (
                observed_twice(self.caller, samples, collect, one_copy, exact=False).reference
                for samples in (self.model_input, repeated(self.model_input, self.caller.inputs, 2))
            )
        except StexplainError:
            # A model for clips of one length.
            return
        for (name, stacked), one in list(waiting.items()):
            if name not in longer.calls or (stacked and len(outputs.calls[name]) != len(longer.calls[name])):
                continue
            if outputs.last(name).shape == longer.last(name).shape:
                one.axes = without_time(one.axes)
                del waiting[name, stacked]
        pooled = pooled_over_time(short, long)
        # Of those that see all of the clip, it may be by way of what is pooled.
        waiting = {key: one for key, one in waiting.items() if one.axes.timing.sees == self._sizes["t"]}
        if not waiting or not pooled:
            return
        try:
            kept = LayerProbe(self.caller, self.model_input, pooled=tuple(pooled))
            local = kept._looked_at(list(waiting))
        except StexplainError:
            # A model that cannot be given what it computed before.
            return
        for key, other in local.items():
            if other.axes.frames and other.axes.timing.known and alike(other.axes.unnamed, waiting[key].axes.unnamed):
                timing = replace(other.axes.timing, kind="global", sees=self._sizes["t"])
                # With its copies: responses and plan belong together.
                waiting[key].axes, waiting[key].plan = replace(other.axes, timing=timing), other.plan

    def _looked_at(self, keys: Sequence[tuple[str, bool]]) -> dict[tuple[str, bool], Evidence]:
        """What is observed of some tensors, with all that it takes."""
        modules = list(dict.fromkeys(split_name(name)[0] for name, _ in keys))
        seen = self._observed(self.model_input, modules, None)
        evidence = {
            (name, stacked): self._evidence(seen, name, stacked)
            for name, stacked in keys
            if name in seen.reference.calls and not seen.plan.one_by_one
        }
        self._further(evidence)
        self._further(
            {key: one for key, one in evidence.items() if one.axes.timing.more_frames or one.axes.timing.every}
        )
        self._longer(evidence)
        return evidence

    def _longer(self, evidence: dict[tuple[str, bool], Evidence]) -> None:
        """Looks at a longer clip, the sample again and again, where positions see more than the clip."""
        frames = self._sizes["t"]
        # Those whose size grows with the clip; of others, a longer one tells that they have no time.
        waiting = {key: one for key, one in evidence.items() if one.open and not one.axes.timing.known}
        for times in (3, 9):
            if not waiting or frames < 2 or frames * times > (LONGEST if times == 3 else LONGEST // 4):
                return
            longer = LayerProbe(self.caller, repeated(self.model_input, self.caller.inputs, times), pooled=self.pooled)
            try:
                waiting = longer._told_by_length(waiting)
                modules = list(dict.fromkeys(split_name(name)[0] for name, _ in waiting))
                seen = longer._observed(longer.model_input, modules, None) if waiting else None
            except StexplainError:
                # A model for clips of one length.
                return
            if seen is None:
                continue
            for (name, stacked), one in list(waiting.items()):
                if name not in seen.reference.calls or (stacked and not seen.reference.may_be_frames(name)):
                    del waiting[name, stacked]
                    continue
                other = longer._evidence(seen, name, stacked)
                one.axes = with_longer(one.axes, one.plan, other.axes)
                if one.axes.timing.kind != "unknown" or not grows(one.axes, other.axes):
                    del waiting[name, stacked]

    def _told_by_length(self, waiting: dict[tuple[str, bool], Evidence]) -> dict[tuple[str, bool], Evidence]:
        """Of tensors of a shorter clip, those of which this clip may tell more; those without time are entered.

        Where each index of each axis sees the first frame and the last, no line of frames can be found: all is global.
        Two changed copies tell that, in place of twenty.
        """
        modules = list(dict.fromkeys(split_name(name)[0] for name, _ in waiting))
        seen = self._observed(self.model_input, modules, ends_plan(self._sizes))
        left = {}
        for (name, stacked), one in waiting.items():
            if name not in seen.reference.calls or (stacked and not seen.reference.may_be_frames(name)):
                continue
            factors, _ = factors_of(*seen.pair(_tensor_of(name, stacked)), seen.plan)
            if factors is None:
                left[name, stacked] = one
            elif alike(factors, one.axes.unnamed):
                one.axes = without_time(one.axes)
            elif not sees_both_ends(factors, seen.plan):
                left[name, stacked] = one
        return left

    def _layer(self, name: str, outputs: ModuleOutputs, evidence: dict[tuple[str, bool], Evidence]) -> LayerAxes:
        last = evidence[name, False]
        calls = len(outputs.calls[name])
        if (name, True) in evidence:
            axes = evidence[name, True].axes
            # The calls are the last axis, folded with nothing; and each sees its frame last, not all of them.
            if axes.layout is not None and axes.layout.pattern.endswith(" t") and axes.timing.kind != "global":
                axes = replace(axes, layout=Layout(axes.layout.pattern.removesuffix(" t")), frames=True)
                return row_of(name, outputs, last.shape, axes, by_frame=True)
        axes = last.axes
        if calls > 1 and not axes.frames:
            why = f"it ran {calls} times, and its calls are not frames in their order"
            axes = replace(axes, why=f"{why}; {axes.why}" if axes.why else why)
        return row_of(name, outputs, last.shape, axes, by_frame=False)


def _tensor_of(name: str, stacked: bool) -> Callable[[ModuleOutputs], Tensor]:
    return lambda outputs: outputs.stacked(name) if stacked else outputs.last(name)
