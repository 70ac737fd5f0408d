from typing import Any

from hypothesis import settings

from tests.properties.examples import everywhere

settings.register_profile("stexplain", everywhere)
settings.load_profile("stexplain")


def pytest_configure(config: Any) -> None:
    """On several cores files begin in their order, by which the examples of docstrings, all short, are the last.

    By itself pytest-xdist begins those of the most tests first: a file whose few tests train for minutes would then be
    the last, and all other cores idle.
    """
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False
