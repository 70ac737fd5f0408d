"""How an explanation was made: what it takes to make it again, under the names that run folders use."""

import json
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stexplain.system import package_versions
from stexplain.version import __version__

if TYPE_CHECKING:
    from stexplain.explainers.model.caller import ModelCaller

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Of an object in memory: another in each process, which nobody can make again."""


def made_by(explainer: "ModelCaller") -> dict[str, Any]:
    """How an explainer makes its explanations, in JSON types; no moment of time, so that equal ones have equal files.

    Returns:
        ``explainer`` as its repr says it; ``seed`` where it draws at random; ``model``, its class, ``device`` and
        ``dtype`` where there is a model; ``threads`` of torch; ``versions``, DGL's where it is loaded.

    Example:
        >>> from stexplain import Occlusion
        >>> about = made_by(Occlusion(nn.Linear(2, 1), window=3, inputs="b c t n"))
        >>> about["explainer"], about["model"], about["device"], about["dtype"]
        ("Occlusion(Linear, window=3, inputs='b c t n')", 'Linear', 'cpu', 'float32')
        >>> list(about["versions"])[:4]
        ['stexplain', 'python', 'torch', 'numpy']
    """
    about: dict[str, Any] = {"explainer": without_home(_ADDRESS.sub("", repr(explainer)))}
    if isinstance(seed := getattr(explainer, "seed", None), int):
        about["seed"] = seed
    model: nn.Module | None = explainer.model
    # The backend of graph convolutions loads it where it is installed, as a model that uses it does.
    packages = ("torch", "numpy", *["dgl"][: "dgl" in sys.modules])
    if model is not None:
        about["model"] = type(model).__name__
        # No further than the first: an explainer is also called on one sample after the other.
        tensors = chain(model.parameters(), model.buffers())
        weight = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
        if weight is not None:
            about |= {"device": weight.device.type, "dtype": str(weight.dtype).removeprefix("torch.")}
    return {**about, "threads": torch.get_num_threads(), "versions": dict(_versions(packages))}


def in_all(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all parts of an explanation say of how they were made.

    Example:
        >>> in_all([{"threads": 1, "seed": 0}, {"threads": 2, "seed": 0}])
        {'seed': 0}
    """
    return {name: value for name, value in parts[0].items() if all(part.get(name) == value for part in parts)}


def without_home(text: str) -> str:
    """The text with ``~`` for the folder of the user, whose name is nobody else's business.

    Example:
        >>> without_home(f"--first 2 --out {Path.home()}")
        '--first 2 --out ~'
    """
    home = str(Path.home())
    # A root directory, as of a container's user without a home, is a part of every path.
    return text if len(home) < 2 else re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)


def details(about: Mapping[str, Any]) -> str:
    """What a notebook shows of it on a click; nothing where it is not known.

    Example:
        >>> details({"threads": 1, "versions": {"torch": "2.8"}}).count("<tr>")
        2
    """
    if not about:
        return ""
    said = ((escape(str(name)), escape(_text(value))) for name, value in about.items())
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in said)
    return f"<details><summary>How it was made</summary><table>{rows}</table></details>"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value)


@lru_cache
def _versions(packages: tuple[str, ...]) -> Mapping[str, str | None]:
    return {"stexplain": __version__, "python": platform.python_version(), **package_versions(packages)}
