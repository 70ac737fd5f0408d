"""Two forward passes of a model over copies of one sample: the copies unchanged, and each changed in one thing.

The passes have the same shape, and each copy is compared with itself at the same place of the batch. So what does not
follow from a change is the same bit by bit, whatever kernels and vector widths are used, and exact inequality decides.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from stexplain.errors import InputError, StexplainError
from stexplain.explainers.model.arguments.values import tensors_in
from stexplain.explainers.model.arguments.whole_batch import Way
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inspection import device_and_dtype
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.axes import TensorAxes, tensor_axes
from stexplain.explainers.model.probe.open_relu import OpenReLU
from stexplain.explainers.model.probe.plan import Plan, changed_signals, first_plan
from stexplain.explainers.model.running.closures import runs_its_own_modules
from stexplain.explainers.model.running.frozen import differentiable, frozen_eval
from stexplain.explainers.model.running.in_double import InDouble
from stexplain.explainers.model.running.state import kept_state
from stexplain.explainers.outputs.same_draws import seed_torch

T = TypeVar("T")
Collect = Callable[[nn.Module], AbstractContextManager[T]]
"""From the model that runs, which may be a copy, to a context that gathers what is to be compared."""


@dataclass(frozen=True)
class Observed(Generic[T]):
    """What was gathered in the two passes.

    Attributes:
        plan: which copy was changed how.
        reference: gathered from the unchanged copies.
        changed: gathered from the changed copies: from all of them at once, or, where the plan goes one by one, from
            one after the other.
        inferences: how many samples went through the model.
    """

    plan: Plan
    reference: T
    changed: tuple[T, ...]
    inferences: int

    def axes(self, tensor_of: Callable[[T], Tensor]) -> TensorAxes:
        """The axes of a tensor among what was gathered.

        Args:
            tensor_of: gives the tensor.
        """
        return tensor_axes(*self.pair(tensor_of), self.plan)

    def pair(self, tensor_of: Callable[[T], Tensor]) -> tuple[Tensor, Tensor]:
        """A tensor of the unchanged copies and of the changed ones, as `tensor_axes` takes them."""
        before, after = tensor_of(self.reference), [tensor_of(one) for one in self.changed]
        if not self.plan.one_by_one:
            return before, after[0]
        if any(one.shape != before.shape for one in after):
            # Shapes that depend on values: stacked they would not fit; the first that differs says so.
            return before, next(one for one in after if one.shape != before.shape)
        return before.expand(len(after), *before.shape), torch.stack(after)


def observed_twice(
    caller: ModelCaller,
    model_input: ModelInput,
    collect: Collect[T],
    plan: Plan | None = None,
    *,
    exact: bool = True,
    open_relu: bool = False,
) -> Observed[T]:
    """Runs the model on unchanged and on changed copies of a sample, and gathers what is to be compared.

    It runs in float64 on a copy of the model where that is possible, so that small changes are not lost to rounding;
    else as it is. A model that only runs on batches of the caller's size gets the caller's batch, whose first sample
    is changed, again and again. The model and the random state of torch are left as they were.

    Args:
        caller: of the model.
        model_input: samples; one of them is copied.
        collect: is called with the model that runs, and gives a context around each pass.
        plan: of the copies; default: the one that tells all axes.
        exact: whether to run in float64 where that is possible; it takes several times as long.
        open_relu: whether rectifiers pass a little of everything, so that no change is lost behind a silent unit.

    Raises:
        InputError: with the model's own error, where it does not run on its samples at all.

    Example:
        >>> from stexplain.explainers.model.activations import capture_activations
        >>> model = nn.Sequential(nn.Conv2d(2, 4, (3, 1), padding=(1, 0)), nn.ReLU())
        >>> caller = ModelCaller(model, inputs="b c t n")
        >>> samples = caller._prepare(torch.randn(3, 2, 8, 5), None)
        >>> seen = observed_twice(caller, samples, lambda model: capture_activations({"": model[0]}, gradient=False))
        >>> axes = seen.axes(lambda activations: activations.last(""))
        >>> axes.layout.pattern, axes.timing.kind, axes.timing.offset, axes.timing.sees
        ('b c t n', 'aligned', 0.0, 3)
    """
    sizes = {axis: model_input.sizes[axis] for axis in "mtnc"}
    plan = plan or first_plan(sizes)
    errors: list[Exception] = []
    model_input, together = _copied_as(caller, model_input)
    for one_by_one in (False, True) if together else (True,):
        tried = plan.one_after_another(model_input.sizes["b"]) if one_by_one else plan
        for double in [True, False] if exact else [False]:
            try:
                with runner_of(caller, exact=double) as runner, OpenReLU() if open_relu else nullcontext():
                    return _observed(runner, model_input, collect, tried, double)
            except Exception as error:  # whatever a foreign model raises
                errors.append(error)
    if isinstance(errors[-1], StexplainError):
        raise errors[-1]
    raise InputError(
        f"the model raised {type(errors[-1]).__name__}: {errors[-1]} for samples laid out as "
        f"{caller.inputs.pattern!r}. Is the layout right, and are all arguments given (`shared`, `per_sample`)?"
    ) from errors[-1]


def in_a_copy(caller: ModelCaller, model_input: ModelInput, work: Callable[[ModelCaller, ModelInput], T]) -> T:
    """Does some work with a copy of the model, in float64 where that is possible; all frames count as valid.

    Rectifiers pass a little of everything. The model and the random state of torch are left as they were.

    Args:
        caller: of the model.
        model_input: samples.
        work: is called with a caller of the copy, and the samples.
    """
    errors: list[Exception] = []
    for double in (True, False):
        try:
            with runner_of(caller, exact=double) as runner, OpenReLU():
                device, _ = device_and_dtype(_model_of(runner))
                whole = _all_valid(model_input)
                with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), differentiable(device):
                    return work(runner, as_double(whole) if double else whole)
        except Exception as error:  # whatever a foreign model raises
            errors.append(error)
    raise errors[-1]


def _all_valid(model_input: ModelInput) -> ModelInput:
    return replace(
        model_input,
        valid=None if model_input.valid is None else torch.ones_like(model_input.valid),
        observed=None if model_input.observed is None else torch.ones_like(model_input.observed),
    )


def _copied_as(caller: ModelCaller, model_input: ModelInput) -> tuple[ModelInput, bool]:
    """The samples, with how shared arguments follow copies of them; and whether several copies fit in one batch."""
    if model_input.way is not Way.AS_THEY_ARE or not tensors_in(dict(model_input.shared)):
        return model_input, True
    # A graph that holds the edges of this very batch would join the first copies alone: all others have no edges.
    x = caller.inputs.to_batch(model_input.x, **model_input.sizes)
    copies = caller._copies(model_input, torch.cat([x, x]))
    return replace(model_input, way=copies[0].way), len(copies) == 1


def _observed(
    runner: ModelCaller, model_input: ModelInput, collect: Collect[T], plan: Plan, exact: bool
) -> Observed[T]:
    layout = runner.inputs
    batch = layout.to_batch(model_input.x, **model_input.sizes)
    # All frames count as valid: what a model would do at those that are padding it does at others, too.
    whole = _all_valid(model_input)
    row = _fullest(model_input)
    sample = batch[row : row + 1]
    reference, changed = changed_signals(sample.double() if exact else sample, plan)
    _, dtype = device_and_dtype(_model_of(runner))
    # Half of the digits that the model computes with.
    plan = replace(plan, rounding=float(torch.finfo(dtype).eps) ** 0.5)
    if not plan.one_by_one:
        one = whole.rows(slice(row, row + 1), layout)

        def copies(x: Tensor) -> ModelInput:
            return one.repeated(layout.from_batch(x), len(x))

        runs = [copies(reference), copies(changed)]
    else:
        # In every pass the first sample is replaced by the fullest one: unchanged, then changed in one thing.
        others = batch[1:].to(reference)
        firsts = [reference[:1], *(changed[index : index + 1] for index in range(len(changed)))]
        runs = [replace(whole, x=layout.from_batch(torch.cat([first, others]))) for first in firsts]
    gathered = []
    for run in runs:
        with collect(_model_of(runner)) as one_pass:
            _run(runner, as_double(run) if exact else run)
        gathered.append(one_pass)
    return Observed(plan, gathered[0], tuple(gathered[1:]), plan.samples * len(runs))


def _run(runner: ModelCaller, model_input: ModelInput) -> None:
    device, _ = device_and_dtype(_model_of(runner))
    # The same random numbers in each pass, and the caller's own stream of them untouched.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), differentiable(device):
        seed_torch()
        runner._forward(model_input)


def _model_of(caller: ModelCaller) -> nn.Module:
    if caller.model is None:
        raise InputError("model: got None; expected one, as its layers are to be explained.")
    return caller.model


def _fullest(model_input: ModelInput) -> int:
    """The sample with the most valid frames: padding would tell nothing."""
    return int(model_input.known_valid.flatten(1).sum(1).argmax())


@contextmanager
def runner_of(caller: ModelCaller, *, exact: bool) -> Iterator[ModelCaller]:
    """A caller of a copy of the model, in float64 where `exact`; of the model itself where it cannot be copied.

    Args:
        caller: of the model.
        exact: whether in float64: a model that cannot be copied then raises what it raises.
    """
    runner = copy.copy(caller)
    model = _model_of(caller)
    before = [(vars(module), dict(vars(module))) for module in model.modules()]
    try:
        if runs_its_own_modules(model):
            raise TypeError("a copy of the model would run the model's own modules")
        runner.model = copy.deepcopy(model)
    except Exception:  # a model may hold what cannot be copied, such as a tensor of a graph, or a lock
        if exact:
            raise
    finally:
        # A recurrent network lists its weights anew when it is copied.
        for attributes, kept in before:
            attributes.update(kept)
    assert runner.model is not None
    if exact:
        runner.model.double()
        for module in runner.model.modules():
            # Supports that are plain attributes, or in lists, are not among the module's buffers.
            for name, value in list(vars(module).items()):
                if not name.startswith("_"):
                    module.__dict__[name] = _doubled(value)
    with kept_state(runner.model), frozen_eval(runner.model), InDouble() if exact else nullcontext():
        yield runner


def as_double(model_input: ModelInput) -> ModelInput:
    """The same with signals and further arguments in float64."""
    return replace(
        model_input,
        x=_doubled(model_input.x),
        shared={name: _doubled(value) for name, value in model_input.shared.items()},
        per_sample={name: _doubled(value) for name, value in model_input.per_sample.items()},
    )


def _doubled(value: Any) -> Any:
    """Floating tensors, also in lists, tuples and dicts, in float64."""
    if isinstance(value, Tensor):
        return value.double() if value.is_floating_point() and not isinstance(value, nn.Parameter) else value
    if type(value) in (list, tuple):
        return type(value)(_doubled(item) for item in value)
    if type(value) is dict:
        return {key: _doubled(item) for key, item in value.items()}
    return value
