"""JSON of a known form: compared with a type before anything is taken from it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from stexplain.errors import DataError

_SHOWN = 80
"""Letters of a wrong value that a message shows."""


class Form(BaseModel):
    """What must be in an object of JSON; entries that are not named are allowed."""

    model_config = ConfigDict(strict=True, extra="ignore")


def check_shape(path: Path, value: Any, form: Any, remedy: str) -> None:
    """Refuses a value that is not of a form, naming the file, the first place that differs, and what it holds.

    Args:
        path: of the file.
        value: as JSON gives it.
        form: a type, such as a subclass of `Form`.
        remedy: what to do, for the message.

    Raises:
        DataError: for the first place that differs.

    Example:
        >>> check_shape(Path("store.json"), {"files": {"x.npy": 3}}, dict[str, dict[str, str]], "Prepare it again.")
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: store.json, files.x.npy: got 3; expected a valid string. Prepare it again.
    """
    try:
        TypeAdapter(form).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        where = f"{path}, {place}" if place else f"{path}"
        if first["type"] == "missing":
            raise DataError(f"{where} is missing. {remedy}") from error
        shown = repr(first["input"])
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        expected = first["msg"].removeprefix("Input should be ")
        raise DataError(f"{where}: got {shown}; expected {expected}. {remedy}") from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply. {remedy}") from error
