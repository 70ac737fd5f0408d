"""Finds where values pass between nodes beside the operations whose edges are followed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.model.adjacency.events import Key, Site
from stexplain.explainers.model.adjacency.roles import MessageRoles, ProductRoles
from stexplain.explainers.model.adjacency.unfollowed.evidence import Finding, finding, halves, reordered
from stexplain.explainers.model.adjacency.unfollowed.passes import Passes, Step
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.observe import in_a_copy
from stexplain.explainers.model.probe.plan import other_values
from stexplain.explainers.outputs.nested import tensors_in
from stexplain.explainers.outputs.same_draws import seed_torch

_WHY = {
    "function": "values pass between nodes here ({line}), by nothing whose edges can be followed",
    "normalisation": "values pass between nodes by the mean and variance of this normalisation ({line}), over no edges",
    "sent": "values had passed between nodes before they entered here ({line}), by nothing whose edges can be followed",
}
_ORDER = (
    "its nodes are in another order than those of the input ({line}), whose names its edges would bear. Put samples "
    "and graph into the model's order beforehand"
)


@dataclass(frozen=True)
class Unfollowed:
    """Where values pass between nodes, and over no edges.

    Attributes:
        site: where.
        why: it is not followed, in words.
        followed: whether it was taken for one of the operations that are followed; its nodes are in another order.
    """

    site: Site
    why: str
    followed: bool = False


def find_unfollowed(
    caller: ModelCaller,
    model_input: ModelInput,
    roles: Mapping[Key, ProductRoles | MessageRoles],
    listed: Collection[Site],
) -> tuple[list[Unfollowed], int]:
    """Where values pass between nodes beside what is followed: normalisations over nodes, and the first other step.

    Followed operations keep the weights of their edges, and let nothing pass from a node to another. Half of the nodes
    is changed, then the other half: where the result of a function changes at other nodes too, and the output depends
    on it, values have passed.

    Args:
        caller: of the model, which is frozen.
        model_input: samples.
        roles: of the calls that are followed.
        listed: where else operations were found that cannot be followed: what is said already.

    Returns:
        What was found, and how many samples went through the model.
    """
    passes: list[_Asked] = []

    def work(runner: ModelCaller, samples: ModelInput) -> dict[int, Step]:
        passes.append(_Asked(runner, samples, roles))
        return passes[-1].found()

    try:
        found = in_a_copy(caller, _one_sample(caller, model_input), work)
    except Exception as error:  # whatever a foreign model raises
        steady = not any(each.unsteady for each in passes)
        reason = f"{type(error).__name__}: {error}" if steady else "it runs other functions on other samples"
        why = f"whether values pass between nodes elsewhere in the model could not be measured: {reason}"
        return [Unfollowed(Site("", "elsewhere", ""), why)], sum(each.inferences for each in passes)
    of_order = [
        Unfollowed(step.site, _ORDER.format(line=_line(step)), followed=True)
        for step in {step.site: step for step in passes[-1].reordered}.values()
    ]
    return [*of_order, *_told(found, listed)], sum(each.inferences for each in passes)


class _Asked:
    """The passes of one model on one sample, and what they tell.

    Args:
        runner: of the model.
        samples: one, or all where the model takes no other number.
        roles: of the calls that are followed, for any number of samples.
    """

    def __init__(self, runner: ModelCaller, samples: ModelInput, roles: Mapping[Key, ProductRoles | MessageRoles]):
        assert runner.model is not None
        self.inferences = 0
        self.reordered: list[Step] = []
        self._runner, self._model, self._samples = runner, runner.model, samples
        own = {key: each.with_samples(samples.sizes["b"]) for key, each in roles.items()}
        self._passes = Passes(samples.sizes["n"], own, runner.argument)
        self._halves = halves(samples.sizes["n"])

    @property
    def unsteady(self) -> bool:
        """Whether another pass ran other functions than the first."""
        return self._passes.unsteady

    def found(self) -> dict[int, Step]:
        """The steps, by their number, where values have passed and go on to the output."""
        self._compare()
        steps, passed = self._passes.steps, []
        before: Finding = "unknown"
        local: dict[int, set[int]] = {}
        for number, step in enumerate(steps):
            kind = self._finding(step)
            if kind == "local":
                local[number] = self._local_axes(step)
            elif kind == "unknown" and self._has_axis_of(step, local):
                kind = "passed"
            if step.kind == "sent" and kind == "passed" and reordered(*self._evidence(step)):
                self.reordered.append(step)
            if step.kind == "normalisation":
                # Its axes are those of what enters it, the step before.
                kind = "passed" if kind != "local" and before == "local" else "local"
            if kind == "passed":
                passed.append(number)
            before = kind
        return {number: steps[number] for number in self._reaching(passed)} if passed else {}

    def _has_axis_of(self, step: Step, local: Mapping[int, Collection[int]]) -> bool:
        """Whether one of the axes of a step is that of the nodes of what it is computed of, position by position."""
        for number in step.of:
            shape = self._passes.steps[number].shape
            if len(shape) == len(step.shape) and any(shape[axis] == step.shape[axis] for axis in local.get(number, ())):
                return True
        return False

    def _local_axes(self, step: Step) -> set[int]:
        """The axes whose positions each change with one node, and do change."""
        responses, changed, rounding, fold = self._evidence(step)
        return {
            axis
            for axis, response in zip(step.axes, responses, strict=True)
            if response.any() and finding([response], changed, rounding, fold) == "local"
        }

    def _compare(self) -> None:
        layout, samples, steps = self._runner.inputs, self._samples, self._passes.steps
        x = layout.to_batch(samples.x, **samples.sizes)
        generator = torch.Generator().manual_seed(0)
        while not steps or self._passes.left:
            with self._passes.watched(self._model, "reference"):
                self._forward(samples.x)
            if not steps:
                return
            for half in self._halves:
                where = torch.as_tensor(half, device=x.device)[:, None]
                changed = torch.where(where, other_values(x.cpu(), generator).to(x), x)
                with self._passes.watched(self._model, "changed"):
                    self._forward(layout.from_batch(changed))

    def _forward(self, x: Tensor) -> Any:
        self.inferences += self._samples.sizes["b"]
        seed_torch()
        # With gradients in every pass: some functions work otherwise without.
        return self._runner._forward(self._samples, x.detach().clone().requires_grad_())

    def _finding(self, step: Step) -> Finding:
        evidence = self._evidence(step)
        return finding(*evidence) if evidence[0][0].any() else "local"

    def _evidence(
        self, step: Step
    ) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_], float, tuple[int, int] | None]:
        responses = [np.stack([each[place] for each in step.responses]) for place in range(len(step.axes))]
        return responses, self._halves, torch.finfo(self._samples.x.dtype).eps ** 0.6, step.fold

    def _reaching(self, numbers: Sequence[int]) -> list[int]:
        """Which of the steps the output depends on: weights of edges may be computed of several nodes."""
        with self._passes.watched(self._model, "differentiated"):
            output = self._forward(self._samples.x)
        outputs = [each for each in tensors_in(output).values() if each.requires_grad]
        tensors = {number: self._passes.differentiated[number] for number in numbers}
        known = {number: each for number, each in tensors.items() if each.requires_grad}
        if not outputs or not known:
            return []
        generator = torch.Generator().manual_seed(0)
        weights = [torch.randn(each.shape, generator=generator, dtype=each.dtype).to(each) for each in outputs]
        gradients = torch.autograd.grad(outputs, list(known.values()), weights, allow_unused=True)
        return [n for n, each in zip(known, gradients, strict=True) if each is not None and bool(each.any())]


def _one_sample(caller: ModelCaller, model_input: ModelInput) -> ModelInput:
    try:
        first = caller._rows(model_input, slice(0, 1))
        caller._forward(first)
    except InputError:
        # Such as a model that takes its own number of samples only.
        return model_input
    return first


def _told(found: Mapping[int, Step], listed: Collection[Site]) -> list[Unfollowed]:
    result: dict[Site, Unfollowed] = {}
    for step in found.values():
        if step.site in result:
            continue
        if step.site in listed:
            break
        result[step.site] = Unfollowed(step.site, _WHY[step.kind].format(line=_line(step)))
        if step.kind != "normalisation":
            # What follows gets values of other nodes from here.
            break
    return list(result.values())


def _line(step: Step) -> str:
    file, _, line = step.site.line.rpartition(":")
    return f"{Path(file).name}, line {line}"
