"""How the signals and further arguments go into a model's forward: by name, by place, or refused before the call."""

import inspect
import re
import traceback
from collections.abc import Collection, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from torch import nn

from stexplain.errors import InputError, unknown

_FREE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
# How Python says that an argument was left out, in an inner call that a forward of *args passes on to.
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")


def forward_signature(model: nn.Module) -> Signature:
    """The parameters of a model's forward; ``(*args, **kwargs)`` where they cannot be read.

    Example:
        >>> forward_signature(nn.Linear(1, 1))
        <Signature (input: torch.Tensor) -> torch.Tensor>
    """
    forward = model.forward
    try:
        return inspect.signature(forward)
    except (TypeError, ValueError):
        schema = getattr(forward, "schema", None)
    if schema is None:
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)])
    # A traced model, or a scripted one from a file: its schema says the same in other words, the model itself first. A
    # file does not keep which arguments go by name alone.
    parameters = [
        Parameter(
            each.name,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=each.default_value if each.has_default_value() else Parameter.empty,
        )
        for each in schema.arguments[1:]
    ]
    return Signature(parameters)


def forward_takes(model: nn.Module, name: str) -> bool:
    """Whether the model's forward has a parameter of this name; ``**kwargs`` is none.

    Example:
        >>> forward_takes(nn.Linear(1, 1), "input"), forward_takes(nn.Linear(1, 1), "valid")
        (True, False)
    """
    return takes(forward_signature(model), name)


def takes(signature: Signature, name: str) -> bool:
    """Whether there is a parameter of this name; ``**kwargs`` is none."""
    parameter = signature.parameters.get(name)
    return parameter is not None and parameter.kind not in _FREE


def needs(signature: Signature, name: str) -> bool:
    """Whether there is a parameter of this name without a default.

    Example:
        >>> signature = forward_signature(nn.Linear(1, 1))
        >>> needs(signature, "input"), needs(signature, "valid")
        (True, False)
    """
    return takes(signature, name) and signature.parameters[name].default is Parameter.empty


def signal_parameter(model: nn.Module, argument: str | None, given: Collection[str]) -> str | None:
    """The parameter of the model's forward that takes the signals; none where they go first into ``*args``.

    Args:
        model: any.
        argument: its name, where it was given.
        given: the names of the further arguments. The signals go into the first parameter that is none of them.

    Raises:
        InputError: where there is no such parameter, or it is given as a further argument too.

    Example:
        >>> class GraphFirst(nn.Module):
        ...     def forward(self, adjacency, x): ...
        >>> signal_parameter(GraphFirst(), None, []), signal_parameter(GraphFirst(), None, ["adjacency"])
        ('adjacency', 'x')
    """
    parameters = forward_signature(model).parameters
    if argument is not None:
        if argument in given:
            raise InputError(
                f"argument: {argument!r} takes the signals x; got it by shared= or per_sample= too. Leave it out there."
            )
        named = [name for name, each in parameters.items() if each.kind not in _FREE]
        if argument not in named and not any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
            raise unknown(f"argument= of {type(model).__name__}.forward", argument, named)
        return argument
    for name, each in parameters.items():
        if each.kind is Parameter.VAR_POSITIONAL:
            return None
        if each.kind is not Parameter.VAR_KEYWORD and name not in given:
            return name
    name = type(model).__name__
    if given and not any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
        raise InputError(
            f"{name}.forward has no parameter left for the signals: shared= and per_sample= give them all."
        )
    raise InputError(f"{name}.forward does not say which argument takes the signals. Name it: argument='x'.")


def check_names(model: nn.Module, argument: str | None, given: Collection[str]) -> None:
    """Refuses arguments that forward has no parameter for.

    Args:
        model: any.
        argument: the parameter that takes the signals, where it was given.
        given: the names of the further arguments.

    Raises:
        InputError: with the nearest parameter.
    """
    parameters = forward_signature(model).parameters
    kinds = {each.kind for each in parameters.values()}
    # A forward with **kwargs takes any name; one with *args takes what is left over in the order it was given in.
    for name in () if kinds.intersection(_FREE) else given:
        if name not in parameters:
            raise unknown(f"argument of {type(model).__name__}.forward", name, parameters)
    signal_parameter(model, argument, given)


def missing_arguments(model: nn.Module, names: list[str], taken: str | None = None) -> InputError:
    """The error for arguments that forward needs and that were not given.

    Args:
        model: any.
        names: of the arguments.
        taken: the parameter that was taken for the signals' without having been named.
    """
    several = len(names) > 1
    text = (
        f"{type(model).__name__}.forward needs the argument{'s' * several} {', '.join(map(repr, names))}, which "
        f"{'were' if several else 'was'} not given. Give what is the same for all samples by "
        f"shared={{{names[0]!r}: ...}}, and what has an entry per sample by per_sample={{{names[0]!r}: ...}}."
    )
    if taken is not None:
        text += f" The signals went to {taken!r}; where they belong elsewhere, name it: argument={names[0]!r}."
    return InputError(text)


