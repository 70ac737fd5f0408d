"""Models in half precision, and of inference mode: computed on copies of their tensors that can be differentiated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from stexplain.explainers.model.running.attribute_walk import attributes_of
from stexplain.explainers.outputs.precision import HALF, full_precision


def floating_types(model: nn.Module) -> list[torch.dtype]:
    """The floating types of a model's parameters, each once, in their order.

    Example:
        >>> floating_types(nn.Sequential(nn.Linear(1, 1).bfloat16(), nn.Linear(1, 1)))
        [torch.bfloat16, torch.float32]
    """
    types = (parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return list(dict.fromkeys(types))


class WorkingCopy:
    """The tensors that take the place of a model's own while it is explained; its modules stay the same objects.

    So layers are found, hooks fire and attributes are seen as ever. Tensors of inference mode cannot be differentiated
    and are cloned. Half precision is too narrow for gradients, which at the last layer are often below 6e-5, the
    smallest normal number of float16: a model all of whose parameters are in it is computed in float32, where its
    forward pass allows. A model of which parts are in half precision is computed as it is, where that takes float32.

    Args:
        model: any.

    Attributes:
        half: the first type of the parameters that is half precision; none where there is none.
        choices: whether half precision becomes float32, the first choice first; the other is for where that fails.
        widened: which choice was put in.
    """

    def __init__(self, model: nn.Module):
        self._model = model
        types = floating_types(model)
        self.half = next((one for one in types if one in HALF), None)
        self._all_half = bool(types) and HALF.issuperset(types)
        self.choices = (False,) if self.half is None else (self._all_half, not self._all_half)
        self.widened = False
        self._undo: list[Callable[[], None]] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it in a result."""
        name = str(self.half).removeprefix("torch.")
        if self.widened:
            return (f"The model's parameters are {name}; it was computed in float32 on a copy of them.",)
        if self._all_half:
            return (
                f"The model was computed in {name}, as its forward pass does not run in float32: small gradients are "
                "rounded, or lost.",
            )
        return ()

    def input_type(self, dtype: torch.dtype) -> torch.dtype:
        """The floating type of what goes in: as given, but for a model that is all in half precision."""
        return self.half if self.half is not None and self._all_half and not self.widened else dtype

    def put_in(self, *, widen: bool) -> None:
        """Puts copies into the model's attributes.

        Args:
            widen: whether tensors in half precision become float32.
        """
        self.take_out()
        self.widened = widen
        # By id of the original: tied tensors stay one.
        copies: dict[int, Tensor] = {}

        def copied(value: Any) -> Any:
            if isinstance(value, tuple):
                items = [copied(item) for item in value]
                return value if all(map(is_, items, value)) else _tuple_like(value, items)
            if not isinstance(value, Tensor) or is_lazy(value):
                return value
            if not (widen and value.dtype in HALF) and not value.is_inference():
                return value
            if id(value) not in copies:
                # A clone in any case: widening leaves tensors as they are that are float32, of inference mode too.
                copies[id(value)] = full_precision(value.detach().clone()) if widen else value.detach().clone()
            return copies[id(value)]

        for container in attributes_of(self._model)[0]:
            holder = container.holder
            if not isinstance(holder, dict | list):
                continue
            for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
                if (other := copied(value)) is not value:
                    holder[key] = other
                    self._undo.append(partial(holder.__setitem__, key, value))

    def take_out(self) -> None:
        """Puts the model's own tensors back."""
        while self._undo:
            self._undo.pop()()


@contextmanager
def working_copy(model: nn.Module, before_end: Callable[[], None]) -> Iterator[WorkingCopy]:
    """A model's tensors in full precision and differentiable, for the length of the block, where they were not.

    Args:
        model: any.
        before_end: called before its own tensors are put back, also on error.

    Example:
        >>> model = nn.Linear(2, 1).half()
        >>> with working_copy(model, lambda: None) as copy:
        ...     model.weight.dtype, copy.notes
        (torch.float32, ("The model's parameters are float16; it was computed in float32 on a copy of them.",))
        >>> model.weight.dtype
        torch.float16
    """
    copy = WorkingCopy(model)
    try:
        copy.put_in(widen=copy.choices[0])
        yield copy
    finally:
        before_end()
        copy.take_out()


def _tuple_like(value: Any, items: list[Any]) -> Any:
    # Named tuples take their items one by one.
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
