"""Copies `datasets/` and `models/`, the bundled cards, into a wheel.

In an editable install a copy would go stale while the checkout is edited. There `stexplain.cards` finds the folders of
the checkout itself.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CardsHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel" and version != "editable":
            build_data["force_include"]["datasets"] = "stexplain/_cards/datasets"
            build_data["force_include"]["models"] = "stexplain/_cards/models"