def raised(model: nn.Module, error: Exception, shape: Sequence[int], pattern: str, declared: bool = True) -> InputError:
    """The error for one that the model raised, with what went in.

    Args:
        model: any.
        error: that it raised.
        shape: of the signals.
        pattern: of their layout.
        declared: whether the caller said so. Else another layout is named that the model may take.

    Example:
        >>> raised(nn.Flatten(), RuntimeError("no"), (2, 3), "b t").args[0]
        "Flatten raised RuntimeError for x of shape (2, 3), laid out as 'b t': no"
        >>> error = TypeError("f() missing 1 required positional argument: 'edges'")
        >>> raised(nn.Flatten(), error, (2, 3), "b t").args[0]
        "Flatten.forward needs the argument 'edges', which was not given. ..."
    """
    # An inner call that a forward of *args passes on to.
    missing = _MISSING.search(str(error)) if isinstance(error, TypeError) else None
    if missing and (names := re.findall(r"'(\w+)'", missing.group(1))):
        return missing_arguments(model, names)
    if isinstance(error, NotImplementedError) and type(model).forward is nn.Module.forward:
        inside = [f"model.{name}" for name, _ in model.named_children()][:3]
        one = f"Give the network that it holds, such as {' or '.join(inside)}, or write one" if inside else "Write one"
        return InputError(f"model: {type(model).__name__} has no forward(self, x). {one}.")
    went_in = f"x of shape {tuple(shape)}, laid out as {pattern!r}"
    text = f"{type(model).__name__} raised {type(error).__name__} for {went_in}: {error}"
    # What others have added, such as which part of the model it was.
    text = " ".join([text, *(str(note) for note in getattr(error, "__notes__", ()))])
    if _unpacks_inputs(error):
        text += (
            ". Where forward unpacks several inputs of one argument, give a torch.nn.Module around the model, with "
            "def forward(self, x, other): return self.model((x, other)), and what is not x by shared={'other': ...} "
            "or, with an entry per sample, by per_sample={'other': ...}."
        )
    if declared:
        return InputError(text)
    # Batches of ours have five axes; of one person and one channel, models of others mostly take three or four.
    others = ["b c t n m"]
    if len(shape) == 5 and shape[1] == 1:
        others = ["b t n", "b t n c"] if shape[-1] == 1 else ["b c t n", "b t n c"]
    other = " or ".join(f"inputs={one!r}" for one in others)
    return InputError(
        f"{text}\nIf your model takes other axes, give them, such as {other} (b samples, m instances, "
        "t frames, n nodes, c channels)."
    )


def _unpacks_inputs(error: Exception) -> bool:
    """Whether a line that raised may have taken one tensor for a tuple of several inputs."""
    if not (isinstance(error, ValueError) and "values to unpack" in str(error)):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    # A shape of other axes than were given is no tuple of inputs.
    return not frames or not re.search(r"\b(shape|size)\b", frames[-1].line or "")


def call_arguments(
    model: nn.Module, argument: str | None, signals: Any, further: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a call of forward is given, by place and by name.

    Args:
        model: any.
        argument: the parameter that takes the signals, where it was given.
        signals: for that parameter.
        further: the other arguments by name.

    Raises:
        InputError: where forward needs others too, naming them and how they are given.

    Example:
        >>> class GraphFirst(nn.Module):
        ...     def forward(self, adjacency, x, *, scale=1): ...
        >>> call_arguments(GraphFirst(), "x", "signals", {"adjacency": "A", "scale": 2})
        (('A', 'signals'), {'scale': 2})
        >>> call_arguments(GraphFirst(), "x", "signals", {})
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: GraphFirst.forward needs the argument 'adjacency', which was not given. ...
    """
    parameters = forward_signature(model).parameters
    kinds = {each.kind for each in parameters.values()}
    taken = signal_parameter(model, argument, further)
    needed = [
        name
        for name, each in parameters.items()
        if each.kind not in _FREE and each.default is Parameter.empty and name != taken and name not in further
    ]
    if needed:
        raise missing_arguments(model, needed, None if argument else taken)
    values = dict(further) if taken is None else {**further, taken: signals}
    # Where forward has *args but takes no names, what has no parameter of its own follows in its order.
    by_order = Parameter.VAR_POSITIONAL in kinds and Parameter.VAR_KEYWORD not in kinds
    leftover = [name for name in values if name not in parameters] if by_order else []
    by_place: list[Any] = []
    for name, each in parameters.items():
        if each.kind in _BY_PLACE and name in values:
            # By place as far as the signals stand: hooks see what comes by place, and some take nothing else.
            if each.kind is Parameter.POSITIONAL_ONLY or leftover or taken is None or taken in values:
                by_place.append(values.pop(name))
        elif each.kind is Parameter.VAR_POSITIONAL:
            by_place += [signals] if taken is None else []
            by_place += [values.pop(name) for name in leftover]
        else:
            # What follows a parameter that keeps its default can only be given by name.
            break
    return tuple(by_place), values
