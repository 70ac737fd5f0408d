"""Pickles: other values in them, and programs that they are."""

import io
import pickle
import random
from typing import Any

import numpy as np

from tests.fuzz.damage.values import ODD_OBJECTS, ODD_VALUES, changed


def damaged_pickle(content: bytes, draw: random.Random, marker: str) -> bytes:
    """Another value in a pickle; or one that runs something, asks for memory, or is nested."""
    if draw.random() < 0.6:
        value = unpickled(content)
        for _ in range(draw.choice((1, 1, 2))):
            value = changed(value, draw, ODD_VALUES + ODD_OBJECTS)
        return pickle.dumps(value, draw.choice((0, 2, 4, 5)))
    return _payload(content, draw, marker)


def damaged_torch(content: bytes, draw: random.Random, marker: str) -> bytes:
    """The same of what torch saved."""
    if draw.random() < 0.4:
        return _payload(content, draw, marker)
    import torch

    try:
        entries = torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise ValueError("it was damaged before") from error
    arrays = {name: one.numpy() if isinstance(one, torch.Tensor) else one for name, one in entries.items()}
    others = changed(arrays, draw, ODD_VALUES + ODD_OBJECTS)
    if isinstance(others, dict):
        others = {name: _tensor(one) for name, one in others.items()}
    made = io.BytesIO()
    torch.save(others, made)
    return made.getvalue()


def _tensor(value: Any) -> Any:
    import torch

    try:
        return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
    except TypeError:  # of text or objects: it is saved as it is
        return value


class _Plain(pickle._Unpickler):
    """Calls only what builds an array; of Python, whose memory does not follow the numbers in a damaged file."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"}
        if (module.partition(".")[0] == "numpy" and name in allowed) or (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not called")


def unpickled(content: bytes) -> Any:
    try:
        return _Plain(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # of a program that was damaged before
        raise ValueError("no plain values") from error


def _payload(content: bytes, draw: random.Random, marker: str) -> bytes:
    """Pickles that run something, ask for memory, or are nested."""
    run = f"cos\nmkdir\n(V{marker}\ntR.".encode()
    build = f"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c{chr(len(marker) + 24)}import os; os.mkdir('{marker}')\x85R."
    return draw.choice(
        (run, build.encode("latin1"), b"Nr\xff\xff\xff\x3f.", b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
         b"\x80\x02B\xff\xff\xff\x7f.", b"(" * 100_000 + b".", b"]" * 50_000 + b"a" * 49_999 + b".", b"N.", b"K\x01.",
         b"cbuiltins\neval\n(V1\ntR.", b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.", content[:-20] + b"0.",
         b"\x80\x04]\x94(h\x00e.", b"L" + b"9" * 100_000 + b"L\n.", content + content, b"}q\x00(h\x00h\x00u.")
    )  # fmt: skip
